"""The continuous ranked probability score of row-wise mixtures of normals, in closed form, in NumPy float64.

Letters: n rows, K components, g points a row. For independent draws Y and Y′ of row i,

    CRPS(y) = E|Y − y| − ½ E|Y − Y′| = Σ_k π_k A(y − μ_k, σ_k) − ½ Σ_jk π_j π_k A(μ_j − μ_k, √(σ_j² + σ_k²))

with A(m, s) = E|N(m, s²)| = 2sφ(m/s) + m(2Φ(m/s) − 1) (Grimit et al. 2006). Summed like that, two numbers of the size of the
distances are subtracted, and a narrow mixture far from the point or with far means keeps few digits. Therefore

    A(m, s) = |m| + 2s ψ(|m|/s),     ψ(z) = φ(z) − z Φ(−z) ≥ 0, falling from φ(0) to 0,

splits the score into that of the weighted points μ_k, an integral of squares in which nothing cancels, and a rest that is
of the order of the σ_k:

    CRPS(y) = ∫ (Σ_k π_k 1{μ_k ≤ x} − 1{y ≤ x})² dx + 2 Σ_k π_k σ_k ψ(|y − μ_k|/σ_k) − Σ_jk π_j π_k s_jk ψ(|μ_j − μ_k|/s_jk)
"""

import numpy as np
from scipy.special import ndtr

#: Numbers in one temporary array: 1 MB, so that the handful in use stay in cache.
BLOCK = 2**17

#: ψ(39) is below the smallest float; beyond, z Φ(−z) may be inf · 0.
PSI_IS_ZERO = 39.0


def mixture_crps(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score at the points y (n, g); a loss, lower is better.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
        Weights sum to one in every row.
    y : ndarray (n, g)

    Returns
    -------
    ndarray (n, g)
        inf where y is infinite, nan where y is nan. The error is at most 4e-15 · (CRPS + Σ π σ), wherever y and the
        means are.

    References
    ----------
    Grimit, Gneiting, Berrocal & Johnson (2006), "The continuous ranked probability score for circular variables and its
    application to mesoscale forecast ensemble verification", QJRMS 132.
    """
    result = np.empty(y.shape)
    n_rows = max(1, BLOCK // max(y.shape[1], means.shape[1]))
    for start in range(0, len(y), n_rows):
        rows = slice(start, start + n_rows)
        parameters = np.exp(log_weights[rows]), means[rows], scales[rows]
        points, spread = _crps_of_points(*parameters[:2], y[rows]), _spread_of_pairs(*parameters)
        # A score below 0 would be rounding.
        result[rows] = np.maximum(points + (_spread_at_points(*parameters, y[rows]) - spread[:, None]), 0.0)
    return result


def _crps_of_points(weights: np.ndarray, points: np.ndarray, y: np.ndarray) -> np.ndarray:
    """∫ (Σ_k π_k 1{μ_k ≤ x} − 1{y ≤ x})² dx, (n, g): interval by interval between neighbouring means, and from them to y."""
    order = np.argsort(points, axis=1)
    points, weights = np.take_along_axis(points, order, 1), np.take_along_axis(weights, order, 1)
    below = np.cumsum(weights, axis=1)
    above = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    total = np.maximum(points[:, [0]] - y, 0.0) + np.maximum(y - points[:, [-1]], 0.0)
    for k in range(points.shape[1] - 1):
        left, right = points[:, [k]], points[:, [k + 1]]
        total += below[:, [k]] ** 2 * np.clip(y - left, 0.0, right - left)
        total += above[:, [k + 1]] ** 2 * np.clip(right - y, 0.0, right - left)
    return total


def _spread_at_points(weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """2 Σ_k π_k σ_k ψ(|y − μ_k|/σ_k), (n, g)."""
    total = np.zeros(y.shape)
    for k in range(means.shape[1]):
        scale = scales[:, [k]]
        total += 2.0 * weights[:, [k]] * (scale * _psi(y - means[:, [k]], scale))
    return total


def _spread_of_pairs(weights: np.ndarray, means: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Σ_jk π_j π_k s_jk ψ(|μ_j − μ_k|/s_jk), (n,); pairs j < k count twice."""
    total = np.zeros(len(means))
    for j in range(means.shape[1]):
        scale = np.hypot(scales[:, [j]], scales[:, j:])
        pair = weights[:, j:] * scale * _psi(means[:, [j]] - means[:, j:], scale)
        total += weights[:, j] * (2.0 * pair.sum(axis=1) - pair[:, 0])
    return total


def _psi(difference: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """ψ(|difference| / scale) = φ(z) − z Φ(−z), the mean excess of a standard normal over z."""
    with np.errstate(over="ignore"):
        z = np.minimum(np.abs(difference) / scale, PSI_IS_ZERO)
    return np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) - z * ndtr(-z)
