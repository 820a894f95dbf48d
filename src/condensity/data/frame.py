"""One notion of a table: pandas, polars and Arrow tables and NumPy arrays, by their rows and columns.

None of the table libraries is imported at the top: a table brings its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

#: Libraries whose tables have named columns.
LIBRARIES = ("pandas", "polars", "pyarrow")


def library_of(table: object) -> str:
    """Name of the package that the type of a table comes from.

    Parameters
    ----------
    table : object

    Examples
    --------
    >>> library_of(np.zeros((2, 3)))
    'numpy'
    """
    return type(table).__module__.partition(".")[0]


def is_frame(table: Any) -> bool:
    """Whether it is a table with named columns: pandas, polars or Arrow.

    Parameters
    ----------
    table : object
    """
    return library_of(table) in LIBRARIES and getattr(table, "ndim", len(np.shape(table))) == 2


def as_table(name: str, values: Any) -> Any:
    """A table with named columns as it is, anything else as an array of two dimensions.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    values : table or array-like (n, d)

    Returns
    -------
    table or ndarray (n, d)

    Raises
    ------
    ValueError
        For anything that has not two dimensions.

    Examples
    --------
    >>> as_table("X", [[1, 2.5], [3, 4]]).shape
    (2, 2)
    """
    if is_frame(values):
        return values
    array = np.asarray(values)
    if array.dtype.kind not in "iufb" and holds_objects(values):
        array = np.asarray(values, dtype=object)  # text and numbers would all become text
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (n, d), rows and columns; got {array.shape}.")
    return array


def holds_objects(values: object) -> bool:
    """Whether the entries of values may be of several types: lists, and arrays (n,) or (n, d) of Python objects.

    Parameters
    ----------
    values : object
    """
    return isinstance(values, (list, tuple)) or getattr(values, "dtype", None) == np.dtype(object)


def column_names(table: Any) -> list[Any]:
    """Names of the columns of a pandas, polars or Arrow table, of whatever type they are.

    Parameters
    ----------
    table : pandas, polars or Arrow table

    Examples
    --------
    >>> import pandas as pd
    >>> column_names(pd.DataFrame({"size": [1.0], 7: [2.0]}))
    ['size', 7]
    """
    return list(table.column_names if hasattr(table, "column_names") else table.columns)


def column_labels(table: Any) -> list[str]:
    """Names of the columns as text; of an array 'x' for a single column, else 'x0', 'x1', …

    Parameters
    ----------
    table : table or ndarray (n, d)

    Examples
    --------
    >>> column_labels(np.zeros((4, 2)))
    ['x0', 'x1']
    """
    if is_frame(table):
        return [str(name) for name in column_names(table)]
    width = np.shape(table)[1]
    return ["x"] if width == 1 else [f"x{j}" for j in range(width)]


def take_column(table: Any, j: int) -> Any:
    """Column j (n,), in the library's own type: a series, an Arrow array, or an ndarray.

    Parameters
    ----------
    table : table or ndarray (n, d)
    j : int
    """
    if hasattr(table, "iloc"):
        return table.iloc[:, j]
    return table.column(j) if hasattr(table, "column_names") else table[:, j]


def take_rows(table: Any, rows: npt.ArrayLike) -> Any:
    """Rows (m,) of a table, a series or an array (n, …), in its own type.

    Parameters
    ----------
    table : table, series or ndarray of n rows
    rows : array-like (m,) of int
        Positions; they may repeat.

    Examples
    --------
    >>> take_rows(np.array([[1.0], [2.0], [3.0]]), [2, 2, 0])
    array([[3.],
           [3.],
           [1.]])
    """
    if hasattr(table, "iloc"):
        return table.iloc[rows]
    return table.take(rows) if library_of(table) == "pyarrow" else table[rows]


def replace_columns(table: Any, columns: Mapping[int, Any]) -> Any:
    """The same table with other values in some of its columns.

    Parameters
    ----------
    table : table or ndarray (n, d)
    columns : mapping of int to ndarray (n,) or column of the same library
        Values by the position of the column.

    Returns
    -------
    table or ndarray (n, d)
        Of the same library with the same names; the one given is left as it is.

    Examples
    --------
    >>> import pandas as pd
    >>> replace_columns(pd.DataFrame({"size": [1, 2], "town": ["Aa", "Bé"]}), {0: np.array([0.5, 1.5])})
       size town
    0   0.5   Aa
    1   1.5   Bé
    """
    return _REPLACE.get(library_of(table), _replace_in_array)(table, columns)


def _replace_in_pandas(table: Any, columns: Mapping[int, Any]) -> Any:
    table = table.copy()
    for j, values in columns.items():
        table.isetitem(j, getattr(values, "array", values))  # a series would be aligned by its index
    return table


def _replace_in_polars(table: Any, columns: Mapping[int, Any]) -> Any:
    series = type(table.to_series(0))
    return table.with_columns([series(table.columns[j], values) for j, values in columns.items()])


def _replace_in_arrow(table: Any, columns: Mapping[int, Any]) -> Any:
    import pyarrow

    for j, values in columns.items():
        values = values if library_of(values) == "pyarrow" else pyarrow.array(values)
        table = table.set_column(j, table.column_names[j], values)
    return table


def _replace_in_array(table: Any, columns: Mapping[int, Any]) -> Any:
    table = table.astype(float if table.dtype.kind in "iufb" else object)
    for j, values in columns.items():
        table[:, j] = values
    return table


_Replace = Callable[[Any, Mapping[int, Any]], Any]
_REPLACE: dict[str, _Replace] = {
    "pandas": _replace_in_pandas,
    "polars": _replace_in_polars,
    "pyarrow": _replace_in_arrow,
}
