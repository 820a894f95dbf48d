"""Files that are always whole and never code: atomic writing, and models as tensors with a manifest."""

from condensity.persistence.annotations import matches, require_annotated
from condensity.persistence.atomic import Replacement, check_writable, write_atomically
from condensity.persistence.checks import require_numbers, require_positions
from condensity.persistence.codec import pack, unpack
from condensity.persistence.container import FORMAT_VERSION, ModelFileError, is_model_file, parse, read, write
from condensity.persistence.models import load_model, save_model
from condensity.persistence.registry import SAVEABLE, saveable

__all__ = [
    "FORMAT_VERSION",
    "SAVEABLE",
    "ModelFileError",
    "Replacement",
    "check_writable",
    "is_model_file",
    "load_model",
    "matches",
    "pack",
    "parse",
    "read",
    "require_annotated",
    "require_numbers",
    "require_positions",
    "save_model",
    "saveable",
    "unpack",
    "write",
    "write_atomically",
]
