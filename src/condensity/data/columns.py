"""Columns of pandas, polars, Arrow and NumPy tables as float64, categories as codes with their levels as text.

None of these libraries is imported: a table brings its own.
"""

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from condensity.data.doors import open_table, refuse_series
from condensity.data.frame import all_columns, column_names, holds_objects, is_frame, library_of
from condensity.data.names import chosen_columns, label_of, name_text
from condensity.data.refusals import (
    CONVERT_TEXT,
    as_float,
    decoded,
    refuse_dates,
    refuse_repeated,
    refuse_text,
    refuse_value,
    require_numbers,
)
from condensity.data.values import is_missing, sort_key, text_of

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
    TypeError
        For what is no table and no array, with what to call.
    """
    table = open_table(name, table)
    if not is_frame(table):
        if library_of(table) is not None:
            refuse_series(name, table)
        return _read_array(name, table, categorical_features)
    names = column_names(table)
    return _read_frame(name, table, chosen_columns(categorical_features, len(names), names))


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
    table = open_table(name, table)
    raw = read_table(name, table, categorical_features)
    return raw if raw is not None else RawTable(np.asarray(table, dtype=float), None, {})


def _read_frame(name: str, table: Any, chosen: set[int]) -> RawTable:
    """A table with named columns; those at the positions chosen are categories whatever they hold."""
    names = frame_names(name, table) or []
    if not chosen and _is_numeric_pandas(table):
        return RawTable(np.ascontiguousarray(table.to_numpy(dtype=float)), names, {})
    columns, read_column = [], _READERS[str(library_of(table))]
    for j, (column, values) in enumerate(zip(names, all_columns(table), strict=True)):
        what = f"Column {column!r} of {name}"
        read = read_column(what, values)
        if read.levels and not read.levels.texts:
            read = _Column(read.values, None)  # without a value nothing tells text from numbers
        if j in chosen:
            read = read if read.levels else _numbers_as_category(what, values, read)
        elif read.levels:
            _refuse_identifier(what, read)
        columns.append(read)
    return _assemble(columns, names, len(table))


def _is_numeric_pandas(table: Any) -> bool:
    """Whether all columns are NumPy's numbers: making a series of each takes most of the time of a wide table."""
    if not hasattr(table, "iloc"):
        return False
    return all(isinstance(dtype, np.dtype) and dtype.kind in "iufb" for dtype in set(table.dtypes))


def frame_names(name: str, table: Any) -> list[str] | None:
    """Names of the columns as text, by which they are known; None of what is no frame.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    table : table or array-like (n, d)

    Raises
    ------
    ValueError
        For a name that comes twice.
    """
    if not is_frame(table):
        return None
    names = [name_text(column) for column in column_names(table)]
    refuse_repeated(name, names)
    return names


def target_names(y: Any) -> tuple[str, ...] | None:
    """Names of the columns of a target y as text, or of its series; None where it has none.

    Parameters
    ----------
    y : table, series or array-like
    """
    if is_frame(y):
        return tuple(map(name_text, column_names(y)))
    name = getattr(y, "name", None) if library_of(y) else None
    return (name,) if isinstance(name, str) else None


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
    values = open_table(name, values)
    if is_frame(values):
        table = _read_frame(name, values, set())
        for j in table.categories:
            refuse_text(f"{label_of(table.names, j, capital=True)} of {name}", "text or categories", CONVERT_TEXT)
        return table.values
    what, library = f"Input {name}", library_of(values)
    if library is not None:
        column = _READERS[library](what, values)
        if column.levels:
            refuse_text(what, "text or categories", CONVERT_TEXT)
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
    chosen = chosen_columns(named, array.shape[1], None)
    columns = []
    for j, values in enumerate(array.T):
        what = f"Column {j} of {name}"
        read = _from_array(what, values)
        if read.levels and j not in chosen:
            refuse_text(what, "text")
        columns.append(_as_category(read) if j in chosen and not read.levels else read)
    return _assemble(columns, None, len(array))


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
        return _coded(
            what, np.where(codes < 0, np.nan, codes), series.cat.categories.tolist(), bool(series.cat.ordered)
        )
    if getattr(dtype, "kind", "O") in "iufb":  # nullable numbers
        return _Column(series.to_numpy(dtype=float, na_value=np.nan), None)
    if getattr(dtype, "pyarrow_dtype", None) is not None:
        return _from_arrow(what, series.array.__arrow_array__())
    return _from_objects(what, series.to_numpy(dtype=object), dtype)


def _from_polars(what: str, series: Any) -> _Column:
    dtype = series.dtype
    name = str(dtype).partition("(")[0]
    if name == "Decimal":
        series = series.cast(str)  # digits are rounded once on their way to float64, a division by 10ⁿ rounds twice
        return _Column(np.array(series.cast(float).to_numpy(), dtype=float), None)
    if dtype.is_numeric() or name == "Boolean":
        floats = series.cast(float) if dtype.is_numeric() else series.cast(int).cast(float)
        return _Column(np.array(floats.to_numpy(), dtype=float), None)
    if name in ("Categorical", "Enum"):
        texts = series.cast(str).to_list()
        if name == "Categorical":
            return _from_objects(what, texts, dtype)
        place = {text: float(code) for code, text in enumerate(dtype.categories.to_list())}
        return _coded(what, np.array([place.get(text, np.nan) for text in texts]), list(place), True)
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
    if types.is_decimal(kind):
        column, kind = column.cast(pyarrow.string()).cast(pyarrow.float64()), pyarrow.float64()  # rounded once
    if types.is_integer(kind) or types.is_floating(kind):
        return _Column(np.array(column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)), None)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        column = column.dictionary_encode()
    if not types.is_dictionary(column.type):
        return _from_objects(what, column.to_pylist(), kind)
    codes = np.array(column.indices.cast(pyarrow.float64()).to_numpy(zero_copy_only=False))
    return _coded(what, codes, column.dictionary.to_pylist(), types.is_dictionary(kind) and kind.ordered)


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
            text = decoded(what, value, f" in row {i}") if isinstance(value, bytes) else text_of(value)
            result[i] = place.setdefault(text, len(place))
        elif isinstance(value, (numbers.Real, Decimal, np.bool_)):
            n_numbers += 1
            result[i] = as_float(what, value, i)
        else:
            refuse_value(what, value, dtype)
    if n_texts and n_numbers:
        raise ValueError(
            f"{what} mixes text and numbers ({n_texts} and {n_numbers} of {len(values)} values); make it one or the other."
        )
    return _coded(what, result, list(place), False) if n_texts else _Column(result, None)


def _coded(what: str, codes: np.ndarray, levels: Sequence[Any], ordered: bool) -> _Column:
    """Codes into levels that occur, as text; in their own order if that means something, else sorted."""
    texts = [decoded(what, level) if isinstance(level, bytes) else text_of(level) for level in levels]
    present = np.unique(codes[~np.isnan(codes)]).astype(int)
    order = present if ordered else np.array(sorted(present, key=lambda k: sort_key(texts[k])), dtype=int)
    place = np.full(len(texts) + 1, np.nan)  # the last is for what is missing
    kept: list[str] = []
    for k in order:
        if texts[k] not in kept[-1:]:
            kept.append(texts[k])
        place[k] = len(kept) - 1
    return _Column(place[np.where(np.isnan(codes), -1, codes).astype(int)], Levels(tuple(kept), bool(ordered)))


def _refuse_identifier(what: str, column: _Column) -> None:
    n, m = len(column.values), len(column.levels.texts) if column.levels else 0
    if m > IDENTIFIER_LEVELS and m > IDENTIFIER_SHARE * n:
        raise ValueError(
            f"{what} holds text with {m} different values in {n} rows: an identifier, which tells nothing. Drop it, "
            "or name it in categorical_features if it is a category after all."
        )
