"""Formats of files that are written, told by their names."""

import os
from os import PathLike

from condensity.io.compression import COMPRESSED_ENDINGS
from condensity.io.errors import TableError

#: Endings of files that are written, and their formats.
OUTPUT_FORMATS = {
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".csv": "csv", ".txt": "csv", "": "csv", ".tsv": "tsv", ".tab": "tsv",
}  # fmt: skip


def output_format(path: str | PathLike[str]) -> tuple[str, str]:
    """Format 'parquet', 'arrow', 'csv' or 'tsv' that the ending of a path says, and the ending of its compression or ''.

    Raises
    ------
    TableError
        For other endings.

    Examples
    --------
    >>> from condensity.io.outputs import output_format
    >>> output_format("p.parquet"), output_format("p.csv.gz")
    (('parquet', ''), ('csv', '.gz'))
    """
    stem, ending = os.path.splitext(str(path).lower())
    inner = os.path.splitext(stem)[1]
    compression = ending if ending in COMPRESSED_ENDINGS else ""
    kind = OUTPUT_FORMATS.get(inner if compression else ending)
    if kind is None or (compression and kind not in ("csv", "tsv")):
        raise TableError(
            f"cannot write {str(path)!r}: that format is not written; choose .csv, .tsv (also .csv.gz, .bz2, .xz, .zst), "
            ".parquet or .arrow."
        )
    return kind, compression
