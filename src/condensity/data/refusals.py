"""Errors about columns that cannot be read as numbers or categories."""

import datetime
import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np


def refuse_repeated(name: str, names: Sequence[Any]) -> None:
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
    if hasattr(value, "start_time"):  # a period of pandas: a month, a week
        refuse_dates(what, dtype)
    if hasattr(value, "left") and hasattr(value, "right"):
        raise ValueError(
            f"{what} holds intervals ({dtype}); make it numbers, their middles, or a category, by .astype('category')."
        )
    if isinstance(value, numbers.Complex):
        raise ValueError(f"{what}: Complex data not supported ({dtype}); split it into real and imaginary parts.")
    if isinstance(value, (list, tuple, set, dict, np.ndarray)):
        raise ValueError(
            f"{what} is nested: it holds {type(value).__name__}s ({dtype}). Split it into columns of its own."
        )
    raise TypeError(f"{what} holds {type(value).__name__} values; argument must be a string or a real number.")


def decoded(what: str, value: bytes, place: str = "") -> str:
    """Text that bytes hold in UTF-8.

    Parameters
    ----------
    what : str
        The column as messages call it.
    value : bytes
    place : str
        The row, for messages.

    Raises
    ------
    ValueError
        For bytes in another encoding.
    """
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{what} holds bytes that are no UTF-8 text ({value[:40]!r}{place}: {error.reason}); decode them by their encoding, "
            "for example .str.decode('latin-1')."
        ) from None


def as_float(what: str, value: Any, row: int) -> float:
    """A number of any type and size as float64.

    Parameters
    ----------
    what : str
        The column as messages call it.
    value : number
    row : int

    Raises
    ------
    ValueError
        For whole numbers and fractions beyond the largest float64.
    """
    try:
        return float(value)
    except OverflowError:
        raise ValueError(
            f"{what} holds a number beyond the largest float64, 1.8e308 (row {row}); divide the column by a constant, take its "
            "logarithm, or drop it."
        ) from None


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


#: Advice about text in X, and in y.
ENCODE_TEXT = "encode it (in a data frame, or by categorical_features, X may hold categories) or drop it"
CONVERT_TEXT = "numbers are needed here: convert them, for example by .astype(float)"


def refuse_text(what: str, dtype: object, remedy: str = ENCODE_TEXT) -> NoReturn:
    """Refuse text where numbers are needed.

    Parameters
    ----------
    what : str
        The column as messages call it.
    dtype : object
        Its type.
    remedy : str
        Advice, for the end of the sentence.

    Raises
    ------
    ValueError
    """
    raise ValueError(f"{what} holds {dtype} values that are not numbers; {remedy}.")


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
    if kind in "UST" or (kind == "O" and any(isinstance(value, (str, bytes)) for value in array.flat)):
        refuse_text(what, dtype)
    if kind == "O":
        for i, value in enumerate(array.flat):
            if isinstance(value, (numbers.Rational, Decimal)):
                as_float(what, value, i // max(array[:1].size, 1))
