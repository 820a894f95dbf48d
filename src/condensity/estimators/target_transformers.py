"""Transformers of the target, as scikit-learn's TransformedTargetRegressor holds them, as monotone maps of distributions."""

from typing import Any

import numpy as np
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from condensity.distributions import Distribution, Mixture, MonotoneMap, TransformedMixture
from condensity.distributions.functions import Chained
from condensity.distributions.transforms import of_functions

#: Transformers whose inverse is y = scale · u + shift.
LINEAR = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)

#: Levels at which a map is asked whether it is monotone and undone by its inverse.
LEVELS = np.array([1e-4, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999])

#: Level of the far ends, at about 9 σ.
FAR = 1e-19


def undo(transformer: Any, dist: Distribution) -> Distribution:
    """The distribution of y from that of transformer.transform(y).

    Parameters
    ----------
    transformer : fitted transformer of one column per output
        Linear, or a strictly monotone function of each y by itself, the same for all outputs.
    dist : Distribution
        n rows.

    Raises
    ------
    ValueError
        For a transformer that is not monotone where the distribution lies, or that its inverse does not undo.
    """
    if isinstance(transformer, FunctionTransformer) and transformer.func is None:
        return dist
    if isinstance(transformer, LINEAR):
        zero = _inverse(transformer, np.zeros((1, dist.n_outputs)))[0]
        scale = _inverse(transformer, np.ones((1, dist.n_outputs)))[0] - zero
        return dist.affine(scale[0], zero[0]) if dist.n_outputs == 1 else dist.affine(scale, zero)
    return _carried(dist, _map_of(transformer, dist))


def _map_of(transformer: Any, dist: Distribution) -> MonotoneMap:
    """The monotone map of a transformer, tried out at quantiles of a distribution."""
    name = type(transformer).__name__
    if isinstance(transformer, FunctionTransformer):
        forward, inverse = transformer.func, transformer.inverse_func
    elif dist.n_outputs == 1:
        forward, inverse = (_elementwise(each) for each in (transformer.transform, transformer.inverse_transform))
    else:
        raise ValueError(
            f"The {name} of this TransformedTargetRegressor transforms {dist.n_outputs} outputs, each in its own way, and a "
            "distribution needs one way for all. Use y_transform of the estimator instead."
        )
    u = np.unique(_few_quantiles(dist))
    with np.errstate(all="ignore"):
        y = np.asarray(inverse(u), dtype=float)
    if np.isnan(y).any():
        raise ValueError(
            f"The {name} of this TransformedTargetRegressor has no y for some of what its regressor predicts. Use y_transform of "
            "the estimator instead: its 'box-cox' and 'yeo-johnson' have a y for everything."
        )
    u, y = u[np.isfinite(y)], y[np.isfinite(y)]
    steps = np.diff(y)
    if len(y) < 2 or not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError(
            f"The {name} of this TransformedTargetRegressor is not strictly monotone where its regressor predicts, so y has no "
            "density. Transform by y_transform of the estimator instead: 'log', 'yeo-johnson', two functions, or a MonotoneMap."
        )
    transform = of_functions(forward, inverse, y=np.sort(y)[:, None])
    error = np.abs(transform.forward(y) - u)
    if not (error <= 1e-6 * max(float(np.ptp(u)), 1e-300)).all():
        raise ValueError(
            f"The {name} of this TransformedTargetRegressor is not undone by its inverse where its regressor predicts (off by "
            f"{np.nanmax(error):.3g}). Use y_transform of the estimator instead."
        )
    return transform


def _carried(dist: Distribution, transform: MonotoneMap) -> Distribution:
    """The distribution of y from that of u = t(y), of any kind."""
    if isinstance(dist, Mixture):
        return TransformedMixture(dist, transform)
    if isinstance(dist, TransformedMixture):
        return TransformedMixture(dist.base, Chained(transform, dist.transform))
    raise ValueError(
        f"A {dist.kind} behind a TransformedTargetRegressor is not supported; use y_transform of the estimator."
    )


def _few_quantiles(dist: Distribution) -> np.ndarray:
    """Quantiles of the outputs of up to 20 rows of a distribution, and the far ends of all rows."""
    rows = dist[dist.mass > 0].normalized()
    outputs = [rows] if rows.n_outputs == 1 else [rows.marginal(j) for j in range(rows.n_outputs)]
    few = [output[:: max(1, len(rows) // 20)].ppf(LEVELS).ravel() for output in outputs]
    ends = [(output.ppf(FAR).min(initial=np.inf), output.isf(FAR).max(initial=-np.inf)) for output in outputs]
    return np.concatenate([*few, *ends])


def _column(function: Any, values: np.ndarray) -> np.ndarray:
    """A transformer's function of values (m,), each by itself."""
    return np.asarray(function(values.reshape(-1, 1)), dtype=float).reshape(values.shape)


def _inverse(transformer: Any, u: np.ndarray) -> np.ndarray:
    return np.asarray(transformer.inverse_transform(u), dtype=float)


class _elementwise:  # noqa: N801  (a function that pickles)
    """A transformer's method as a function of arrays of any shape."""

    def __init__(self, method: Any) -> None:
        self.method = method

    def __call__(self, values: Any) -> np.ndarray:
        array = np.asarray(values, dtype=float)
        return _column(self.method, array.ravel()).reshape(array.shape)
