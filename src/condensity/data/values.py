"""Values of categories: which are missing, and the text by which a level is known."""

from decimal import Decimal

import numpy as np

from condensity.data.refusals import decoded


def is_missing(value: object) -> bool:
    """Whether a Python `value` is a missing one: None, NaN, NaT, NA or masked."""
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating, Decimal)) and value != value


def text_of(level: object) -> str:
    """Text that identifies a level: whole numbers have the same whatever their type is.

    Parameters
    ----------
    level : object

    Examples
    --------
    >>> text_of(1), text_of(1.0), text_of("1")
    ('1', '1', '1')
    """
    if isinstance(level, bytes):
        return decoded("A category", level)
    if isinstance(level, (float, np.floating)) and float(level).is_integer():
        level = int(level)
    return str(level)


def sort_key(text: str) -> tuple[int, float, str]:
    """Place of a level's text among others: numbers by size, before text.

    Parameters
    ----------
    text : str
    """
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)
