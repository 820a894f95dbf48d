"""Convex weights of densities: the mixture of fitted members that is likeliest on rows that none was fitted to.

References
----------
Smyth & Wolpert (1999), "Linearly combining density estimators via stacking".
"""

import numpy as np
from scipy.special import logsumexp

#: Log likelihood, in nats over all held-out rows, that a fallback has to gain.
MIN_GAIN = 3.0

#: Members with less weight than that of this many held-out rows are left out.
MIN_WEIGHT_ROWS = 0.5

#: Iterations of EM at most, and change of weights at which it ends.
MAX_ITERATIONS, TOLERANCE = 200, 1e-4


def convex_weights(
    log_densities: np.ndarray, weight: np.ndarray, prior: np.ndarray | None = None, *, required: bool = False
) -> np.ndarray | None:
    """Weights (m,) of the mixture of m members that is likeliest on rows, by EM; None where it gains too little on the first.

    Parameters
    ----------
    log_densities : ndarray (h, m)
        Of rows under each of the members.
    weight : ndarray (h,)
        Of the rows.
    prior : ndarray (m,), optional
        Rows as which each member counts beforehand; one for the first, if not given. Members that have any are kept.
    required : bool
        Whether the mixture is wanted whatever it gains.
    """
    m = log_densities.shape[1]
    prior = np.eye(m)[0] if prior is None else prior
    if not required and not _largest_gain(log_densities, weight) > MIN_GAIN:
        return None
    weights = _climb(log_densities, weight, prior, np.full(m, 1.0 / m))
    if not required and not gain_of(log_densities, weight, weights) > MIN_GAIN:
        return None
    while (weak := (weights > 0) & (weights < MIN_WEIGHT_ROWS / weight.sum()) & (prior == 0)).any():
        weights = _climb(log_densities, weight, prior, np.where(weak, 0.0, weights))
    return weights


def gain_of(log_densities: np.ndarray, weight: np.ndarray, weights: np.ndarray) -> float:
    """Nats over all rows of `weight` (h,) that a mixture by `weights` (m,) of `log_densities` (h, m) gains on the first."""
    return float(weight @ (logsumexp(log_densities, axis=1, b=weights) - log_densities[:, 0]))


def _largest_gain(log_densities: np.ndarray, weight: np.ndarray) -> float:
    """Bound on the gain of any mixture: the likelihood is concave in the weights, so its slopes at the first member bound it."""
    with np.errstate(over="ignore"):
        slopes = weight @ np.expm1(log_densities - log_densities[:, :1])
    return float(slopes.max())


def _climb(log_densities: np.ndarray, weight: np.ndarray, prior: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Weights (m,) that EM reaches from a start; those that are 0 stay 0."""
    used = start > 0
    weights = start[used] / start.sum()
    relative = np.exp(log_densities - log_densities.max(axis=1, keepdims=True))[:, used]
    tiny = np.finfo(float).tiny
    for _ in range(MAX_ITERATIONS):
        counts = weights * ((weight / np.maximum(relative @ weights, tiny)) @ relative)
        counts += prior[used]
        earlier, weights = weights, counts / counts.sum()
        if np.abs(weights - earlier).max() < TOLERANCE:
            break
    result = np.zeros(len(start))
    result[used] = weights
    return result
