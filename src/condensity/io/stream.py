"""Tables that need not fit into memory, read and written in batches. '-' is stdin or stdout."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from types import TracebackType
from typing import Any, NamedTuple

from condensity.io.binary import ArrowFile, ParquetFiles
from condensity.io.columns import TextColumns
from condensity.io.compression import DECOMPRESSION_ERRORS, open_compressed
from condensity.io.copies import on_disk
from condensity.io.errors import TableError, one_line
from condensity.io.kinds import open_source, sniff_format
from condensity.io.options import NO_OPTIONS, ReadingOptions
from condensity.io.outputs import output_format
from condensity.io.read import refuse_duplicates, require_column
from condensity.persistence import Replacement, check_writable

__all__ = ["Batch", "RowProgress", "TableReader", "TableWriter", "display_name", "naming_rows", "on_disk", "read_table"]

#: A function of the rows done and, where the file tells, their number.
RowProgress = Callable[[int, int | None], object]

#: Rows of a batch: enough for the kernels, and half a megabyte for each column.
BATCH_ROWS = 2**16


class Batch(NamedTuple):
    """Rows of a table.

    Attributes
    ----------
    values : pyarrow.Table
        Columns as a model takes them: numbers as float64, words as text; those of Parquet and Arrow with their own types.
    kept : pyarrow.Table
        Columns that pass through, as they are in the file: those of text files are text.
    """

    values: Any
    kept: Any

    def parts(self, n_rows: int) -> "Iterator[Batch]":
        """Slices of `n_rows` rows but for the last."""
        for start in range(0, len(self.values), n_rows):
            yield Batch(self.values.slice(start, n_rows), self.kept.slice(start, n_rows))


class TableReader:
    r"""Some columns of a table on disk, read in batches.

    Parameters
    ----------
    path : path-like
        Of a CSV, JSON lines, Excel, Parquet or Arrow file, text compressed or not; or of a folder of Parquet files, or a pattern
        of their names. The content decides which it is.
    options : ReadingOptions
        How a text file is written, where its first block does not show it.
    file : str, optional
        What messages call it; the path by default.

    Attributes
    ----------
    names : list of str
        Of all columns.
    n_rows : int or None
        None where the file does not tell.

    Raises
    ------
    TableError
        If the file cannot be read, is empty, or names a column twice.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from condensity.io.stream import TableReader
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "homes.csv"
    ...     _ = path.write_text("id;area;town;price\n007;80;Bern;1,2\n008;?;Genf;2,5\n", encoding="utf-8")
    ...     reader = TableReader(path, file="homes.csv")
    ...     batches = list(reader.batches(["area", "town", "price"], keep=["id"]))
    >>> batches[0].values.to_pylist()
    [{'area': 80.0, 'town': 'Bern', 'price': 1.2}, {'area': None, 'town': 'Genf', 'price': 2.5}]
    >>> batches[0].kept.to_pylist()
    [{'id': '007'}, {'id': '008'}]
    >>> print(reader.decisions)
    homes.csv: semicolons, decimal commas; area: numbers, 1 cell '?' read as missing; numbers: price; categories: town
    """

    def __init__(self, path: str | PathLike[str], options: ReadingOptions = NO_OPTIONS, file: str | None = None):
        self.file, self.options = repr(str(path)) if file is None else file, options
        self.kind = sniff_format(path, self.file)
        with self._named_errors():
            self._source = open_source(path, self.kind, options, self.file)
        self._schema: Any = self._source.schema if isinstance(self._source, (ParquetFiles, ArrowFile)) else None
        self.n_rows: int | None = self._source.n_rows if isinstance(self._source, ParquetFiles) else None
        self.names: list[str] = list(self._source.names)
        self._columns: TextColumns | None = None
        refuse_duplicates(self.names, self.file)

    def kept_types(self, keep: Sequence[str]) -> dict[str, Any]:
        """Arrow types of the columns to `keep`: text for a text file, else those of the file."""
        import pyarrow

        if self._schema is None:
            return dict.fromkeys(keep, pyarrow.string())
        return {name: self._schema.field(name).type for name in keep}

    def batches(
        self,
        wanted: Sequence[str],
        *,
        texts: Sequence[str] = (),
        numbers: Sequence[str] = (),
        keep: Sequence[str] = (),
    ) -> Iterator[Batch]:
        """Rows of the table, `BATCH_ROWS` or fewer each, none of them empty.

        Parameters
        ----------
        wanted : sequence of str
            Columns as a model takes them. Those that are neither `texts` nor `numbers` are judged by a text file's first block.
        texts, numbers : sequence of str
            Columns among them that are categories, whatever they hold, and columns that must be numbers.
        keep : sequence of str
            Columns that pass through.

        Raises
        ------
        TableError
            If a column is missing, or the file cannot be read to its end.
        """
        import pyarrow

        for name in (*keep, *wanted):
            require_column(self.names, name)
        wanted, first_row = list(dict.fromkeys(wanted)), 0
        columns = list(dict.fromkeys((*keep, *wanted)))
        with self._named_errors():
            for part in self._source.batches(columns):
                block = part if isinstance(part, pyarrow.Table) else pyarrow.Table.from_batches([part])
                values, kept = self._values(block, wanted, texts, numbers, first_row), block.select(list(keep))
                yield from Batch(values, kept).parts(BATCH_ROWS)
                first_row += len(block)

    def _values(
        self, block: Any, wanted: Sequence[str], texts: Sequence[str], numbers: Sequence[str], first_row: int
    ) -> Any:
        """Columns of a block as a model takes them; the first block of a text file decides what they are."""
        if isinstance(self._source, (ParquetFiles, ArrowFile)):
            return block.select(list(wanted))
        if not first_row:
            self._columns = TextColumns(
                block,
                wanted,
                texts,
                numbers,
                separator=self._source.separator,
                options=self.options,
                file=self.file,
            )
        return block.select([]) if self._columns is None else self._columns.read(block, first_row)

    def read(self, wanted: Sequence[str], *, texts: Sequence[str] = (), numbers: Sequence[str] = ()) -> Any:
        """All rows of the columns `wanted` as a pyarrow.Table; parameters and errors as for `batches`."""
        import pyarrow

        parts = [batch.values for batch in self.batches(wanted, texts=texts, numbers=numbers)]
        if parts:
            return pyarrow.concat_tables(parts)
        types = dict.fromkeys(wanted, pyarrow.null()) if self._schema is None else self.kept_types(wanted)
        return pyarrow.schema(list(types.items())).empty_table()

    @property
    def decisions(self) -> str:
        """What was found out about a text file and its columns while it was read, in one line; '' for other files."""
        if self._columns is None or isinstance(self._source, (ParquetFiles, ArrowFile)):
            return ""
        layout = self._source.layout + (", decimal commas" if self._columns.style.decimal == "," else "")
        return "; ".join([f"{self.file}: {layout}", *self._columns.decisions])

    @property
    def surprises(self) -> str:
        """The decisions, if one is not plain: cells read as missing, lines left out, decimal commas; else ''."""
        if self._columns is None or isinstance(self._source, (ParquetFiles, ArrowFile)):
            return ""
        is_plain = not self._columns.has_surprises and "left out" not in self._source.layout
        return "" if is_plain else self.decisions

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Errors of reading as a `TableError` that names the file."""
        import pyarrow

        try:
            yield
        except TableError:
            raise
        except (pyarrow.ArrowException, OSError, ValueError, *DECOMPRESSION_ERRORS) as error:
            raise TableError(f"cannot read {self.file} as {self.kind}: {one_line(error)}") from error


def read_table(
    path: str | PathLike[str],
    options: ReadingOptions = NO_OPTIONS,
    *,
    texts: Sequence[str] = (),
    file: str | None = None,
) -> Any:
    """All columns of a table as a pyarrow.Table, those of a text file judged by its first block; errors as for `TableReader`.

    Parameters
    ----------
    path : path-like
    options : ReadingOptions
    texts : sequence of str
        Columns that are categories, whatever they hold.
    file : str, optional
        What messages call it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow
    >>> from pyarrow import csv
    >>> from condensity.io.stream import read_table
    >>> homes = pyarrow.table({"area": [80, 120], "town": ["Bern", "Genf"], "price": [1.2, 2.5]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "homes.csv"
    ...     csv.write_csv(homes, path)
    ...     table = read_table(path)
    >>> table.column_names, table.num_rows
    (['area', 'town', 'price'], 2)
    """
    reader = TableReader(path, options, file)
    return reader.read(reader.names, texts=texts)


class TableWriter:
    """A table written in batches: a file by its ending, complete or absent; or CSV on stdout.

    Parquet (.parquet, .pq), Arrow (.arrow, .feather, .ipc), text with commas (.csv, .txt or none) or tabs (.tsv, .tab); text may
    be compressed (.csv.gz, .bz2, .xz, .zst).

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
    TableError
        For an ending that says another format.
    """

    def __init__(self, path: str | PathLike[str], names: Sequence[str], kept: dict[str, Any]):
        import pyarrow

        self.schema = pyarrow.schema([*kept.items(), *((name, pyarrow.float64()) for name in names)])
        kind, compression = ("csv", "") if str(path) == "-" else output_format(path)
        self.replacement = None if str(path) == "-" else Replacement(check_writable(path))
        self.stream = _stdout() if self.replacement is None else self.replacement.stream
        try:
            self.packed = open_compressed(self.stream, compression)
            self.writer = self._writer(kind)
        except BaseException:
            self._discard()
            raise

    def _writer(self, kind: str) -> Any:
        from pyarrow import csv, ipc, parquet

        if kind == "parquet":
            return parquet.ParquetWriter(self.packed, self.schema)
        if kind == "arrow":
            return ipc.new_file(self.packed, self.schema)
        options = csv.WriteOptions(delimiter="\t" if kind == "tsv" else ",")
        return csv.CSVWriter(self.packed, self.schema, write_options=options)

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
            if self.packed is not self.stream:
                self.packed.close()
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


def display_name(data: str) -> str:
    """The table at the path `data`, or '-' for stdin, as messages call it."""
    return "stdin" if data == "-" else repr(data)


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
    condensity.io.errors.TableError: rows 65536 to 66535: y is missing in row 3.
    """
    try:
        yield
    except ValueError as error:
        if not first_row:
            raise
        raise TableError(f"rows {first_row} to {first_row + n_rows - 1}: {error}") from error
