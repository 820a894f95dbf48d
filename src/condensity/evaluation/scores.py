"""Proper scores of distributions against observed y: all of them are losses, lower is better.

Each is a function of (dist, y) with one number per row; `mean` averages them over rows, with sample weights:

    scores.mean(scores.crps(dist, y), sample_weight=w)

Letters: n rows, K components, q outputs, m levels. A proper score is least in expectation for the distribution that y comes
from (Gneiting & Raftery 2007). Infinite scores are kept: one row of density 0 makes the mean infinite.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from condensity.distributions import Distribution, Mixture, MonotoneMap, TransformedMixture
from condensity.distributions.arguments import real
from condensity.distributions.guards import is_complete

__all__ = ["crps", "energy_score", "grid_proof_score", "interval_score", "log_score", "mean", "pinball"]

#: Up to this half width in units of σ, and of σ²/|y − μ|, a cell is integrated; wider ones are a difference of two tails.
WIDE = 1.0

#: On narrower cells the density varies by e^±1.5 at most: ten Gauss–Legendre nodes are exact to rounding.
GAUSS_NODES, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(10)

#: Standard deviations from a component beyond which its mass is below the smallest float64.
NEGLIGIBLE = 40.0

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


def mean(values: npt.ArrayLike, *, sample_weight: npt.ArrayLike | None = None) -> np.float64 | np.ndarray:
    """Average of a score over rows.

    Parameters
    ----------
    values : array-like (n,) or (n, m)
        One score per row, or one per row and level.
    sample_weight : array-like (n,), optional
        ≥ 0. A weight of 2 counts a row twice; a weight of 0 leaves it out, whatever its score.

    Returns
    -------
    float or ndarray (m,)
        Infinite where a score of positive weight is, nan where one is nan.

    Raises
    ------
    ValueError
        For no rows, and for weights that are negative, not finite, all zero or of the wrong length.

    Examples
    --------
    >>> from condensity import scores
    >>> scores.mean([1.0, 2.0, 6.0], sample_weight=[1, 1, 2])
    np.float64(3.75)
    """
    values = real("values", values)
    if values.ndim not in {1, 2} or len(values) == 0:
        raise ValueError(f"values must have shape (n,) or (n, m) with n >= 1; got {values.shape}.")
    weights = np.ones(len(values)) if sample_weight is None else real("sample_weight", sample_weight)
    if weights.shape != (len(values),):
        raise ValueError(f"sample_weight must have one number a row, shape ({len(values)},); got {weights.shape}.")
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"sample_weight must be finite and >= 0; row {row} is {weights[row]!r}. Drop or mend such rows."
        )
    if not weights.any():
        raise ValueError("sample_weight must not be 0 in every row: there is nothing to average.")
    present = weights > 0  # 0 · inf would be nan
    share = weights[present] / weights.max()
    with np.errstate(invalid="ignore"):  # inf beside −inf is nan
        return (share @ values[present]) / share.sum()


def log_score(dist: Distribution, y: npt.ArrayLike) -> np.ndarray:
    """Negative log density −log p(y) of y (n,) or (n, q), in nats; a loss, lower is better.

    Parameters
    ----------
    dist : Distribution (n rows)
        Where its mass is below 1 the density is that of the known part.
    y : array-like (n,), (n, 1) or, for several outputs, (n, q)
        One value per row, in data units.

    Returns
    -------
    ndarray (n,)

    Examples
    --------
    >>> from condensity import Mixture, scores
    >>> dist = Mixture(weights=[[1.0], [1.0]], means=[[0.0], [0.0]], scales=[[1.0], [2.0]])
    >>> scores.log_score(dist, [0.0, 0.0]).round(3)
    array([0.919, 1.612])
    """
    return -dist.logpdf(_rowwise(dist, y))


def crps(dist: Distribution, y: npt.ArrayLike) -> np.ndarray:
    """Continuous ranked probability score ∫ (F(x) − 1{y ≤ x})² dx of y (n,), in units of y; a loss, lower is better.

    Parameters
    ----------
    dist : Distribution (n rows)
        One output, mass 1.
    y : array-like (n,) or (n, 1)
        One value per row, in data units.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    ValueError
        Where the kind of distribution has no exact form; `dist.has("crps")` tells.

    Examples
    --------
    >>> from condensity import Mixture, scores
    >>> dist = Mixture(weights=[[1.0], [1.0]], means=[[0.0], [0.0]], scales=[[1.0], [2.0]])
    >>> scores.crps(dist, [0.0, 0.0]).round(3)
    array([0.234, 0.467])
    """
    return dist.crps(_rowwise(dist, y))


def energy_score(dist: Distribution, y: npt.ArrayLike) -> np.ndarray:
    """Energy score E‖Y − y‖ − ½ E‖Y − Y′‖ of y (n,) or (n, q); a loss, lower is better. With one output it is the CRPS.

    Distances are in the units of y: bring outputs of different units to common ones first.

    Parameters
    ----------
    dist : Distribution (n rows)
        Mass 1.
    y : array-like (n,), (n, 1) or, for several outputs, (n, q)
        One value per row, in data units.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    ValueError
        Where the kind of distribution has no exact form; `dist.has("energy_score")` tells.

    Examples
    --------
    >>> from condensity import Mixture, scores
    >>> dist = Mixture(weights=[[1.0]], means=[[[0.0, 0.0]]], scales=[[[1.0, 1.0]]])
    >>> scores.energy_score(dist, [[0.0, 0.0]]).round(3)
    array([0.367])
    """
    return dist.energy_score(_rowwise(dist, y))


def pinball(dist: Distribution, y: npt.ArrayLike, levels: npt.ArrayLike) -> np.ndarray:
    """Pinball (quantile) loss max(p (y − F⁻¹(p)), (p − 1)(y − F⁻¹(p))) of y (n,), in its units; a loss, lower is better.

    Levels p are a number or (m,); the integral over all of them is half the CRPS.

    Parameters
    ----------
    dist : Distribution (n rows)
        One output, mass 1.
    y : array-like (n,) or (n, 1)
        One value per row, in data units.
    levels : float or array-like (m,)
        Between 0 and 1, both excluded.

    Returns
    -------
    ndarray (n,) or (n, m)
        (n,) for one level given as a number.

    Raises
    ------
    ValueError
        For levels outside (0, 1).

    Examples
    --------
    >>> from condensity import Mixture, scores
    >>> dist = Mixture(weights=[[1.0], [1.0]], means=[[0.0], [0.0]], scales=[[1.0], [2.0]])
    >>> scores.pinball(dist, [1.0, 1.0], [0.1, 0.5]).round(3)
    array([[0.228, 0.5  ],
           [0.356, 0.5  ]])
    """
    y = _rowwise(dist, y)
    levels = real("levels", levels)
    if levels.ndim > 1 or levels.size == 0:
        raise ValueError(f"levels must be a number or a list of numbers (m,); got shape {levels.shape}.")
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"levels must lie between 0 and 1, both excluded; got {levels!r}.")
    if not is_complete(dist.mass):
        raise ValueError(
            f"pinball needs every row's mass to be 1; the smallest is {dist.mass.min():.6g}, the rest being unknown. "
            "Score normalized() to ask about the known part alone."
        )
    excess = (y if levels.ndim == 0 else y[:, None]) - dist.ppf(levels)
    return np.maximum(levels * excess, (levels - 1.0) * excess)


def interval_score(dist: Distribution, y: npt.ArrayLike, level: float = 0.9) -> np.ndarray:
    """Score of the central interval [l, u] for y (n,) (Winkler 1972), in units of y; a loss, lower is better.

        (u − l) + (2 / (1 − level)) · (max(l − y, 0) + max(y − u, 0))

    Parameters
    ----------
    dist : Distribution (n rows)
        One output, mass 1.
    y : array-like (n,) or (n, 1)
        One value per row, in data units.
    level : float, default 0.9
        Between 0 and 1, both excluded.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    ValueError
        Unless 0 < level < 1.

    Examples
    --------
    >>> from condensity import Mixture, scores
    >>> dist = Mixture(weights=[[1.0], [1.0]], means=[[0.0], [0.0]], scales=[[1.0], [2.0]])
    >>> scores.interval_score(dist, [0.0, 4.0], level=0.9).round(2)
    array([ 3.29, 20.79])
    """
    y = _rowwise(dist, y)
    low, high = dist.interval(level).T
    return (high - low) + (2.0 / (1.0 - level)) * (np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0))


def grid_proof_score(dist: Distribution, y: npt.ArrayLike, resolution: npt.ArrayLike) -> np.ndarray:
    """Negative log of the mean density over the cell that y (n,) was rounded to, in nats; a loss, lower is better.

        −log((F(y + h/2) − F(y − h/2)) / h)

    Narrow peaks on the grid that y is recorded on raise a likelihood without bound, but not this score. Where the two differ
    by more than 0.05, the log score is no evidence of skill.

    Parameters
    ----------
    dist : Distribution (n rows)
        One output. Where its mass is below 1 the probability is that of the known part.
    y : array-like (n,) or (n, 1)
        One value per row, in data units.
    resolution : float or array-like (n,)
        h > 0, the distance between neighbouring values that y can take, in data units.

    Returns
    -------
    ndarray (n,)
        To 12 digits also for cells far in a tail or much narrower than σ: there, nothing is subtracted.

    Raises
    ------
    ValueError
        For several outputs, and for a resolution that is not positive and finite.
    TypeError
        For other kinds of distributions.

    Examples
    --------
    >>> from condensity import Mixture, scores
    >>> dist = Mixture(weights=[[1.0], [1.0]], means=[[0.0], [0.0]], scales=[[1.0], [0.1]])
    >>> scores.log_score(dist, [0.0, 0.0]).round(2), scores.grid_proof_score(dist, [0.0, 0.0], 1.0).round(2)
    (array([ 0.92, -1.38]), array([0.96, 0.  ]))
    """
    y = _rowwise(dist, y)
    if dist.n_outputs > 1:
        raise ValueError("grid_proof_score is for one output; choose one with mixture.marginal(j) and y[:, j].")
    width = real("resolution", resolution)
    if width.shape not in {(), y.shape}:
        raise ValueError(f"resolution must be a number or have shape {y.shape}; got shape {width.shape}.")
    if not (np.isfinite(width) & (width > 0)).all():
        raise ValueError(f"resolution must be > 0 and finite; got {resolution!r}.")
    if isinstance(dist, TransformedMixture):
        return _transformed_cells(dist, y, width)
    if isinstance(dist, Mixture):
        return -_log_mean_densities(dist, y, width)
    raise TypeError(f"grid_proof_score is for Mixture and TransformedMixture; got {type(dist).__name__}.")


def _transformed_cells(dist: TransformedMixture, y: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Grid-proof scores of y where u = t(y) is a mixture: the cell is mapped to u, its ends held within the domain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.array([_mapped_end(dist.transform, y, sign * 0.5 * width) for sign in (-1.0, 1.0)])
        low, high = np.clip(np.sort(ends, axis=0), *_negligible_ends(dist.base, np.sort(ends, axis=0)))
        score = -_log_mean_densities(dist.base, 0.5 * (low + high), high - low) + np.log(width / (high - low))
    return np.where(high > low, score, np.where(np.isnan(y), np.nan, np.inf))


def _mapped_end(transform: MonotoneMap, y: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The u of y + offset; beyond the domain, the infinite one of that side."""
    u = transform.forward(np.clip(y + offset, *transform.domain))
    beyond = np.copysign(np.inf, offset) * (1.0 if transform.increasing else -1.0)
    return np.where(np.isnan(u) & ~np.isnan(transform.forward(y)), beyond, u)


def _negligible_ends(base: Mixture, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finite ends (n,) beyond which no component has mass next to that of a cell with the other end of `ends` (2, n)."""
    reach = NEGLIGIBLE * base.scales.max(axis=1)
    finite = np.where(np.isfinite(ends), ends, base.means[:, 0])
    low = np.minimum((base.means - NEGLIGIBLE * base.scales).min(axis=1), finite[1] - reach)
    return low, np.maximum((base.means + NEGLIGIBLE * base.scales).max(axis=1), finite[0] + reach)


def _log_mean_densities(mixture: Mixture, y: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Log (n,) of the mean density of a mixture over cells of this width around y."""
    log_density = np.full(y.shape, -np.inf)
    for k in range(mixture.n_components):
        cell = _log_mean_density(y - mixture.means[:, k], width, mixture.scales[:, k])
        with np.errstate(invalid="ignore"):  # where y is nan, so is its score
            log_density = np.logaddexp(log_density, mixture.log_weights[:, k] + cell)
    return log_density


def _log_mean_density(difference: np.ndarray, width: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Log of (Φ((d + h/2)/σ) − Φ((d − h/2)/σ)) / h.

    By symmetry d ≥ 0 is mirrored to the lower tail, where log Φ keeps its digits. Neighbouring values of Φ would cancel:
    narrow cells are the density at d times the mean of the density relative to it over the cell.
    """
    distance = np.abs(difference)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        z, half = distance / scale, 0.5 * width / scale
        upper, lower = log_ndtr((0.5 * width - distance) / scale), log_ndtr(-(0.5 * width + distance) / scale)
        wide = upper + np.log1p(-np.exp(lower - upper)) - np.log(width)
        wide = np.where(np.isneginf(upper), -np.inf, wide)
        is_wide = np.maximum(half, z * half) > WIDE
        z, half = (np.where(is_wide, 0.0, part) for part in (z, half))
        relative = sum(
            0.5 * weight * np.exp(-half * node * (z + 0.5 * half * node))
            for node, weight in zip(GAUSS_NODES, GAUSS_WEIGHTS, strict=True)
        )
        narrow = np.log(relative) - 0.5 * z * z - HALF_LOG_2PI - np.log(scale)
    return np.where(is_wide, wide, narrow)


def _rowwise(dist: Distribution, y: npt.ArrayLike) -> np.ndarray:
    """Float64 y, (n,) for one output and (n, q) for several, or an error that names the shape expected."""
    array = real("y", y)
    n, q = len(dist), dist.n_outputs
    if q == 1 and array.shape == (n, 1):
        array = array[:, 0]
    expected = (n,) if q == 1 else (n, q)
    if array.shape != expected:
        raise ValueError(f"y must be row-wise, shape {expected}, one row for each of the mixture's; got {array.shape}.")
    return array
