"""Density of weighted draws, with a bandwidth that follows their lobes rather than their spread.

References
----------
Botev, Grotowski & Kroese (2010), "Kernel density estimation via diffusion", Annals of Statistics 38.
"""

import math

import numpy as np
from scipy.fft import dct
from scipy.optimize import brentq

#: Bins of the histogram, share of the range that is added on both sides, and the first of the derivatives that are estimated.
BINS, MARGIN, LEVELS = 2**10, 0.1, 7


def weighted_density(draws: np.ndarray, weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Kernel density estimate (g,); 0 where all are equal.

    Parameters
    ----------
    draws : ndarray (s,)
    weights : ndarray (s,)
        Summing to one.
    grid : ndarray (g,)
        Where it is wanted.

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.concatenate([np.linspace(-1.1, -0.9, 500), np.linspace(0.9, 1.1, 500)])
    >>> weighted_density(draws, np.full(1000, 0.001), np.array([-1.0, 0.0, 1.0])).round(1)
    array([2.5, 0. , 2.5])
    """
    from scipy.stats import gaussian_kde

    if draws.min() == draws.max():
        return np.zeros(len(grid))
    spread = math.sqrt(float(np.cov(draws, aweights=weights)))
    density: np.ndarray = gaussian_kde(draws, bandwidth(draws, weights) / spread, weights)(grid)
    return density


def bandwidth(draws: np.ndarray, weights: np.ndarray) -> float:
    """Standard deviation of the kernel, in units of the draws (s,) with these weights (s,).

    That of the diffusion whose time solves a fixed-point equation for the roughness of the density;
    Silverman's rule where it has no solution.
    """
    low, high = float(draws.min()), float(draws.max())
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    shares, _ = np.histogram(draws, BINS, (low, high), weights=weights / weights.sum())
    squares = 0.5 * dct(shares)[1:] ** 2
    size = float(weights.sum() ** 2 / (weights**2).sum())
    try:
        time = float(brentq(lambda t: t - _time(t, squares, size), 1e-12, 0.1))
    except ValueError:
        return float(0.9 * np.sqrt(np.cov(draws, aweights=weights)) * size**-0.2)
    return math.sqrt(time) * (high - low)


def _time(time: float, squares: np.ndarray, size: float) -> float:
    """The best diffusion time for a density whose highest derivative is smoothed for `time`, from squared coefficients (b,)."""
    roughness = _roughness(LEVELS, time, squares)
    for level in range(LEVELS - 1, 1, -1):
        odd = math.prod(range(1, 2 * level, 2)) / math.sqrt(2.0 * math.pi)
        factor = (1.0 + 0.5 ** (level + 0.5)) / 3.0
        time = (2.0 * factor * odd / (size * roughness)) ** (2.0 / (3.0 + 2.0 * level))
        roughness = _roughness(level, time, squares)
    return float((2.0 * size * math.sqrt(math.pi) * roughness) ** -0.4)


def _roughness(level: int, time: float, squares: np.ndarray) -> float:
    """Squared norm of the derivative of order `level` of the density that is smoothed for `time`."""
    frequency = (math.pi * np.arange(1.0, len(squares) + 1.0)) ** 2
    return max(float((frequency**level * squares * np.exp(-frequency * time)).sum()), np.finfo(float).tiny)
