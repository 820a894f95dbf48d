"""A model file: safetensors, with a manifest of JSON in its metadata and a SHA-256 over all of it.

    __metadata__.condensity   a line with the SHA-256 of what follows, the manifest and name, dtype, shape, bytes of every tensor;
                              then the manifest: format version, library version, class, state
    tensors                   float64, float32, int64, int32, uint8, bool

Reading a file runs none of it: what comes out is numbers and text. The checksum finds damage, not malice; what a hostile file can
do is be refused, in time and memory in proportion to its size: a file is looked at before it is read, its header is held against
the bytes that are there, and no tensor has more rows or columns than bytes.
"""

import hashlib
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from condensity.persistence.atomic import check_writable, write_atomically
from condensity.printable import printable

#: Written into every file. A change of what files hold raises it, and `persistence.models` learns to read the version before.
FORMAT_VERSION = 1

#: Headers above this are refused: a list of nothing takes thirty times its text.
MAX_HEADER_BYTES = 16 * 2**20

#: Larger files, and files of more tensors, are neither written nor read.
MAX_FILE_BYTES, MAX_TENSORS = 2**32, 2**16

#: Rows or columns of an empty tensor, at most: those of others are bounded by their bytes.
MAX_EMPTY = 2**16

#: Dimensions of a tensor, at most.
MAX_NDIM = 8

DTYPES = ("float64", "float32", "int64", "int32", "uint8", "bool")

_LENGTH_BYTES = 8


class ModelFileError(ValueError):
    """A file is no model, is damaged, or is of a version that this library does not read; the message says which."""


def write(path: str | os.PathLike[str], manifest: dict[str, Any], tensors: dict[str, np.ndarray]) -> Path:
    """Write a model file, atomically.

    Parameters
    ----------
    path : path-like
    manifest : dict
        JSON: 'library_version', 'class', 'state'. The format version is added.
    tensors : dict of str to ndarray, of any shape (a, b, …)

    Raises
    ------
    OSError
        Where the path cannot be written, before anything is; or for a full disk, after which an old file is still there.
    ValueError
        For a manifest that is too long.
    """
    return write_atomically(check_writable(path), serialize(manifest, tensors))


def serialize(manifest: dict[str, Any], tensors: dict[str, np.ndarray]) -> bytes:
    """Bytes of a model file with this manifest and tensors, arrays of any shape (a, b, …) by name."""
    text = json.dumps({"format_version": FORMAT_VERSION, **manifest}, allow_nan=False)
    tidy = {name: _tidy(array) for name, array in tensors.items()}
    content = save(
        tidy, metadata={"condensity": f"{_digest(text, tidy)}\n{text}"}
    )  # one key: of several, the order is random
    _require_moderate(_header_length(content), len(tensors), len(content))
    return content


def _require_moderate(header: int, n_tensors: int, size: int) -> None:
    """Refuse to write what could not be read again."""
    for what, number, limit in (
        ("bytes of description", header, MAX_HEADER_BYTES),
        ("arrays", n_tensors, MAX_TENSORS),
        ("bytes", size, MAX_FILE_BYTES),
    ):
        if number > limit:
            raise ValueError(f"the model takes {number:,} {what}, and a file has {limit:,} at most.")


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The manifest and the tensors of the model file at a path.

    Raises
    ------
    OSError
        If the file cannot be read.
    ModelFileError
        If it is not a whole and undamaged model file of a version that this library reads.
    """
    try:
        return parse(_content(path))
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)!r}: {error}") from None


def _content(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file, once those at its beginning and its size have been found to be those of a model."""
    require_regular(path)
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        start = stream.read(_LENGTH_BYTES + 1)
        if size > MAX_FILE_BYTES:
            raise ModelFileError(f"it has {size:,} bytes; model files have {MAX_FILE_BYTES:,} at most.")
        _require_start(start, size)
        header = stream.read(_header_length(start) - 1)
        _require_size(_entries(start[_LENGTH_BYTES:] + header), len(start) + len(header), size)
        return start + header + stream.read()


def require_regular(path: str | os.PathLike[str]) -> None:
    """Refuse a path that is a pipe or a device, where reading might never end.

    Raises
    ------
    OSError
        If there is nothing at the path.
    ModelFileError
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a directory is an error that says so
        raise ModelFileError("it is a pipe or a device; models are loaded from files: copy it into one first.")


def parse(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The manifest and the tensors in the content of a model file, as `read` does for its path."""
    _require_start(content, len(content))
    end = _LENGTH_BYTES + _header_length(content)
    entries = _entries(content[_LENGTH_BYTES:end])
    _require_size(entries, end, len(content))
    checksum, _, text = str(entries["__metadata__"]["condensity"]).partition("\n")
    manifest = _json(text)
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError("it is damaged: its manifest names no format version.")
    if version > FORMAT_VERSION:
        writer = printable(str(manifest.get("library_version"))[:40])
        raise ModelFileError(
            f"it was written by condensity {writer} in format {version}, and this version reads up to {FORMAT_VERSION}; "
            "upgrade condensity."
        )
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise ModelFileError(f"it is damaged or truncated ({_short(error)}).") from None
    for name, array in tensors.items():
        _require_plausible(name, array)
    if _digest(text, tensors) != checksum:
        raise ModelFileError("it is damaged: its content does not match its checksum. Save the model again.")
    return manifest, {name: np.array(tensors.pop(name)) for name in list(tensors)}


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Whether the file at a path begins as a model file does; nothing more is looked at."""
    with open(path, "rb") as stream:
        start = stream.read(_LENGTH_BYTES + 2)
    return len(start) == _LENGTH_BYTES + 2 and start[_LENGTH_BYTES:] == b'{"' and b"\0" in start[:_LENGTH_BYTES]


def _require_start(start: bytes, size: int) -> None:
    """Refuse a file of this size whose first bytes are not those of a safetensors file."""
    if not size:
        raise ModelFileError("it is empty.")
    if start[_LENGTH_BYTES : _LENGTH_BYTES + 1] != b"{":  # the length before it may look like anything
        if start[:1] == b"\x80" or start[:2] == b"PK":
            raise ModelFileError(
                "it is a pickle or an archive, which can run code when it is loaded; condensity loads what its `save` wrote."
            )
        raise ModelFileError("it is not a model file of condensity.")
    length = _header_length(start)
    if length > size - _LENGTH_BYTES:
        raise ModelFileError("it is truncated, or not a model file of condensity.")
    if length > MAX_HEADER_BYTES:
        raise ModelFileError(f"its header claims {length} bytes; {MAX_HEADER_BYTES} are allowed.")


def _entries(header: bytes) -> dict[str, Any]:
    """The JSON at the beginning of a safetensors file, every name of which comes once."""
    entries = _json(header, object_pairs_hook=_without_repetitions)
    if not isinstance(entries, dict):
        raise ModelFileError("it is not a model file of condensity.")
    metadata = entries.get("__metadata__")
    if not isinstance(metadata, dict) or "condensity" not in metadata:
        raise ModelFileError("it is a safetensors file of another program, not a model of condensity.")
    if len(entries) > MAX_TENSORS + 1:
        raise ModelFileError(f"it holds {len(entries) - 1:,} arrays; {MAX_TENSORS:,} are allowed.")
    return entries


def _without_repetitions(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ModelFileError("it is damaged: its header names something twice.")
    return entries


def _require_size(entries: dict[str, Any], end: int, size: int) -> None:
    """Refuse a file whose size is not that of its header, which ends at `end`, and of the tensors that this describes."""
    try:
        last = max((entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"), default=0)
        as_long = end + last == size
    except (TypeError, KeyError, IndexError):
        as_long = False
    if not as_long:
        raise ModelFileError("it is damaged or truncated: its size is not that of its content.")


def _require_plausible(name: str, array: np.ndarray) -> None:
    """Refuse a tensor of another type, with more rows or columns than bytes, or with truth values that are none."""
    if array.dtype.name not in DTYPES:
        raise ModelFileError(f"tensor {name[:40]!r} has type {array.dtype.name}; models hold {', '.join(DTYPES)}.")
    if math.prod(size or 1 for size in array.shape) > max(array.nbytes, MAX_EMPTY) or array.ndim > MAX_NDIM:
        raise ModelFileError(f"it is damaged: tensor {name[:40]!r} is empty and claims the shape {array.shape}.")
    if array.dtype == bool and array.size and array.view(np.uint8).max() > 1:
        raise ModelFileError(f"it is damaged: tensor {name[:40]!r} holds truth values that are none.")


def _header_length(content: bytes) -> int:
    return int.from_bytes(content[:_LENGTH_BYTES], "little")


def _json(text: str | bytes, **options: Any) -> Any:
    try:
        return json.loads(text, **options)
    except ModelFileError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"it is damaged: its description cannot be read ({_short(error)}).") from None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100]


def _tidy(array: np.ndarray) -> np.ndarray:
    """In this machine's byte order, C order, and one of the types that files hold."""
    array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    if array.dtype.name not in DTYPES:
        raise TypeError(f"arrays of {array.dtype.name} cannot be saved; only {', '.join(DTYPES)}.")
    return array


def _digest(text: str, tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
