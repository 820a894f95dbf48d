"""Checks of arrays that were read from a file, for `check_loaded` of the classes that hold them."""

from typing import Any

import numpy as np


def require_numbers(name: str, array: Any, shape: tuple[int | None, ...], *, dtype: Any = np.float64) -> None:
    """Refuse an array (a, b, …) that is not of this `shape` and `dtype`, or has numbers that are not finite.

    Parameters
    ----------
    name : str
        Of the array, for the message.
    array : ndarray (a, b, …)
    shape : tuple of int or None
        None stands for any size.
    dtype : dtype or tuple of dtype
        One of them is enough.

    Raises
    ------
    ValueError
    """
    dtypes = dtype if isinstance(dtype, tuple) else (dtype,)
    if not isinstance(array, np.ndarray) or array.dtype not in [np.dtype(each) for each in dtypes]:
        raise ValueError(f"{name} must be an array of {' or '.join(np.dtype(each).name for each in dtypes)}")
    fits = array.ndim == len(shape) and all(a is None or a == b for a, b in zip(shape, array.shape, strict=True))
    if not fits:
        raise ValueError(f"{name} has the shape {array.shape}, which does not fit")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")


def require_positions(name: str, positions: Any, size: int | None = None) -> None:
    """Refuse positions (tuple or list of int, or ndarray (a,) of integers) that do not ascend within 0, 1, …, `size` − 1.

    Raises
    ------
    ValueError
        With the `name` of the positions.
    """
    array = np.asarray(positions, dtype=None if len(positions) else int)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array[1:] <= array[:-1]).any():
        raise ValueError(f"{name} must be positions in ascending order")
    if len(array) and (array[0] < 0 or (size is not None and array[-1] >= size)):
        raise ValueError(f"{name} must be positions of columns")
