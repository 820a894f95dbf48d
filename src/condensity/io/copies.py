"""Tables that come through a pipe, as files: not every format can be read from one."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from condensity.io.errors import TableError
from condensity.persistence.atomic import create_locked, remove_abandoned

#: How names of copies in the temporary folder begin. Those of killed processes are removed when the next copy is made.
PREFIX = "condensity-copy-"


@contextmanager
def on_disk(path: str | PathLike[str]) -> Iterator[Path]:
    """The path of a table; stdin ('-') and pipes, such as `<(…)` of a shell, are copied into a temporary file.

    Raises
    ------
    TableError
        If stdin is closed, or the path is a device.
    """
    if str(path) == "-":
        if sys.stdin is None:
            raise TableError("stdin is closed; give a file in place of '-'.")
        with _copy_of(sys.stdin.buffer) as copy:
            yield copy
    elif _is_pipe(path):
        with open(path, "rb") as pipe, _copy_of(pipe) as copy:
            yield copy
    else:
        yield Path(path)


def _is_pipe(path: str | PathLike[str]) -> bool:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # whoever opens it says so
        return False
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise TableError(f"{str(path)!r} is a device and no file; give a file, or - for stdin.")
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


@contextmanager
def _copy_of(stream: BinaryIO) -> Iterator[Path]:
    """The path of a copy of all that a stream has, which only its user can read."""
    folder = Path(tempfile.gettempdir())
    remove_abandoned(folder, PREFIX)
    copy, file = create_locked(folder, PREFIX, 0o600)
    try:
        shutil.copyfileobj(stream, file, 2**20)
        file.flush()
        yield copy
    finally:
        file.close()
        copy.unlink(missing_ok=True)
