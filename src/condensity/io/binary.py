"""Tables whose columns have types: Parquet, one file or many, and Arrow."""

import glob
import re
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from condensity.io.errors import TableError

#: Rows of a batch that is read.
READ_ROWS = 2**16


class ParquetFiles:
    """Table in one Parquet file or in several, one after another.

    Parts of a path such as 'year=2024' below the folder are columns of text.

    Parameters
    ----------
    path : path-like
        Of a file, of a folder, or a pattern such as 'part-*.parquet'.

    Attributes
    ----------
    schema : pyarrow.Schema
    names : list of str
    n_rows : int

    Raises
    ------
    TableError
        If the files have different columns, or columns of types that do not go together.
    """

    def __init__(self, path: str | PathLike[str]):
        self.paths = parquet_paths(path)
        root = Path(path) if Path(path).is_dir() else None
        self._constants = [_parts_of_path(file, root) for file in self.paths]
        self.n_rows, schemas = 0, []
        for file in self.paths:
            with _open(file) as parquet:
                self.n_rows += parquet.metadata.num_rows
                schemas.append(parquet.schema_arrow.remove_metadata())
        self.schema = self._unified(schemas)
        self.names: list[str] = self.schema.names

    def _unified(self, schemas: Sequence[Any]) -> Any:
        import pyarrow

        for file, schema, constants in zip(self.paths, schemas, self._constants, strict=True):
            different = {*schemas[0].names, *self._constants[0]} ^ {*schema.names, *constants}
            if different:
                raise TableError(
                    f"{str(file)!r} and {str(self.paths[0])!r} have different columns: only one has {min(different)!r}."
                )
        try:
            schema = pyarrow.unify_schemas(schemas, promote_options="permissive") if len(schemas) > 1 else schemas[0]
        except pyarrow.ArrowException as error:
            raise TableError(f"the files of {str(self.paths[0].parent)!r} do not go together: {error}") from error
        # pandas keeps a row index that is not 0, 1, … as a column; it is bookkeeping, not a measurement.
        own = [field for field in schema if not re.fullmatch(r"__index_level_\d+__", field.name)]
        return pyarrow.schema([*own, *(pyarrow.field(name, pyarrow.string()) for name in self._constants[0])])

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Parts (pyarrow.RecordBatch) of the `columns`, in the order of the files."""
        import pyarrow

        types = pyarrow.schema([self.schema.field(name) for name in columns])
        for file, constants in zip(self.paths, self._constants, strict=True):
            with _open(file) as parquet:
                own = [name for name in columns if name not in constants]
                for batch in parquet.iter_batches(READ_ROWS, columns=own, use_threads=False):
                    arrays = [
                        pyarrow.repeat(constants[name], len(batch)) if name in constants else batch.column(name)
                        for name in columns
                    ]
                    yield pyarrow.RecordBatch.from_arrays(
                        [array.cast(field.type) for array, field in zip(arrays, types, strict=True)], schema=types
                    )


def _open(path: Path) -> Any:
    from pyarrow import parquet

    # What is prefetched is kept until the file is closed: 1.5 GB of a table of 5·10⁷ rows.
    return parquet.ParquetFile(path, pre_buffer=False)


def parquet_paths(path: str | PathLike[str]) -> list[Path]:
    """Files, in the order of their names, of a folder or a pattern; the `path` itself where it is a file.

    Raises
    ------
    TableError
        If there is none.
    """
    if Path(path).is_file():
        return [Path(path)]
    if Path(path).is_dir():
        files = [file for ending in ("parquet", "pq") for file in Path(path).rglob(f"*.{ending}")]
        files = [file for file in files if not file.relative_to(path).as_posix().startswith(("_", "."))]
    else:
        files = [Path(file) for file in glob.glob(str(path), recursive=True)]
    files = sorted(file for file in files if file.is_file() and not file.name.startswith(("_", ".")))
    if not files:
        kind = "is a directory without Parquet files" if Path(path).is_dir() else "matches no file"
        raise TableError(f"cannot read {str(path)!r}: it {kind}.")
    return files


def is_pattern(path: str | PathLike[str]) -> bool:
    """Whether a path that is no file is a pattern of several."""
    return not Path(path).exists() and glob.has_magic(str(path))


def _parts_of_path(file: Path, root: Path | None) -> dict[str, str]:
    parts = () if root is None else file.relative_to(root).parts[:-1]
    return dict(part.split("=", 1) for part in parts if "=" in part)


class ArrowFile:
    """Table in an Arrow file, or in an Arrow stream.

    Parameters
    ----------
    path : path-like
    is_stream : bool

    Attributes
    ----------
    schema : pyarrow.Schema
    names : list of str
    n_rows : None
        The file does not tell.
    """

    def __init__(self, path: str | PathLike[str], *, is_stream: bool):
        self.path, self.is_stream, self.n_rows = path, is_stream, None
        with self._open() as reader:
            self.schema = reader.schema
        self.names: list[str] = self.schema.names

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Parts (pyarrow.RecordBatch) of the table with the `columns`."""
        with self._open() as reader:
            parts = reader if self.is_stream else map(reader.get_batch, range(reader.num_record_batches))
            for batch in parts:
                yield batch.select(list(columns))

    def _open(self) -> Any:
        import pyarrow

        source = pyarrow.OSFile(str(self.path))  # not mapped: a file that others shorten would end the process
        return pyarrow.ipc.open_stream(source) if self.is_stream else pyarrow.ipc.open_file(source)
