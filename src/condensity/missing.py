"""Missing values under NumPy's masks: a masked value is a missing one, whatever lies under its mask."""

from typing import Any

import numpy as np


def unmasked(values: Any) -> Any:
    """Values as they are; of a masked array, or a list of some, an array with NaN, None among objects, where it is masked.

    Parameters
    ----------
    values : anything

    Examples
    --------
    >>> unmasked(np.ma.masked_array([1.0, -9999.0], mask=[False, True]))
    array([ 1., nan])
    """
    if isinstance(values, (list, tuple)) and any(isinstance(value, np.ma.MaskedArray) for value in values):
        values = np.ma.array(values)
    if not isinstance(values, np.ma.MaskedArray) or values.dtype.names:
        return values
    if not np.ma.is_masked(values):
        return np.asarray(values.data)
    kind = values.dtype.kind
    result = np.array(values.data, dtype=float if kind in "iufb" else values.dtype if kind in "mM" else object)
    result[np.ma.getmaskarray(values)] = np.nan if kind in "iufb" else "NaT" if kind in "mM" else None
    return result
