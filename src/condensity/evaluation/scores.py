"""Proper scores of a distribution and what came: all of them are losses, lower is better.

Each is a function of (mixture, y) with one number a row; `mean` averages them over rows, with sample weights:

    scores.mean(scores.crps(dist, y), sample_weight=w)

Letters: n rows, K components, q outputs, m levels. A proper score is least in expectation for the distribution that y comes
from (Gneiting & Raftery 2007). Infinite scores are kept: one impossible row makes the mean infinite, and that is the news.
"""

import numpy as np
from scipy.special import log_ndtr

from condensity.distributions.arguments import real

__all__ = ["crps", "energy_score", "grid_proof_score", "interval_score", "log_score", "mean", "pinball"]

#: Up to this half width in units of σ, and of σ²/|y − μ|, a cell is integrated; wider ones are a difference of two tails.
WIDE = 1.0

#: On narrower cells the density varies by e^±1.5 at most: ten Gauss–Legendre nodes are exact to rounding.
GAUSS_NODES, GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(10)

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


def mean(values, *, sample_weight=None):
    """Average of a score over rows.

    Parameters
    ----------
    values : array-like (n,) or (n, m)
        One score a row, as the functions here give.
    sample_weight : array-like (n,), optional
        ≥ 0. A weight of 2 is a row that came twice; a weight of 0 is a row that is absent, whatever its score.

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
    >>> mean([1.0, 2.0, 6.0], sample_weight=[1, 1, 2])
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


def log_score(mixture, y):
    """Negative log density −log p(y), in nats; a loss, lower is better.

    Parameters
    ----------
    mixture : Mixture
        Where its mass is below 1 the density is that of the known part.
    y : array-like (n,), (n, 1) or, for several outputs, (n, q)
        Row-wise, in data units.

    Returns
    -------
    ndarray (n,)
    """
    return -mixture.logpdf(_rowwise(mixture, y))


def crps(mixture, y):
    """Continuous ranked probability score ∫ (F(x) − 1{y ≤ x})² dx, in units of y; a loss, lower is better.

    Parameters
    ----------
    mixture : Mixture
        One output, mass 1.
    y : array-like (n,) or (n, 1)

    Returns
    -------
    ndarray (n,)
    """
    return mixture.crps(_rowwise(mixture, y))


def energy_score(mixture, y):
    """Energy score E‖Y − y‖ − ½ E‖Y − Y′‖; a loss, lower is better. With one output it is the CRPS.

    The outputs' units enter as they are: bring outputs of different units to common ones first.

    Parameters
    ----------
    mixture : Mixture
        Mass 1.
    y : array-like (n,), (n, 1) or, for several outputs, (n, q)

    Returns
    -------
    ndarray (n,)
    """
    return mixture.energy_score(_rowwise(mixture, y))


def pinball(mixture, y, levels):
    """Pinball (quantile) loss max(p (y − F⁻¹(p)), (p − 1)(y − F⁻¹(p))), in units of y; a loss, lower is better.

    Its integral over all levels p is half the CRPS.

    Parameters
    ----------
    mixture : Mixture
        One output, mass 1.
    y : array-like (n,) or (n, 1)
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
    """
    y = _rowwise(mixture, y)
    levels = real("levels", levels)
    if levels.ndim > 1 or levels.size == 0:
        raise ValueError(f"levels must be a number or a list of numbers (m,); got shape {levels.shape}.")
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"levels must lie between 0 and 1, both excluded; got {levels!r}.")
    excess = (y if levels.ndim == 0 else y[:, None]) - mixture.ppf(levels)
    return np.maximum(levels * excess, (levels - 1.0) * excess)


def interval_score(mixture, y, level=0.9):
    """Score of the central interval [l, u] (Winkler 1972), in units of y; a loss, lower is better.

        (u − l) + (2 / (1 − level)) · (max(l − y, 0) + max(y − u, 0))

    Parameters
    ----------
    mixture : Mixture
        One output, mass 1.
    y : array-like (n,) or (n, 1)
    level : float, default 0.9
        Between 0 and 1, both excluded.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    ValueError
        Unless 0 < level < 1.
    """
    y = _rowwise(mixture, y)
    low, high = mixture.interval(level).T
    return (high - low) + (2.0 / (1.0 - level)) * (np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0))


def grid_proof_score(mixture, y, resolution):
    """Negative log of the mean density over the cell that y was rounded to, in nats; a loss, lower is better.

        −log((F(y + h/2) − F(y − h/2)) / h)

    A density can raise its likelihood without bound by spikes on the grid that y is recorded on; not this one. Where it
    differs from the log score by more than 0.05, the log score is no evidence of skill.

    Parameters
    ----------
    mixture : Mixture
        One output. Where its mass is below 1 the probability is that of the known part.
    y : array-like (n,) or (n, 1)
    resolution : float or array-like (n,)
        h > 0, the distance between neighbouring values that y can take, in data units.

    Returns
    -------
    ndarray (n,)
        As exact for cells far in the tail or much narrower than σ as for others: nothing is subtracted there.

    Raises
    ------
    ValueError
        For a resolution that is not positive and finite.
    """
    y = _rowwise(mixture, y)
    if mixture.n_outputs > 1:
        raise ValueError("grid_proof_score is for one output; choose one with mixture.marginal(j) and y[:, j].")
    width = real("resolution", resolution)
    if width.shape not in {(), y.shape}:
        raise ValueError(f"resolution must be a number or have shape {y.shape}; got shape {width.shape}.")
    if not (np.isfinite(width) & (width > 0)).all():
        raise ValueError(f"resolution must be > 0 and finite; got {resolution!r}.")
    log_density = np.full(y.shape, -np.inf)
    for k in range(mixture.n_components):
        cell = _log_mean_density(y - mixture.means[:, k], width, mixture.scales[:, k])
        with np.errstate(invalid="ignore"):  # where y is nan, so is its score
            log_density = np.logaddexp(log_density, mixture.log_weights[:, k] + cell)
    return -log_density


def _log_mean_density(difference, width, scale):
    """Log of (Φ((d + h/2)/σ) − Φ((d − h/2)/σ)) / h.

    By symmetry d ≥ 0 is mirrored to the lower tail, where log Φ keeps its digits. Neighbouring values of Φ would cancel:
    narrow cells are the density at d times the mean over the cell of what it is relative to that.
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


def _rowwise(mixture, y):
    """Float64 y, (n,) for one output and (n, q) for several, or an error that names what was expected."""
    array = real("y", y)
    n, q = len(mixture), mixture.n_outputs
    if q == 1 and array.shape == (n, 1):
        array = array[:, 0]
    expected = (n,) if q == 1 else (n, q)
    if array.shape != expected:
        raise ValueError(f"y must be row-wise, shape {expected}, one row for each of the mixture's; got {array.shape}.")
    return array
