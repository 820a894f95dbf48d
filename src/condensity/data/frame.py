"""One notion of a table: pandas, polars and Arrow tables and NumPy arrays, by their rows and columns.

None of the table libraries is imported at the top: a table brings its own.
"""

import sys
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from condensity.data.names import name_text

#: Types of the values that each library brings, where it is imported.
TYPES = {
    "pandas": ("DataFrame", "Series", "Index", "api.extensions.ExtensionArray"),
    "polars": ("DataFrame", "Series"),
    "pyarrow": ("Table", "RecordBatch", "Array", "ChunkedArray"),
}


def library_of(table: object) -> str | None:
    """'pandas', 'polars' or 'pyarrow', if a table or column is of one of them or of a subclass; else None.

    Parameters
    ----------
    table : object

    Examples
    --------
    >>> import pandas as pd
    >>> library_of(pd.DataFrame({"size": [1.0]})), library_of(np.zeros((2, 3)))
    ('pandas', None)
    """
    if type(table) is np.ndarray:
        return None
    return next((name for name in TYPES if isinstance(table, _types_of(name))), None)


def _types_of(library: str) -> tuple[type, ...]:
    """Types of a library that is imported; none of another."""
    module = sys.modules.get(library)
    try:
        return tuple(attrgetter(name)(module) for name in TYPES[library]) if module is not None else ()
    except AttributeError:  # in the middle of its import
        return ()


def load_pyarrow(name: str, table: object) -> Any:
    """The module pyarrow, which opens tables of other libraries.

    Parameters
    ----------
    name : str
        The argument that needs it.
    table : object

    Raises
    ------
    ModuleNotFoundError
        With the package to install.
    """
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} is a {type(table).__name__}, which only pyarrow can open; install it: pip install pyarrow."
        ) from error
    return pyarrow


def is_frame(table: Any) -> bool:
    """Whether it is a table with named columns: pandas, polars or Arrow.

    Parameters
    ----------
    table : object
    """
    kind = type(table)  # asked of the type: a table of Arrow makes its list of names again at every look
    return library_of(table) is not None and (hasattr(kind, "column_names") or hasattr(kind, "columns"))


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
    return list(table.column_names if hasattr(type(table), "column_names") else table.columns)


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
        return [name_text(name) for name in column_names(table)]
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
    return table.column(j) if hasattr(type(table), "column_names") else table[:, j]


def all_columns(table: Any) -> list[Any]:
    """Columns (n,) of a pandas, polars or Arrow table, in time linear in their number.

    Parameters
    ----------
    table : pandas, polars or Arrow table (n, d)
    """
    if hasattr(table, "iloc"):
        return [column for _, column in table.items()]
    return list(table.columns if hasattr(type(table), "column_names") else table.get_columns())


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
    library = library_of(table)
    return (_replace_in_array if library is None else _REPLACE[library])(table, columns)


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
