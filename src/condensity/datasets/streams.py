"""Tables that need not fit into memory: read and written in batches, as Parquet, Arrow or CSV. '-' is stdin or stdout."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from condensity.datasets.tables import TableError, one_line, require_column
from condensity.persistence import check_writable
from condensity.persistence.atomic import beside

#: Rows that are answered at a time: long enough for the kernels, and a megabyte a column.
BATCH_ROWS = 2**16

#: Bytes of CSV that are parsed at a time.
CSV_BLOCK = 2**23


class Source:
    """A table on disk of which some columns are wanted.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path):
        self.path, self.kind = Path(path), _kind_of(path)
        self.n_rows: int | None = None
        try:
            self.names = self._look()
        except (OSError, ValueError) as error:
            raise TableError(f"cannot read {str(path)!r} as {self.kind}: {one_line(error)}") from error

    def batches(self, columns: Sequence[str], texts: Sequence[str] = ()) -> Iterator[Any]:
        """Tables of the wanted columns, `BATCH_ROWS` rows or fewer each, none of them empty.

        Parameters
        ----------
        columns : sequence of str
        texts : sequence of str
            Those that are text; CSV does not say.

        Raises
        ------
        TableError
            If a column is missing, or the file cannot be read to its end.
        """
        import pyarrow

        for name in columns:
            require_column(self.names, name)
        try:
            for batch in self._read(list(columns), set(texts)):
                for start in range(0, len(batch), BATCH_ROWS):
                    yield pyarrow.Table.from_batches([batch.slice(start, BATCH_ROWS)]).select(list(columns))
        except (pyarrow.ArrowException, OSError) as error:
            raise TableError(f"cannot read {str(self.path)!r} as {self.kind}: {one_line(error)}") from error

    def schema_of(self, columns):
        """Names and types of some columns, as `batches` gives them."""
        import pyarrow

        for name in columns:
            require_column(self.names, name)
        if not columns:
            return pyarrow.schema([])
        return (
            self._csv(columns).schema
            if self.kind == "CSV"
            else pyarrow.schema([self.schema.field(name) for name in columns])
        )

    def _look(self) -> list[str]:
        if self.kind == "Parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(self.path) as file:
                self.n_rows, self.schema = file.metadata.num_rows, file.schema_arrow
        elif self.kind == "CSV":
            self.schema = self._csv().schema
        else:
            with self._ipc() as reader:
                self.schema = reader.schema
        return list(self.schema.names)

    def _read(self, columns, texts):
        if self.kind == "Parquet":
            from pyarrow import parquet

            # What is prefetched is kept until the file is closed: 1.5 GB of a table of 5·10⁷ rows.
            with parquet.ParquetFile(self.path, pre_buffer=False) as file:
                yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)
        elif self.kind == "CSV":
            yield from self._csv(columns, texts)
        else:
            with self._ipc() as reader:
                some = range(reader.num_record_batches) if hasattr(reader, "num_record_batches") else None
                yield from (reader.get_batch(i) for i in some) if some else reader

    def _csv(self, columns=None, texts=()):
        """A reader of batches; numbers are float64 throughout, since the first block says little of those behind it."""
        import pyarrow
        from pyarrow import csv

        read = csv.ReadOptions(block_size=CSV_BLOCK, use_threads=False)
        if columns is None:
            return csv.open_csv(self.path, read_options=read)
        first = csv.open_csv(self.path, read_options=read).schema
        kinds = {}
        for name in columns:
            kind = first.field(name).type
            numeric = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_null(kind)
            kinds[name] = pyarrow.string() if name in texts else pyarrow.float64() if numeric else kind
        convert = csv.ConvertOptions(column_types=kinds, include_columns=columns, strings_can_be_null=True)
        return csv.open_csv(self.path, read_options=read, convert_options=convert)

    def _ipc(self):
        import pyarrow

        source = pyarrow.memory_map(str(self.path))
        return pyarrow.ipc.open_file(source) if self.kind == "Arrow" else pyarrow.ipc.open_stream(source)


class Sink:
    """Where batches go: a file by its ending (.parquet, .arrow, .feather, .csv), whole or not there at all; or CSV on stdout.

    Parameters
    ----------
    path : path-like or '-'
    names : sequence of str
        Columns, all float64 but those of `kept`.
    kept : pyarrow.Schema, optional
        Columns that come first, of types of their own.
    """

    def __init__(self, path, names, kept=None):
        import pyarrow

        fields = [] if kept is None else list(kept)
        self.schema = pyarrow.schema([*fields, *((name, pyarrow.float64()) for name in names)])
        self.path = None if str(path) == "-" else check_writable(path)
        self.temporary = None if self.path is None else beside(self.path)
        self.stream = sys.stdout.buffer if self.temporary is None else open(self.temporary, "xb")  # noqa: SIM115
        self.writer = self._writer("" if self.path is None else self.path.suffix.lower())

    def _writer(self, ending):
        from pyarrow import csv, ipc, parquet

        if ending in (".parquet", ".pq"):
            return parquet.ParquetWriter(self.stream, self.schema)
        if ending in (".arrow", ".feather", ".ipc"):
            return ipc.new_file(self.stream, self.schema)
        return csv.CSVWriter(self.stream, self.schema)

    def write(self, table):
        """Append a table of the sink's columns."""
        self.writer.write_table(table.cast(self.schema))

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        try:
            self.writer.close()
            if self.temporary is None:
                self.stream.flush()
            else:
                self.stream.close()
                if failed is None and self.path is not None:
                    self.temporary.replace(self.path)
        finally:
            if self.temporary is not None:
                self.temporary.unlink(missing_ok=True)


@contextmanager
def opened(path) -> Iterator[Source]:
    """A `Source`; stdin, for '-', is first copied into a temporary file, since not every format can be read from a pipe."""
    if str(path) != "-":
        yield Source(path)
        return
    with tempfile.TemporaryDirectory(prefix="condensity-") as folder:
        copy = Path(folder) / "stdin"
        with open(copy, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 2**20)
        yield Source(copy)


def _kind_of(path) -> str:
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise TableError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error
    if not start.strip():
        raise TableError(f"{str(path)!r} is empty; expected a header line and rows of numbers.")
    if start[:4] == b"PAR1":
        return "Parquet"
    if start[:6] == b"ARROW1":
        return "Arrow"
    if start[:4] == b"\xff\xff\xff\xff":
        return "Arrow stream"
    if b"\0" in start:
        raise TableError(f"{str(path)!r} is neither Parquet, Arrow nor CSV text; save it as CSV in UTF-8.")
    return "CSV"
