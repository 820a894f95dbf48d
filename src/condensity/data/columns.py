"""Columns of pandas, polars, Arrow and NumPy tables as float64, categories as codes with their levels as text.

None of these libraries is imported: a table brings its own.
"""

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from condensity.data.frame import column_names, holds_objects, is_frame, library_of, take_column
from condensity.data.refusals import refuse_dates, refuse_repeated, refuse_text, refuse_value, require_numbers

#: Text with more levels than this, and in more than this share of the rows its own, is an identifier and not a category.
IDENTIFIER_LEVELS, IDENTIFIER_SHARE = 50, 0.5


#: Whole numbers below this one have a float64 of their own.
MAX_EXACT = 2.0**53


class Levels(NamedTuple):
    """Levels of a category, in the order of their codes.

    Attributes
    ----------
    texts : tuple of str
        Code k stands for level k. Levels are identified by their text, so that 1, 1.0 and '1' are the same.
    ordered : bool
        Whether the order of the levels is part of the data.
    """

    texts: tuple[str, ...]
    ordered: bool


class RawTable(NamedTuple):
    """A table as numbers.

    Attributes
    ----------
    values : ndarray (n, d) float64
        Numbers, and codes of categories; NaN where a value is missing.
    names : list of str or None
    categories : dict of int to Levels
        Of the columns that are categories.
    """

    values: np.ndarray
    names: list[str] | None
    categories: dict[int, Levels]


class _Column(NamedTuple):
    values: np.ndarray
    levels: Levels | None


def label_of(names: Sequence[Any] | None, j: int, *, capital: bool = False) -> str:
    """Column j as messages call it, by its name if it has one.

    Parameters
    ----------
    names : sequence or None
    j : int
    capital : bool
        For the beginning of a sentence.
    """
    return f"{'Column' if capital else 'column'} {j if names is None else repr(names[j])}"


def read_table(name: str, table: Any, categorical_features: npt.ArrayLike = "from_dtype") -> RawTable | None:
    """Read named columns, or an array (n, d) some of whose columns are categories.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    table : table or array-like (n, d)
    categorical_features : 'from_dtype' or array-like (c,) of str, int or bool
        Columns that are categories in addition to those that are by their type: pandas 'category' and text, polars
        Categorical, Enum and String, Arrow dictionary and text.

    Returns
    -------
    RawTable, or None for an array of numbers alone, which is left to scikit-learn's checks.

    Raises
    ------
    ValueError
        For columns of dates, complex or nested values, mixtures of text and numbers, and identifiers, by name.
    """
    if not is_frame(table):
        return _read_array(name, table, categorical_features)
    names = column_names(table)
    return _read_frame(name, table, _chosen(categorical_features, len(names), names))


def read_numbers(name: str, table: Any, categorical_features: npt.ArrayLike = "from_dtype") -> RawTable:
    """Read any table (n, d) as float64, an array of numbers too; errors as for `read_table`.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    table : table or array-like (n, d)
    categorical_features : 'from_dtype' or array-like (c,) of str, int or bool
        As for `read_table`.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = read_numbers("X", pd.DataFrame({"size": [50, 80], "town": ["Bé", "Aa"]}))
    >>> raw.values.tolist(), raw.categories[1].texts
    ([[50.0, 1.0], [80.0, 0.0]], ('Aa', 'Bé'))
    """
    raw = read_table(name, table, categorical_features)
    return raw if raw is not None else RawTable(np.asarray(table, dtype=float), None, {})


def _read_frame(name: str, table: Any, chosen: set[int]) -> RawTable:
    """A table with named columns; those at the positions chosen are categories whatever they hold."""
    names = column_names(table)
    refuse_repeated(name, names)
    columns = []
    for j, column in enumerate(names):
        what = f"Column {column!r} of {name}"
        read = _READERS[library_of(table)](what, take_column(table, j))
        if j in chosen:
            read = read if read.levels else _numbers_as_category(what, take_column(table, j), read)
        elif read.levels:
            _refuse_identifier(what, read)
        columns.append(read)
    return _assemble(columns, [str(column) for column in names], len(table))


def read_target(name: str, values: Any) -> Any:
    """Target or weights of any library as something that NumPy reads: numbers, (n,) or (n, q).

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    values : anything

    Returns
    -------
    ndarray (n,) or (n, q) float64 of tables and series; anything else as it is.

    Raises
    ------
    ValueError
        For text, dates and durations.
    """
    if is_frame(values):
        table = _read_frame(name, values, set())
        for j in table.categories:
            refuse_text(f"{label_of(table.names, j, capital=True)} of {name}", "text or categories")
        return table.values
    what = f"Input {name}"
    if library_of(values) in _READERS:
        column = _READERS[library_of(values)](what, values)
        if column.levels:
            refuse_text(what, "text or categories")
        return column.values
    if isinstance(values, (list, tuple)) or hasattr(values, "dtype"):
        require_numbers(what, values)
    return values


# ------------------------------------------------------------------------------------------------------ arrays
def _read_array(name: str, table: Any, categorical_features: npt.ArrayLike) -> RawTable | None:
    named = categorical_features
    if isinstance(named, str) or np.size(named) == 0:
        if isinstance(table, (list, tuple)) or hasattr(table, "dtype"):
            require_numbers(f"Input {name}", table)
        return None
    array = np.asarray(table, dtype=object if holds_objects(table) else None)
    if array.ndim != 2:
        return None  # refused by scikit-learn's checks
    chosen = _chosen(named, array.shape[1], None)
    columns = []
    for j, values in enumerate(array.T):
        what = f"Column {j} of {name}"
        read = _from_array(what, values)
        if read.levels and j not in chosen:
            refuse_text(what, "text")
        columns.append(_as_category(read) if j in chosen and not read.levels else read)
    return _assemble(columns, None, len(array))


def _chosen(categorical_features: npt.ArrayLike, d: int, names: list[Any] | None) -> set[int]:
    """Positions of the columns that were named as categories."""
    if isinstance(categorical_features, str):
        if categorical_features != "from_dtype":
            raise ValueError(
                f"categorical_features must be 'from_dtype' or a list of columns; got {categorical_features!r}. "
                f"For one column, write [{categorical_features!r}]."
            )
        return set()
    listed = np.asarray(categorical_features, dtype=object).ravel()
    if all(isinstance(value, (bool, np.bool_)) for value in listed) and len(listed):
        if len(listed) != d:
            raise ValueError(f"categorical_features has {len(listed)} flags for the {d} columns of X.")
        return set(np.flatnonzero(listed.astype(bool)).tolist())
    return {_position(value, d, names) for value in listed}


def _position(value: Any, d: int, names: list[Any] | None) -> int:
    if names is not None and value in names:
        return names.index(value)
    if isinstance(value, (int, np.integer)) and -d <= value < d:
        return int(value) % d
    columns = f"0 to {d - 1}" if names is None else ", ".join(map(repr, names[:12]))
    raise ValueError(f"categorical_features names {value!r}, which is not a column of X; the columns are {columns}.")


def _assemble(columns: Sequence[_Column], names: list[str] | None, n: int) -> RawTable:
    values = np.empty((n, len(columns)))
    for j, column in enumerate(columns):
        values[:, j] = column.values
    return RawTable(values, names, {j: column.levels for j, column in enumerate(columns) if column.levels})


def _numbers_as_category(what: str, values: Any, read: _Column) -> _Column:
    """A column of a table, `read` as numbers, as a category; those too large for float64 by their text."""
    if not (np.abs(read.values) >= MAX_EXACT).any():
        return _as_category(read)
    listed = values.to_pylist() if hasattr(values, "to_pylist") else values.to_list()
    return _from_objects(what, [None if is_missing(value) else text_of(value) for value in listed], object)


def _as_category(column: _Column) -> _Column:
    """Numbers as a category: every value is a level."""
    present = ~np.isnan(column.values)
    levels, codes = np.unique(column.values[present], return_inverse=True)
    values = np.full(len(column.values), np.nan)
    values[present] = codes
    return _Column(values, Levels(tuple(map(text_of, levels.tolist())), False))


# ------------------------------------------------------------------------------------------------ one reader a library
def _from_pandas(what: str, series: Any) -> _Column:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return _from_array(what, series.to_numpy())
    if hasattr(series, "cat"):
        codes = np.asarray(series.cat.codes, dtype=float)
        return _coded(np.where(codes < 0, np.nan, codes), series.cat.categories.tolist(), bool(series.cat.ordered))
    if getattr(dtype, "kind", "O") in "iufb":  # nullable numbers
        return _Column(series.to_numpy(dtype=float, na_value=np.nan), None)
    if getattr(dtype, "pyarrow_dtype", None) is not None:
        return _from_arrow(what, series.array.__arrow_array__())
    return _from_objects(what, series.to_numpy(dtype=object), dtype)


def _from_polars(what: str, series: Any) -> _Column:
    dtype = series.dtype
    name = str(dtype).partition("(")[0]
    if dtype.is_numeric() or name == "Boolean":
        floats = series.cast(float) if dtype.is_numeric() else series.cast(int).cast(float)
        return _Column(np.array(floats.to_numpy(), dtype=float), None)
    if name in ("Categorical", "Enum"):
        texts = series.cast(str).to_list()
        if name == "Categorical":
            return _from_objects(what, texts, dtype)
        place = {text: float(code) for code, text in enumerate(dtype.categories.to_list())}
        return _coded(np.array([place.get(text, np.nan) for text in texts]), list(place), True)
    if name == "Null":
        return _Column(np.full(len(series), np.nan), None)
    return _from_objects(what, series.to_list(), dtype)


def _from_arrow(what: str, column: Any) -> _Column:
    import pyarrow
    from pyarrow import types

    if isinstance(column, pyarrow.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    kind = column.type
    if types.is_null(kind):
        return _Column(np.full(len(column), np.nan), None)
    if types.is_boolean(kind):
        column, kind = column.cast(pyarrow.int8()), pyarrow.int8()
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _Column(np.array(column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)), None)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        column = column.dictionary_encode()
    if not types.is_dictionary(column.type):
        return _from_objects(what, column.to_pylist(), kind)
    codes = np.array(column.indices.cast(pyarrow.float64()).to_numpy(zero_copy_only=False))
    return _coded(codes, column.dictionary.to_pylist(), types.is_dictionary(kind) and kind.ordered)


def _from_array(what: str, values: np.ndarray) -> _Column:
    kind = values.dtype.kind
    if kind in "iufb":
        return _Column(values.astype(float), None)
    if kind in "mM":  # NumPy counts durations among the integers
        refuse_dates(what, values.dtype)
    return _from_objects(what, values.tolist() if kind in "UST" else values, values.dtype)


_READERS = {"pandas": _from_pandas, "polars": _from_polars, "pyarrow": _from_arrow}


# ---------------------------------------------------------------------------------------------- values one by one
def _from_objects(what: str, values: Sequence[Any] | np.ndarray, dtype: object) -> _Column:
    """Python values: numbers, or text, or an error with their type."""
    place: dict[str, int] = {}
    result, n_texts, n_numbers = np.full(len(values), np.nan), 0, 0
    for i, value in enumerate(values):
        if is_missing(value):
            continue
        if isinstance(value, (str, bytes)):
            n_texts += 1
            result[i] = place.setdefault(text_of(value), len(place))
        elif isinstance(value, (numbers.Real, Decimal, np.bool_)):
            n_numbers += 1
            result[i] = float(value)
        else:
            refuse_value(what, value, dtype)
    if n_texts and n_numbers:
        raise ValueError(
            f"{what} mixes text and numbers ({n_texts} and {n_numbers} of {len(values)} values); make it one or the other."
        )
    return _coded(result, list(place), False) if n_texts else _Column(result, None)


def is_missing(value: object) -> bool:
    """Whether a Python `value` is a missing one: None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _coded(codes: np.ndarray, levels: Sequence[Any], ordered: bool) -> _Column:
    """Codes into levels that occur, as text; in their own order if that means something, else sorted."""
    texts = [text_of(level) for level in levels]
    present = np.unique(codes[~np.isnan(codes)]).astype(int)
    order = present if ordered else np.array(sorted(present, key=lambda k: _sort_key(texts[k])), dtype=int)
    place = np.full(len(texts) + 1, np.nan)  # the last is for what is missing
    kept: list[str] = []
    for k in order:
        if texts[k] not in kept[-1:]:
            kept.append(texts[k])
        place[k] = len(kept) - 1
    return _Column(place[np.where(np.isnan(codes), -1, codes).astype(int)], Levels(tuple(kept), bool(ordered)))


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
        return level.decode("utf-8", errors="replace")
    if isinstance(level, (float, np.floating)) and float(level).is_integer():
        level = int(level)
    return str(level)


def _sort_key(text: str) -> tuple[int, float, str]:
    """Numbers by size, before text."""
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)


def _refuse_identifier(what: str, column: _Column) -> None:
    n, m = len(column.values), len(column.levels.texts) if column.levels else 0
    if m > IDENTIFIER_LEVELS and m > IDENTIFIER_SHARE * n:
        raise ValueError(
            f"{what} holds text with {m} different values in {n} rows: an identifier, which tells nothing. Drop it, "
            "or name it in categorical_features if it is a category after all."
        )
