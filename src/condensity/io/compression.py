"""Bytes of a user's file, decompressed; the first bytes tell what compressed it."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from os import PathLike
from typing import IO, Any

from condensity.io.errors import TableError

#: First bytes of compressed files.
SIGNATURES = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}

#: Errors of decompression, beside OSError.
DECOMPRESSION_ERRORS = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)

#: Endings of compressed output.
COMPRESSED_ENDINGS = (".gz", ".bz2", ".xz", ".zst")


def compression_of(head: bytes) -> str | None:
    """Name of what compressed a file with the first bytes `head`; None for a file that is not compressed."""
    return next((name for start, name in SIGNATURES.items() if head.startswith(start)), None)


def open_decompressed(path: str | PathLike[str]) -> IO[bytes]:
    """Open the file at `path` for reading, through what decompresses it.

    Raises
    ------
    OSError
    TableError
        For a zip archive of several files.
    """
    with open(path, "rb") as file:
        kind = compression_of(file.read(8))
    if kind == "zip":
        return _open_only_member(path)
    if kind == "zstd":
        import pyarrow

        return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")
    openers: dict[str | None, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    return openers.get(kind, open)(path, "rb")


def _open_only_member(path: str | PathLike[str]) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) != 1:
        listed = ", ".join(map(repr, names[:5]))
        raise TableError(f"{str(path)!r} holds {len(names)} files ({listed}); pack one table into a zip, or unpack it.")
    return archive.open(names[0])


def is_workbook(path: str | PathLike[str]) -> bool:
    """Whether the file at `path` is a spreadsheet in Excel's format of today, .xlsx."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def open_compressed(file: IO[bytes], ending: str) -> Any:
    """A stream that writes to an open `file` what the `ending` of its name says, of `COMPRESSED_ENDINGS`, or else as it is."""
    if ending == ".zst":
        import pyarrow

        return pyarrow.CompressedOutputStream(pyarrow.PythonFile(file, mode="w"), "zstd")
    if ending == ".gz":
        return gzip.GzipFile("", "wb", fileobj=file, mtime=0)
    openers: dict[str, Any] = {".bz2": bz2.open, ".xz": lzma.open}
    return openers[ending](file, "wb") if ending in openers else file
