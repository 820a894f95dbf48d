"""Doors for tables: whatever a user gives becomes a pandas, polars or Arrow table, or an array, or is refused with what to call.

Types are recognised by what they can do, never by the name of their library: subclasses count as their base, and other tables
come in by the Arrow PyCapsule interface, the DataFrame interchange protocol or `to_native` of narwhals.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import issparse

from condensity.data.frame import holds_objects, is_frame, library_of, load_pyarrow
from condensity.missing import unmasked

#: Methods of tables without values of their own, or without a protocol, that give one that has them.
CONVERSIONS = ("toPandas", "to_pandas", "compute", "collect", "execute")


def open_table(name: str, values: Any) -> Any:
    """The pandas, polars or Arrow table, series or array, or the array-like, that is behind any values.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    values : anything

    Returns
    -------
    object
        Arrays and lists come back as they are, masked ones with NaN where they are masked.

    Raises
    ------
    TypeError
        For lazy tables, dicts, record arrays, lists of dicts and unknown tables, with what to call.
    ModuleNotFoundError
        For a table that only pyarrow can open, where it is not installed.

    Examples
    --------
    >>> import pyarrow
    >>> type(open_table("X", pyarrow.record_batch({"size": [1.0, 2.0]})))
    <class 'pyarrow.lib.Table'>
    """
    if type(values) is np.ndarray and values.dtype.names is None:
        return values
    library = library_of(values)
    if library is not None:
        return _whole(values) if library == "pyarrow" else values
    if hasattr(values, "collect"):
        _refuse(name, values, "is lazy and has no values yet", f"call {name}.{_conversion_of(values)}() first")
    if hasattr(values, "to_native"):
        return open_table(name, values.to_native())
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return _from_capsule(values)
    if hasattr(values, "__dataframe__"):
        load_pyarrow(name, values)
        from pyarrow.interchange import from_dataframe

        return from_dataframe(values)
    _refuse_records(name, values)
    return unmasked(values)


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
    TypeError
        As for `open_table`.

    Examples
    --------
    >>> as_table("X", [[1, 2.5], [3, 4]]).shape
    (2, 2)
    """
    values = open_table(name, values)
    if is_frame(values):
        return values
    if library_of(values) is not None:
        refuse_series(name, values)
    array = np.asarray(values)
    if array.dtype.kind not in "iufb" and holds_objects(values):
        array = np.asarray(values, dtype=object)  # text and numbers would all become text
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (n, d), rows and columns; got {array.shape}.")
    return array


def _whole(values: Any) -> Any:
    """An Arrow table of a record batch; other Arrow values as they are."""
    import pyarrow

    return pyarrow.Table.from_batches([values]) if isinstance(values, pyarrow.RecordBatch) else values


def _from_capsule(values: Any) -> Any:
    """An Arrow table, or array, by the PyCapsule interface."""
    pyarrow = load_pyarrow("the table", values)
    try:
        return pyarrow.table(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, TypeError, ValueError):  # a column, not a table of columns
        return (pyarrow.chunked_array if hasattr(values, "__arrow_c_stream__") else pyarrow.array)(values)


def _refuse_records(name: str, values: Any) -> None:
    """Refuse what holds names beside its values but is no table."""
    make = f"make a table of it, for example pandas.DataFrame({name})"
    if isinstance(values, Mapping) and not issparse(values):  # some sparse matrices are dicts
        _refuse(name, values, "is a dict and no table", make)
    if getattr(getattr(values, "dtype", None), "names", None):
        _refuse(name, values, "is a record array and no table", make)
    if isinstance(values, (list, tuple)) and len(values) and isinstance(values[0], Mapping):
        _refuse(name, values, "is a list of dicts and no table", make)
    if hasattr(values, "columns") and hasattr(values, "dtypes"):
        method = _conversion_of(values)
        call = f"call {name}.{method}() first" if method else make
        _refuse(name, values, "is a table of a kind that is not known here", call)


def _conversion_of(values: Any) -> str | None:
    return next((method for method in CONVERSIONS if callable(getattr(values, method, None))), None)


def _refuse(name: str, values: Any, problem: str, remedy: str) -> NoReturn:
    raise TypeError(f"{name} {problem} ({type(values).__name__}); {remedy}.")


def refuse_series(name: str, values: Any) -> NoReturn:
    """Refuse a series or an Arrow array where a table is needed.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    values : series or Arrow array (n,)

    Raises
    ------
    ValueError
    """
    kind = f"{name} must be a table, and is a {type(values).__name__} of one dimension"
    if library_of(values) == "pyarrow":
        raise ValueError(f"{kind}; write pyarrow.table({{'x': {name}}}) for a table of one column.")
    row = f", or {name}.to_frame().T if it is one row" if library_of(values) == "pandas" else ""
    raise ValueError(f"{kind}; write {name}.to_frame() for a table of one column{row}.")


def masked_columns(values: Any) -> np.ndarray | None:
    """Columns (d,) of a masked array (n, d) with a value that is masked; None where nothing is, or for anything else.

    Parameters
    ----------
    values : anything
    """
    if not isinstance(values, np.ma.MaskedArray) or values.ndim != 2 or not np.ma.is_masked(values):
        return None
    return np.asarray(np.ma.getmaskarray(values).any(axis=0))


def refuse_mask(name: str, values: Any, remedy: str) -> None:
    """Refuse a masked array in which a value is masked.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    values : anything
    remedy : str
        Advice, for the end of the sentence.

    Raises
    ------
    ValueError
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        mask = np.asarray(np.ma.getmaskarray(values).reshape(len(values), -1).any(axis=1))
        raise ValueError(
            f"{name} is a masked array and has masked, that is missing, values in {int(mask.sum())} of {len(mask)} rows, the "
            f"first of them row {int(np.argmax(mask))}; {remedy}."
        )
