"""A table of the user from a CSV, Parquet or Arrow file; errors are one line with the remedy.

Everything wrong with a file or its columns is a `TableError`, a ValueError.
"""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from os import PathLike
from typing import Any, NoReturn

import numpy as np

#: Names listed in an error, at most.
MAX_NAMES = 12

#: pyarrow's block size is an int32. A table is read as one block: types are guessed from the first one only.
MAX_BLOCK_BYTES = 2**31 - 1


class TableError(ValueError):
    """A table that cannot be used; the message is one line with the reason."""


def read_table(path: str | PathLike[str]) -> Any:
    """Read a CSV (UTF-8, comma-separated, one header line), Parquet or Arrow file; the content decides which it is.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    TableError
        If the file cannot be read, is none of these, is empty, or names a column twice.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow
    >>> from pyarrow import csv
    >>> from condensity.io.read import read_table
    >>> homes = pyarrow.table({"area": [80, 120], "town": ["Bern", "Genf"], "price": [1.2, 2.5]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "homes.csv"
    ...     csv.write_csv(homes, path)
    ...     table = read_table(path)
    >>> table.column_names, table.num_rows
    (['area', 'town', 'price'], 2)
    """
    import pyarrow

    content, kind = sniff_format(path)
    try:
        table = _parse(content, kind)
        names = table.column_names
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise TableError(f"cannot read {str(path)!r} as {kind}: {one_line(error)}") from error
    refuse_duplicates(names, path)
    return table


def sniff_format(path: str | PathLike[str], length: int = -1) -> tuple[bytes, str]:
    """First `length` bytes of the file at `path`, all by default, and its format: 'Parquet', 'Arrow', 'Arrow stream' or 'CSV'.

    Raises
    ------
    TableError
        If the file cannot be read, is empty, or is none of these.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(length)
    except OSError as error:
        raise TableError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error
    if not content.strip():
        raise TableError(f"{str(path)!r} is empty; expected a header line and rows of numbers.")
    for start, kind in ((b"PAR1", "Parquet"), (b"ARROW1", "Arrow"), (b"\xff\xff\xff\xff", "Arrow stream")):
        if content.startswith(start):
            return content, kind
    if b"\0" in content[:4096]:
        raise TableError(f"{str(path)!r} is neither Parquet, Arrow nor CSV text; save it as CSV in UTF-8.")
    return content, "CSV"


def features_and_target(table: Any, targets: Sequence[str], features: Sequence[str] | None = None) -> tuple[Any, Any]:
    """Split a table into the columns X, of any kind that models take, and the targets.

    Parameters
    ----------
    table : pyarrow.Table (n rows)
    targets : sequence of str
    features : sequence of str, optional
        All but the targets by default.

    Returns
    -------
    X : pyarrow.Table (n, d)
    y : pyarrow.Table (n, q)

    Raises
    ------
    TableError
        If a column is missing or named twice, or there are no rows.

    Examples
    --------
    >>> import pyarrow
    >>> from condensity.io.read import features_and_target
    >>> table = pyarrow.table({"area": [80.0, 120.0], "town": ["Bern", "Genf"], "price": [1.2, 2.5]})
    >>> X, y = features_and_target(table, ["price"])
    >>> X.column_names, y.column_names
    (['area', 'town'], ['price'])
    """
    for target in targets:
        require_column(table.column_names, target)
    names = [name for name in table.column_names if name not in targets] if features is None else list(features)
    for target in targets:
        _check_features(table, names, target)
    if table.num_rows == 0:
        raise TableError("the table has a header but no rows.")
    return table.select(names), table.select(list(targets))


def _parse(content: bytes, kind: str) -> Any:
    import pyarrow
    from pyarrow import csv, ipc, parquet

    if kind in ("Arrow", "Arrow stream"):
        open_table = ipc.open_file if kind == "Arrow" else ipc.open_stream
        return open_table(pyarrow.BufferReader(content)).read_all()
    if kind == "Parquet":
        table = parquet.read_table(pyarrow.BufferReader(content))
        # pandas keeps a row index that is not 0, 1, … as a column; it is bookkeeping, not a measurement.
        return table.drop_columns([name for name in table.column_names if re.fullmatch(r"__index_level_\d+__", name)])
    content += b"\n"  # a header without a line end is a header
    block = min(max(len(content), 1 << 16), MAX_BLOCK_BYTES)
    return csv.read_csv(
        pyarrow.BufferReader(content),
        read_options=csv.ReadOptions(block_size=block),
        convert_options=csv.ConvertOptions(strings_can_be_null=True),
    )


def one_line(error: Exception) -> str:
    """An error's text as one line of bounded length, ending in a full stop."""
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return f"{text[:200].rstrip('.')}."


def refuse_duplicates(names: Sequence[str], path: str | PathLike[str]) -> None:
    """Refuse columns of the same name among the `names` of the table at `path`, by a `TableError`."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        listed = ", ".join(map(repr, repeated[:MAX_NAMES]))
        raise TableError(f"{str(path)!r} has several columns of the same name: {listed}; rename them.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:MAX_NAMES]))
    return shown if len(names) <= MAX_NAMES else f"{shown} and {len(names) - MAX_NAMES} more"


def require_column(names: Sequence[str], name: str) -> None:
    """Refuse a column `name` that is not among the `names` of a table.

    Raises
    ------
    TableError
        With the names, and those that are spelled alike.
    """
    if name in names:
        return
    message = f"there is no column {name!r}; the columns are {_listed(names)}."
    close = _alike(name, names)
    if close:
        message += f" Did you mean {' or '.join(_told_apart(other, name) for other in close)}?"
    only = names[0] if len(names) == 1 else ""
    if re.search(r"[;\t]", only):
        message += " The values seem to be separated by semicolons or tabs; separate them by commas."
    raise TableError(message)


def _alike(name: str, names: Sequence[str]) -> list[str]:
    """Names that differ from one in case, blanks or the coding of letters alone; else those that are spelled alike."""
    same = [other for other in names if _plain(other) == _plain(name)]
    return same or difflib.get_close_matches(name, names, n=3)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _told_apart(name: str, other: str) -> str:
    """A name in quotes, by the numbers of its letters where it looks like the other."""
    looks_same = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)
    return f"{name!r}, which is {name!a} and not {other!a}" if looks_same else repr(name)


def _check_features(table: Any, names: list[str], target: str) -> None:
    for name in names:
        require_column(table.column_names, name)
        if name == target:
            raise TableError(f"column {name!r} is the target, so it cannot be a feature; leave it out of the features.")
        if names.count(name) > 1:
            raise TableError(f"feature {name!r} is named twice; name it once.")
    if not names:
        raise TableError(f"there is no feature: {target!r} is the only column; at least one other is needed.")


def numeric_column(table: Any, name: str) -> np.ndarray:
    """Column `name` of a table (pyarrow.Table) as float64 (n,).

    Raises
    ------
    TableError
        If it is not numeric, or has missing or infinite values.
    """
    import pyarrow
    from pyarrow import types

    column = table.column(name)
    if types.is_null(column.type):
        raise TableError(f"column {name!r} is empty: all {len(column)} values are missing; leave it out or fill it.")
    is_numeric = any(
        test(column.type) for test in (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    )
    if not is_numeric:
        _refuse_type(column, name)
    if types.is_boolean(column.type):
        column = column.cast(pyarrow.int8())
    values = np.asarray(column.cast(pyarrow.float64(), safe=False).to_numpy(), dtype=float)
    missing, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if missing:
        share = f"{missing} of {values.size} rows"
        raise TableError(f"column {name!r} has missing values in {share}; remove or fill them, or leave it out.")
    if infinite:
        share = f"{infinite} of {values.size} rows"
        raise TableError(f"column {name!r} is infinite in {share}; remove or replace those values.")
    return values


def _refuse_type(column: Any, name: str) -> NoReturn:
    values = (str(value) for value in column.drop_null().to_pylist())
    example = next((value for value in values if not _is_number(value)), "")
    raise TableError(
        f"column {name!r} is not numeric (it holds {column.type}, such as {example[:40]!r}); "
        "turn it into numbers or choose other columns (--target, --features)."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
