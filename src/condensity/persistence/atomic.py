"""Write a file so that its path holds either the old content or all of the new one.

The content goes to a hidden file next to the path, `.condensity-<of the target>-<random>.tmp`, which is renamed to the path once
it is whole and on the disk. While its writer lives, the hidden file is locked. A writer that was killed leaves it behind without
its lock: the next writer of the same path removes it.
"""

import contextlib
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

#: Permissions of a file that is new; the user's umask takes from them.
NEW_MODE = 0o666


def check_writable(path: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]] = ()) -> Path:
    """The absolute path of a file that can be written, found out before any work is done for it.

    Hidden files that killed writers of the same path have left behind are removed.

    Parameters
    ----------
    path : path-like
    inputs : iterable of path-like
        Files that are read meanwhile, '-' for stdin, which must not be replaced.

    Raises
    ------
    OSError
        If its directory is missing or not writable, if the path is something other than a regular file, if the file is read-only,
        or if it is one of the inputs.
    """
    path = Path(path).resolve()
    if path.exists():
        _require_replaceable(path, inputs)
    if not path.parent.is_dir():
        raise OSError(
            f"cannot write {str(path)!r}: the directory {str(path.parent)!r} does not exist; create it first."
        )
    remove_abandoned(path.parent, _prefix(path))
    try:
        Replacement(path).discard()
    except OSError as error:
        raise OSError(f"cannot write into the directory {str(path.parent)!r}: {error.strerror}.") from error
    return path


def _require_replaceable(path: Path, inputs: Iterable[str | os.PathLike[str]]) -> None:
    if not path.is_file():
        raise OSError(f"cannot write {str(path)!r}: it is not a regular file; choose a file name.")
    if not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
        raise OSError(f"cannot write {str(path)!r}: it is read-only; make it writable, or choose another name.")
    for each in ("/dev/stdin" if str(each) == "-" else each for each in inputs):
        if os.path.exists(each) and os.path.samefile(path, each):
            raise OSError(f"cannot write {str(path)!r}: it is read as well, and would be lost; choose another name.")


def write_atomically(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write content, bytes, to a hidden file next to the path, and rename it to the path once it is on the disk.

    A file that is there keeps its permissions.

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
    with Replacement(path) as replacement:
        replacement.stream.write(content)
    return path


class Replacement:
    """New content of a file: written to `stream`, it replaces the file at the end of a `with` block that ends without error.

    Parameters
    ----------
    path : pathlib.Path
        Absolute. Permissions and, where that is allowed, owner and group of a file that is there are kept.

    Attributes
    ----------
    stream : binary stream

    Raises
    ------
    OSError
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary, self.stream = create_locked(path.parent, _prefix(path))
        try:
            _copy_permissions(path, self.stream.fileno())
        except BaseException:
            self.discard()
            raise

    def commit(self) -> None:
        """Put the content in place of the file."""
        try:
            self.stream.flush()
            os.fsync(self.stream.fileno())
            self.stream.close()
            self.temporary.replace(self.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget the content; nothing is left behind."""
        with contextlib.suppress(OSError):  # of a full disk, when what is left is flushed
            self.stream.close()
        self.temporary.unlink(missing_ok=True)

    def __enter__(self) -> "Replacement":
        return self

    def __exit__(
        self, failed: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if failed is None:
            self.commit()
        else:
            self.discard()


def create_locked(folder: Path, prefix: str, mode: int = NEW_MODE) -> tuple[Path, BinaryIO]:
    """A new file in a `folder`, its name of this `prefix` and a random rest, of this `mode`, open and locked for its life."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        path = folder / f"{prefix}{secrets.token_hex(8)}.tmp"
        descriptor = os.open(path, flags, mode)
        try:
            stream = os.fdopen(descriptor, "w+b")
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        _lock(stream.fileno())
        if os.fstat(stream.fileno()).st_nlink:  # else it was taken for an abandoned one before it was locked
            return path, stream
        stream.close()


def remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove files of `create_locked` in a `folder`, of this `prefix`, whose writer is gone."""
    for path in folder.glob(f"{prefix}*.tmp"):
        with contextlib.suppress(OSError):  # locked, or another user's
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            try:
                _lock(descriptor, wait=False)
                path.unlink()  # Windows refuses while somebody has it open: its lock
            finally:
                os.close(descriptor)


if sys.platform == "win32":

    def _lock(descriptor: int, wait: bool = True) -> None:
        """Nothing: an open file cannot be removed."""

else:
    import fcntl

    def _lock(descriptor: int, wait: bool = True) -> None:
        """Lock a file until it is closed, be it by the end of its process; without `wait`, BlockingIOError if it is locked."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks: what is abandoned there stays
            if not wait:
                raise


def _prefix(path: Path) -> str:
    """How names of hidden files of a path begin; short, whatever the name of the path."""
    return f".condensity-{hashlib.sha256(path.name.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}-"


def _copy_permissions(path: Path, descriptor: int) -> None:
    """Give an open file the permissions of the one at a path, if there is one; before anything is written to it."""
    if not path.exists() or not hasattr(os, "fchmod"):
        return
    old = path.stat()
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
