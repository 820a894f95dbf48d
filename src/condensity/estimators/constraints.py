"""Allowed values of hyper-parameters, as scikit-learn checks them, and ranges that its declarations cannot express."""

from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np

from condensity._sklearn_compat import Interval, StrOptions
from condensity.distributions import MonotoneMap
from condensity.distributions.transforms import NAMES

#: Hyper-parameters that every estimator has. The name of an engine is checked by the registry of engines.
COMMON: dict[str, list[Any]] = {
    "categorical_features": ["array-like", StrOptions({"from_dtype"})],
    "y_transform": [StrOptions(set(NAMES)), MonotoneMap, tuple, list, None],
    "support_model": [StrOptions({"auto"}), None],
    "fallback": [StrOptions({"auto"}), None],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "cv": ["cv_object"],
    "engine": [str],
    "random_state": ["random_state", np.random.Generator],
    "n_jobs": [Integral, None],
    "warm_start": ["boolean"],
    "callback": [callable, None],
    "verbose": ["verbose"],
}

#: A path of a file that a fit writes.
PATH = [str, PathLike, None]


def require_layer_widths(sizes: Any) -> None:
    """Refuse sizes (`hidden_layer_sizes`) that are neither a word nor integers ≥ 1."""
    if isinstance(sizes, str):
        return
    listed = np.atleast_1d(np.asarray(sizes))
    if listed.ndim != 1 or (listed.size and listed.dtype.kind not in "iu") or (listed < 1).any():
        raise ValueError(f"hidden_layer_sizes must be integers >= 1, such as (32, 32); got {sizes!r}.")


def require_scale_bounds(bounds: Any) -> None:
    """Refuse bounds (`scale_bounds`) that are neither a word, None, nor (low, high) with 0 < low < high."""
    if bounds is None or isinstance(bounds, str):
        return
    low_high = np.asarray(bounds)
    numeric = low_high.shape == (2,) and low_high.dtype.kind in "iuf"
    if not numeric or not 0 < low_high[0] < low_high[1] < np.inf:
        raise ValueError(f"scale_bounds must be (low, high) with 0 < low < high; got {bounds!r}.")
