"""Errors about columns that cannot be read as numbers or categories."""

import datetime
import numbers
from typing import Any, NoReturn

import numpy as np


def refuse_repeated(name: str, names: list[str]) -> None:
    """Refuse names of columns that come twice.

    Parameters
    ----------
    name : str
        The argument that the columns are of.
    names : list

    Raises
    ------
    ValueError
    """
    met = set()
    for column in names:
        if column in met:
            raise ValueError(f"{name} has more than one column named {column!r}; give every column its own name.")
        met.add(column)


def refuse_value(what: str, value: object, dtype: object) -> NoReturn:
    """Refuse a value that is neither a number nor text.

    Parameters
    ----------
    what : str
        The column as messages call it.
    value : object
    dtype : object
        Its type.

    Raises
    ------
    ValueError, TypeError
    """
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)):
        refuse_dates(what, dtype)
    if isinstance(value, numbers.Complex):
        raise ValueError(f"{what}: Complex data not supported ({dtype}); split it into real and imaginary parts.")
    if isinstance(value, (list, tuple, set, dict, np.ndarray)):
        raise ValueError(
            f"{what} is nested: it holds {type(value).__name__}s ({dtype}). Split it into columns of its own."
        )
    raise TypeError(f"{what} holds {type(value).__name__} values; argument must be a string or a real number.")


def refuse_dates(what: str, dtype: object) -> NoReturn:
    """Refuse dates and durations.

    Parameters
    ----------
    what : str
        The column as messages call it.
    dtype : object
        Its type.

    Raises
    ------
    ValueError
    """
    raise ValueError(
        f"{what} holds dates or durations ({dtype}); numbers are needed. "
        "Convert it, for example to days since a reference date, or drop it."
    )


def refuse_text(what: str, dtype: object) -> NoReturn:
    """Refuse text where numbers are needed.

    Parameters
    ----------
    what : str
        The column as messages call it.
    dtype : object
        Its type.

    Raises
    ------
    ValueError
    """
    raise ValueError(
        f"{what} holds {dtype} values that are not numbers; encode it (in a data frame, or by categorical_features, X may hold "
        "categories) or drop it."
    )


def require_numbers(what: str, values: Any) -> None:
    """Refuse text, dates and durations in arrays, which conversion would turn into a riddle or into nanoseconds.

    Parameters
    ----------
    what : str
        The column as messages call it.
    values : anything

    Raises
    ------
    ValueError
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{what} is not rectangular: its rows have different lengths ({error}).") from None
    kind, dtype = array.dtype.kind, getattr(values, "dtype", array.dtype)
    if kind in "mM":
        refuse_dates(what, dtype)
    if kind in "UST" or (kind == "O" and any(isinstance(value, str) for value in array.flat)):
        refuse_text(what, dtype)
