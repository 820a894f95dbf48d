"""A model file: safetensors, with a manifest of JSON in its metadata and a SHA-256 over all of it.

    __metadata__.condensity   a line with the SHA-256 of what follows, the manifest and name, dtype, shape, bytes of every tensor;
                              then the manifest: format version, library version, class, state
    tensors                   float64, float32, int64, int32, uint8, bool

Reading a file runs none of it: what comes out is numbers and text. The checksum finds damage, not malice; what a hostile file can
do is be refused, in time and memory in proportion to its size.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from condensity.persistence.atomic import check_writable, write_atomically

#: Written into every file. A change of what files hold raises it, and `persistence.models` learns to read the version before.
FORMAT_VERSION = 1

#: Headers above this are refused: a list of nothing takes thirty times its text.
MAX_HEADER_BYTES = 16 * 2**20

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
    if _header_length(content) > MAX_HEADER_BYTES:
        raise ValueError(
            f"the model's description takes {_header_length(content) / 2**20:.0f} MiB of text, and "
            f"{MAX_HEADER_BYTES / 2**20:.0f} are allowed; are there categories of millions of levels?"
        )
    return content


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
        return parse(Path(path).read_bytes())
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)!r}: {error}") from None


def parse(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The manifest and the tensors in the content of a model file, as `read` does for its path."""
    header = _header(content)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or "condensity" not in metadata:
        raise ModelFileError("it is a safetensors file of another program, not a model of condensity.")
    checksum, _, text = str(metadata["condensity"]).partition("\n")
    manifest = _json(text)
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError("it is damaged: its manifest names no format version.")
    if version > FORMAT_VERSION:
        writer = str(manifest.get("library_version"))[:40]
        raise ModelFileError(
            f"it was written by condensity {writer} in format {version}, and this version reads up to {FORMAT_VERSION}; upgrade "
            "condensity."
        )
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise ModelFileError(f"it is damaged or truncated ({_short(error)}).") from None
    for name, array in tensors.items():
        if array.dtype.name not in DTYPES:
            raise ModelFileError(f"tensor {name[:40]!r} has type {array.dtype.name}; models hold {', '.join(DTYPES)}.")
    if _digest(text, tensors) != checksum:
        raise ModelFileError("it is damaged: its content does not match its checksum. Save the model again.")
    return manifest, {name: np.array(array) for name, array in tensors.items()}


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Whether the file at a path begins as a model file does; nothing more is looked at."""
    with open(path, "rb") as stream:
        start = stream.read(_LENGTH_BYTES + 2)
    return len(start) == _LENGTH_BYTES + 2 and start[_LENGTH_BYTES:] == b'{"' and b"\0" in start[:_LENGTH_BYTES]


def _header(content: bytes) -> dict:
    """The JSON at the beginning of a safetensors file."""
    if not content:
        raise ModelFileError("it is empty.")
    if content[_LENGTH_BYTES : _LENGTH_BYTES + 1] != b"{":  # the length before it may look like anything
        if content[:1] == b"\x80" or content[:2] == b"PK":
            raise ModelFileError(
                "it is a pickle or an archive, which can run code when it is loaded; condensity loads what its `save` wrote."
            )
        raise ModelFileError("it is not a model file of condensity.")
    length = _header_length(content)
    if length > len(content) - _LENGTH_BYTES:
        raise ModelFileError("it is truncated, or not a model file of condensity.")
    if length > MAX_HEADER_BYTES:
        raise ModelFileError(f"its header claims {length} bytes; {MAX_HEADER_BYTES} are allowed.")
    header = _json(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
    if not isinstance(header, dict):
        raise ModelFileError("it is not a model file of condensity.")
    return header


def _header_length(content: bytes) -> int:
    return int.from_bytes(content[:_LENGTH_BYTES], "little")


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
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
