"""Formats of a user's file, told by its content."""

from os import PathLike
from pathlib import Path
from typing import Any

from condensity.io.binary import ArrowFile, ParquetFiles, is_pattern
from condensity.io.compression import DECOMPRESSION_ERRORS, compression_of, is_workbook, open_decompressed
from condensity.io.errors import TableError, one_line
from condensity.io.options import ReadingOptions
from condensity.io.text import DelimitedText, JsonLines, TextSource, Workbook

#: Bytes from which a format is told.
HEAD_BYTES = 4096

#: First bytes of formats.
SIGNATURES = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"\xff\xff\xff\xff": "Arrow stream"}

#: First bytes of formats that are not read, and what to do.
REFUSED = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind (.xls); save it as .xlsx or CSV",
    b"\x89HDF": "an HDF5 file; save it as Parquet or CSV",
    b"SQLite format 3": "an SQLite database; save the table as Parquet or CSV",
    b"\x93NUMPY": "a NumPy array; save it as CSV or Parquet, with names of columns",
    b"%PDF": "a PDF; save the table as CSV",
    b"[{": "a JSON array; write one object a line (.jsonl), without brackets",
    b"<!": "HTML or XML; save the table as CSV",
    b"<?xml": "HTML or XML; save the table as CSV",
    b"<html": "HTML or XML; save the table as CSV",
    b"<table": "HTML or XML; save the table as CSV",
}


def sniff_format(path: str | PathLike[str], file: str) -> str:
    """'Parquet', 'Arrow', 'Arrow stream', 'Excel', 'JSON lines' or 'CSV', for a `path` that messages call `file`.

    Raises
    ------
    TableError
        If the file cannot be read, is empty, or is none of these.
    """
    if Path(path).is_dir() or is_pattern(path):
        return "Parquet"
    try:
        with open(path, "rb") as stream:
            head = stream.read(HEAD_BYTES)
        compression = compression_of(head)
        if compression == "zip" and is_workbook(path):
            return "Excel"
        if compression:
            with open_decompressed(path) as stream:
                head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise TableError(f"cannot read {file}: {error.strerror or one_line(error)}.") from error
    except DECOMPRESSION_ERRORS as error:
        raise TableError(f"cannot read {file}: it is a damaged archive: {one_line(error)}") from error
    kind = _format_of(head, file)
    if compression and kind in SIGNATURES.values():
        raise TableError(f"{file} is {kind} within {compression}; unpack it first: {kind} has compression of its own.")
    return kind


def _format_of(head: bytes, file: str) -> str:
    if not head.strip():
        raise TableError(f"{file} is empty; expected a header line and rows of numbers.")
    for start, kind in SIGNATURES.items():
        if head.startswith(start):
            return kind
    for start, kind in REFUSED.items():
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(start):
            raise TableError(f"{file} is {kind}.")
    return "JSON lines" if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "CSV"


def open_source(
    path: str | PathLike[str], kind: str, options: ReadingOptions, file: str
) -> TextSource | ParquetFiles | ArrowFile:
    """The table at `path`, of a format `kind`, that messages call `file`; text as the `options` say."""
    if kind == "Parquet":
        return ParquetFiles(path)
    if kind in ("Arrow", "Arrow stream"):
        return ArrowFile(path, is_stream=kind == "Arrow stream")
    sources: dict[str, Any] = {"Excel": Workbook, "JSON lines": JsonLines, "CSV": DelimitedText}
    return sources[kind](path, options, file)
