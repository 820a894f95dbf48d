"""Write a file so that its path holds either the old content or all of the new one."""

import os
import secrets
from pathlib import Path


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The absolute path of a file that can be written, found out before any work is done for it.

    Raises
    ------
    OSError
        If its directory is missing or not writable, or if the path is something other than a regular file.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        raise OSError(f"cannot write {str(path)!r}: it is not a regular file; choose a file name.")
    if not path.parent.is_dir():
        raise OSError(
            f"cannot write {str(path)!r}: the directory {str(path.parent)!r} does not exist; create it first."
        )
    probe = beside(path)
    try:
        _create(probe, b"")
    except OSError as error:
        raise OSError(f"cannot write into the directory {str(path.parent)!r}: {error.strerror}.") from error
    finally:
        probe.unlink(missing_ok=True)
    return path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write content, bytes, to a hidden file next to the path, and rename it to the path once it is on the disk.

    Returns
    -------
    pathlib.Path
        Absolute.

    Raises
    ------
    OSError
        Such as for a full disk; what was there before is untouched, and nothing is left behind.
    """
    path = Path(path).resolve()
    temporary = beside(path)
    try:
        _create(temporary, content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def beside(path: Path) -> Path:
    """A new hidden name in the directory of a path, so that replacing is one step of the file system."""
    return path.with_name(f".condensity-{secrets.token_hex(8)}.tmp")


def _create(path: Path, content: bytes) -> None:
    """Create a new file with the permissions that the user's umask gives."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
