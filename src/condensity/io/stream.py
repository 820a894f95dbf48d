"""Tables that need not fit into memory: read and written in batches, as Parquet, Arrow or CSV. '-' is stdin or stdout."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

from condensity.io.copies import on_disk
from condensity.io.read import TableError, one_line, refuse_duplicates, require_column, sniff_format
from condensity.persistence import Replacement, check_writable

__all__ = ["RowProgress", "TableReader", "TableWriter", "naming_rows", "on_disk"]

#: A function of the rows done and, where the file tells, their number.
RowProgress = Callable[[int, int | None], object]

#: Rows of a batch: enough for the kernels, and half a megabyte for each column.
BATCH_ROWS = 2**16

#: Bytes of CSV that are parsed at a time.
CSV_BLOCK = 2**23

#: Bytes from which the format of a file is told.
SNIFF_BYTES = 4096


class TableReader:
    """Some columns of a table on disk, read in batches.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    names : list of str
        Of all columns.
    n_rows : int or None
        None where the file does not tell.

    Raises
    ------
    TableError
        If the file cannot be read, or names a column twice.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow
    >>> from pyarrow import csv
    >>> from condensity.io.stream import TableReader
    >>> homes = pyarrow.table({"area": [80, 120], "town": ["Bern", "Genf"], "price": [1.2, 2.5]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "homes.csv"
    ...     csv.write_csv(homes, path)
    ...     reader = TableReader(path)
    ...     types = reader.types_of(["area", "price"])
    ...     [(len(batch), batch.column_names) for batch in reader.batches(types)]
    [(2, ['area', 'price'])]
    """

    def __init__(self, path: str | PathLike[str]):
        self.path = Path(path)
        _, self.kind = sniff_format(path, SNIFF_BYTES)
        self.n_rows: int | None = None
        try:
            self.schema = self._schema()
        except (OSError, ValueError) as error:
            raise TableError(f"cannot read {str(path)!r} as {self.kind}: {one_line(error)}") from error
        self.names = list(self.schema.names)
        refuse_duplicates(self.names, path)

    def types_of(self, wanted: Sequence[str], keep: Sequence[str] = (), texts: Sequence[str] = ()) -> dict[str, Any]:
        """Columns to read and their Arrow types, those to keep first.

        Parameters
        ----------
        wanted : sequence of str
            Columns of a model. In CSV, those whose first block has numbers are float64, since later blocks may have fractions.
        keep : sequence of str
            Columns that pass through with the types of the file.
        texts : sequence of str
            Columns of a model that are text.

        Raises
        ------
        TableError
            If a column is missing.
        """
        for name in (*keep, *wanted):
            require_column(self.names, name)
        types = {name: self.schema.field(name).type for name in dict.fromkeys((*keep, *wanted))}
        if self.kind == "CSV":
            types.update((name, _csv_type(types[name], text=name in texts)) for name in wanted)
        return types

    def batches(self, types: dict[str, Any]) -> Iterator[Any]:
        """Tables of the columns in `types`, of these types in CSV; `BATCH_ROWS` rows or fewer each, none of them empty.

        Raises
        ------
        TableError
            If the file cannot be read to its end.
        """
        import pyarrow

        try:
            for batch in self._read(types):
                for start in range(0, len(batch), BATCH_ROWS):
                    yield pyarrow.Table.from_batches([batch.slice(start, BATCH_ROWS)]).select(list(types))
        except (pyarrow.ArrowException, OSError) as error:
            raise TableError(f"cannot read {str(self.path)!r} as {self.kind}: {one_line(error)}") from error

    def _schema(self) -> Any:
        if self.kind == "Parquet":
            with self._parquet() as file:
                self.n_rows = file.metadata.num_rows
                return file.schema_arrow
        if self.kind == "CSV":
            return self._csv().schema
        with self._ipc() as reader:
            return reader.schema

    def _read(self, types: dict[str, Any]) -> Iterator[Any]:
        if self.kind == "Parquet":
            with self._parquet() as file:
                yield from file.iter_batches(BATCH_ROWS, columns=list(types), use_threads=False)
        elif self.kind == "CSV":
            yield from self._csv(types)
        else:
            with self._ipc() as reader:
                parts = map(reader.get_batch, range(reader.num_record_batches)) if self.kind == "Arrow" else reader
                yield from parts

    def _parquet(self) -> Any:
        from pyarrow import parquet

        # What is prefetched is kept until the file is closed: 1.5 GB of a table of 5·10⁷ rows.
        return parquet.ParquetFile(self.path, pre_buffer=False)

    def _csv(self, types: dict[str, Any] | None = None) -> Any:
        from pyarrow import csv

        wanted = {} if types is None else {"column_types": types, "include_columns": list(types)}
        return csv.open_csv(
            self.path,
            read_options=csv.ReadOptions(block_size=CSV_BLOCK, use_threads=False),
            convert_options=csv.ConvertOptions(strings_can_be_null=True, **wanted),
        )

    def _ipc(self) -> Any:
        import pyarrow

        source = pyarrow.OSFile(str(self.path))  # not mapped: a file that others shorten would end the process
        return pyarrow.ipc.open_file(source) if self.kind == "Arrow" else pyarrow.ipc.open_stream(source)


def _csv_type(kind: Any, *, text: bool) -> Any:
    """Arrow type in which a model's column is read, from that of its first block."""
    import pyarrow
    from pyarrow import types

    if text:
        return pyarrow.string()
    return pyarrow.float64() if types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind) else kind


class TableWriter:
    """A table written in batches: a file by its ending (.parquet, .arrow, .feather, .csv), complete or absent; or CSV on stdout.

    Parameters
    ----------
    path : path-like or '-'
    names : sequence of str
        Columns of float64, after those of `kept`.
    kept : dict of str to pyarrow.DataType
        Columns that come first, and their types.

    Raises
    ------
    OSError
        If the file cannot be written.
    """

    def __init__(self, path: str | PathLike[str], names: Sequence[str], kept: dict[str, Any]):
        import pyarrow

        self.schema = pyarrow.schema([*kept.items(), *((name, pyarrow.float64()) for name in names)])
        self.replacement = None if str(path) == "-" else Replacement(check_writable(path))
        self.stream = _stdout() if self.replacement is None else self.replacement.stream
        try:
            self.writer = self._writer("" if self.replacement is None else self.replacement.path.suffix.lower())
        except BaseException:
            self._discard()
            raise

    def _writer(self, ending: str) -> Any:
        from pyarrow import csv, ipc, parquet

        if ending in (".parquet", ".pq"):
            return parquet.ParquetWriter(self.stream, self.schema)
        if ending in (".arrow", ".feather", ".ipc"):
            return ipc.new_file(self.stream, self.schema)
        return csv.CSVWriter(self.stream, self.schema)

    def write(self, table: Any) -> None:
        """Append a table (pyarrow.Table) of the same columns."""
        self.writer.write_table(table.cast(self.schema))

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, failed: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.writer.close()
            if self.replacement is None:
                self.stream.flush()
            elif failed is None:
                self.replacement.commit()
        finally:
            self._discard()

    def _discard(self) -> None:
        if self.replacement is not None:
            self.replacement.discard()


def _stdout() -> Any:
    if sys.stdout is None:
        raise OSError("stdout is closed; give a file in place of '-'.")
    return sys.stdout.buffer


@contextmanager
def naming_rows(first_row: int, n_rows: int) -> Iterator[None]:
    """Precede errors about a batch, which count its rows from 0, by the rows of the table that it has.

    Parameters
    ----------
    first_row, n_rows : int
        Of the batch. Errors of the first batch stay as they are.

    Raises
    ------
    TableError
        For every ValueError inside.

    Examples
    --------
    >>> from condensity.io.stream import naming_rows
    >>> with naming_rows(65536, 1000):
    ...     raise ValueError("y is missing in row 3.")
    Traceback (most recent call last):
    condensity.io.read.TableError: rows 65536 to 66535: y is missing in row 3.
    """
    try:
        yield
    except ValueError as error:
        if not first_row:
            raise
        raise TableError(f"rows {first_row} to {first_row + n_rows - 1}: {error}") from error
