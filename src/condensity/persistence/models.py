"""Fitted models as files: the explicit state of registered classes, and nothing else."""

from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from condensity.persistence.codec import pack, unpack
from condensity.persistence.container import ModelFileError, read, write
from condensity.persistence.registry import SAVEABLE, name_in_files


def save_model(model: Any, path: str | PathLike[str]) -> Path:
    """Write an instance of a registered class to one file, atomically.

    Parameters
    ----------
    model : instance of a class registered by `saveable`
    path : path-like

    Returns
    -------
    pathlib.Path
        Absolute.

    Raises
    ------
    OSError
        If the path cannot be written.
    TypeError
        For a class that is not registered, and for values that files cannot hold, such as functions.
    """
    name = name_in_files(model)
    if name is None:
        raise TypeError(f"{type(model).__name__} cannot be saved: it is not registered with `persistence.saveable`.")
    tree, tensors = pack(model, SAVEABLE)
    return write(path, {"library_version": version("condensity"), "class": name, "state": tree}, tensors)


def load_model(path: str | PathLike[str]) -> Any:
    """Read an instance of a registered class from the path of a file of `save_model`; no code of the file is run.

    Raises
    ------
    OSError
        If the file cannot be read.
    ModelFileError
        If it is no model, is damaged, or holds a class that is not registered.
    """
    content = read(path)
    try:
        return restore(*content)
    except ModelFileError as error:
        raise ModelFileError(f"{str(path)!r}: {error}") from None


def restore(manifest: dict[str, Any], tensors: dict[str, np.ndarray]) -> Any:
    """An instance of a registered class from the manifest and the tensors of its file, arrays of any shape (a, b, …) by name.

    Raises
    ------
    ModelFileError
        For whatever `save_model` cannot have written.
    """
    name = str(manifest.get("class"))
    if name not in SAVEABLE:
        raise ModelFileError(f"it holds a {name[:40]!r}, which this version does not know.")
    try:
        model = unpack(manifest.get("state"), tensors, SAVEABLE)
    except ModelFileError:
        raise
    except Exception as error:  # whatever a check has overlooked: the file is at fault, as all of this is made of it
        raise ModelFileError(f"it is damaged or no model: {type(error).__name__} while it was unpacked.") from error
    if type(model) is not SAVEABLE[name]:
        raise ModelFileError("it is damaged or no model: its state is not one.")
    return model
