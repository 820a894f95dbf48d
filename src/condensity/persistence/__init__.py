"""Files that are always whole and never code: atomic writing, and models as tensors with a manifest."""

from condensity.persistence.atomic import check_writable, write_atomically
from condensity.persistence.codec import pack, unpack
from condensity.persistence.container import FORMAT_VERSION, ModelFileError, is_model_file, parse, read, write

__all__ = [
    "FORMAT_VERSION",
    "ModelFileError",
    "check_writable",
    "is_model_file",
    "pack",
    "parse",
    "read",
    "unpack",
    "write",
    "write_atomically",
]
