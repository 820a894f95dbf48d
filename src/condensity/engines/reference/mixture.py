"""Row-wise mixtures of normals, in NumPy float64: log density, log distribution functions and quantiles.

Letters: n rows, K components, g points a row. For row i and point y

    log p(y) = logsumexp_k [ log π_ik − ½ z² − log σ_ik − ½ log 2π ],   z = (y − μ_ik) / σ_ik
    log F(y) = logsumexp_k [ log π_ik + log Φ(z) ],    log S(y) = logsumexp_k [ log π_ik + log Φ(−z) ]

Everything stays in log space, so nothing underflows at 10⁴ σ, where the density itself is e^(−5·10⁷). Weights may sum to
less than one (a gated mixture); the functions are then those of the part that is there.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtri_exp

from condensity.engines.types import HALF_LOG_2PI

#: Components e^-40 times lighter than the tail asked for cannot move its quantile by more than rounding, so they do not
#: widen the bracket. Far out a lighter one may own the tail: against log p = -690 a weight of e^-60 is a heavy one.
NEGLIGIBLE_LOG_SHARE = -40.0

#: A log mass this close to 0 is rounding in weights that sum to one; left in, it would drown tails below 1e-16.
COMPLETE = 1e-12

#: Chandrupatla needs 50 iterations at most for σ from e^-5 to e^5, 170 for e^-50 to e^50; plain bisection over the whole
#: float range, down to the subnormals, needs ~2100.
MAX_ROOT_ITERATIONS = 4000


def mixture_logpdf(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log density of row-wise mixtures at points y (n, g).

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
    y : ndarray (n, g)

    Returns
    -------
    ndarray (n, g)
    """
    with np.errstate(over="ignore"):
        z = (y[:, :, None] - means[:, None, :]) / scales[:, None, :]
        terms = (log_weights - np.log(scales) - HALF_LOG_2PI)[:, None, :] - 0.5 * z * z
    return logsumexp(terms, axis=2)


def mixture_logcdf(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log distribution function log F(y), (n, g), of mixtures with `log_weights`, `means` and `scales` (n, K) at y (n, g)."""
    return _log_probability(log_weights, means, scales, y, +1.0)


def mixture_logsf(log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log survival function log S(y), (n, g), at y (n, g), of mixtures with `log_weights`, `means` and `scales` (n, K)."""
    return _log_probability(log_weights, means, scales, y, -1.0)


def _log_probability(
    log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, y: np.ndarray, sign: float
) -> np.ndarray:
    """Log P(sign·Y ≤ sign·y), by the smaller of the two tails.

    Near probability one the direct sum is good to 5e-11 only and may come out positive; there log(mass − other tail)
    keeps full relative accuracy in the distance to the total mass.
    """
    with np.errstate(over="ignore"):
        z = sign * (y[:, :, None] - means[:, None, :]) / scales[:, None, :]
    direct = logsumexp(log_weights[:, None, :] + log_ndtr(z), axis=2)
    log_mass = logsumexp(log_weights, axis=1)[:, None]
    log_mass = np.where(np.abs(log_mass) < COMPLETE, 0.0, log_mass)
    upper_half = direct > log_mass - np.log(2.0)
    if upper_half.any():
        other = logsumexp(log_weights[:, None, :] + log_ndtr(-z), axis=2)
        with np.errstate(invalid="ignore"):  # −inf − (−inf) in rows of mass 0, which have no upper half
            share = np.where(upper_half, np.exp(np.minimum(other - log_mass, 0.0)), 0.0)
        direct = np.where(upper_half, log_mass + np.log1p(-share), direct)
    return direct


def mixture_quantile(
    log_weights: np.ndarray, means: np.ndarray, scales: np.ndarray, log_lower: np.ndarray, log_upper: np.ndarray
) -> np.ndarray:
    """Quantiles of row-wise mixtures, per row and level: the y with log F(y) = log p and log S(y) = log(1 − p).

    The caller gives both tails, so that neither end loses digits. The smaller tail is solved for, by Chandrupatla's
    root finder inside the exact bracket [min_k, max_k] of the component quantiles.

    Parameters
    ----------
    log_weights, means, scales : ndarray (n, K)
        Weights sum to one in every row.
    log_lower, log_upper : ndarray (n, m)
        log p and log(1 − p); −inf is allowed in either.

    Returns
    -------
    ndarray (n, m)
        −inf where p = 0, inf where p = 1, nan where p is nan.
    """
    n, m = log_lower.shape
    rows = np.repeat(np.arange(n), m)
    lower, upper = log_lower.ravel(), log_upper.ravel()
    result = np.where(np.isneginf(lower), -np.inf, np.where(np.isneginf(upper), np.inf, np.nan))
    inside = np.isfinite(lower) & np.isfinite(upper)
    if inside.any():
        index = np.flatnonzero(inside)
        result[index] = _solve_quantiles(log_weights, means, scales, rows[index], lower[index], upper[index])
    return result.reshape(n, m)


def _solve_quantiles(
    log_weights: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
    rows: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """Solve for a flat list of (row, level) pairs; see `mixture_quantile`."""
    sign = np.where(lower <= upper, 1.0, -1.0)  # +1: match log F in the lower half; −1: match log S in the upper half
    target = np.minimum(lower, upper)
    component_z = sign * ndtri_exp(target)
    heavy = log_weights[rows] >= target[:, None] + NEGLIGIBLE_LOG_SHARE
    component_quantile = means[rows] + scales[rows] * component_z[:, None]
    low = np.where(heavy, component_quantile, np.inf).min(axis=1)
    high = np.where(heavy, component_quantile, -np.inf).max(axis=1)
    margin = 4.0 * np.finfo(float).eps * np.maximum(np.abs(low), np.abs(high))
    margin += 1e-12 * scales[rows].max(axis=1)

    def excess(y: np.ndarray, active: np.ndarray) -> np.ndarray:
        w, mu, s = log_weights[rows[active]], means[rows[active]], scales[rows[active]]
        with np.errstate(over="ignore"):
            z = sign[active, None] * (y[:, None] - mu) / s
        return sign[active] * (logsumexp(w + log_ndtr(z), axis=1) - target[active])

    return chandrupatla(excess, low - margin, high + margin)


def chandrupatla(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
    *,
    max_iterations: int = MAX_ROOT_ITERATIONS,
) -> np.ndarray:
    """Roots of many increasing functions at once: of the two neighbouring floats around each, the one with the smaller value.

    Chandrupatla (1997), "A new hybrid quadratic/bisection algorithm", Advances in Engineering Software 28: inverse
    quadratic interpolation where it is safe, bisection elsewhere. `function(y, active)` takes the current points of the
    still active problems and their indices.

    Parameters
    ----------
    function : callable (y (a,), active (a,)) -> (a,)
    low, high : ndarray (p,)
        Brackets: function(low) ≤ 0 ≤ function(high), up to rounding.
    max_iterations : int
        Iterations at most.

    Returns
    -------
    ndarray (p,)
    """
    active = np.arange(low.size)
    b, a = low.astype(float), high.astype(float)
    fb, fa = function(b, active), function(a, active)
    root = np.where(np.abs(fb) < np.abs(fa), b, a)
    outside = (fb > 0) | (fa < 0)  # the bracket's end is the answer to rounding
    keep = ~outside & (fa != 0) & (fb != 0)
    active, a, b, fa, fb = (v[keep] for v in (active, a, b, fa, fb))
    t = np.full(active.size, 0.5)
    for _ in range(max_iterations):
        if active.size == 0:
            return root
        after_a, before_b = np.nextafter(a, b), np.nextafter(b, a)
        x = np.clip(a + t * (b - a), np.minimum(after_a, before_b), np.maximum(after_a, before_b))
        fx = function(x, active)
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        best_is_a = np.abs(fa) < np.abs(fb)
        best = np.where(best_is_a, a, b)
        root[active] = best
        going = (np.nextafter(a, b) != b) & (fa != 0)
        active, a, b, c, fa, fb, fc = (v[going] for v in (active, a, b, c, fa, fb, fc))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where f is flat or infinite: bisection
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            safe = (phi * phi < xi) & ((1 - phi) ** 2 < 1 - xi)
            quadratic = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        t = np.where(safe, quadratic, 0.5)
    raise ArithmeticError(f"{active.size} quantiles were not found in {max_iterations} iterations")
