"""Inverse problems, where y is drawn first and x given y: inverse wave and Bishop's.

References
----------
Bishop (1994), "Mixture Density Networks", NCRG/94/004, Aston University.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from condensity.datasets.synthetic.problem import (
    CONDITIONAL_ENTROPY,
    HALF_LOG_2PI,
    Problem,
    RandomState,
    generator,
    in_blocks,
    of_column,
    of_columns,
)


class _InverseProblem(NamedTuple):
    """y ~ U(low, high), x = curve(y) + scale · N(0, 1)."""

    low: float
    high: float
    scale: float
    curve: Callable[[np.ndarray], np.ndarray]

    def sample(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.uniform(self.low, self.high, n_samples)
        return rng.normal(self.curve(y), self.scale), y

    def log_density(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log of p(y | x) = N(x; g(y), s²) / ∫ N(x; g(t), s²) dt for y in the box, −inf outside."""
        log_ratio = -0.5 * ((x - self.curve(y)) / self.scale) ** 2 - in_blocks(self._log_integral, x)
        return np.where((y < self.low) | (y > self.high), -np.inf, log_ratio)

    def log_input_density(self, x: np.ndarray) -> np.ndarray:
        """Log of p(x) = ∫ N(x; g(t), s²) dt / (high − low)."""
        return in_blocks(self._log_integral, x) - np.log((self.high - self.low) * self.scale) - HALF_LOG_2PI

    def _log_integral(self, x: np.ndarray) -> np.ndarray:
        """Log of ∫ exp(−½ ((x − g(t)) / s)²) dt over the box."""
        t, log_width = _box_nodes(self.low, self.high)
        exponent = -0.5 * (x[:, None] / self.scale - self.curve(t) / self.scale) ** 2 + log_width
        largest = exponent.max(axis=1)
        return largest + np.log(np.exp(exponent - largest[:, None]).sum(axis=1))


@functools.cache
def _box_nodes(low: float, high: float, panels: int = 16, order: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and log weights on equal panels of (low, high).

    512 nodes give both integrals below to a relative 1e-12, up to 30 noise scales outside the curve.
    """
    node, weight = np.polynomial.legendre.leggauss(order)
    half = 0.5 * (high - low) / panels
    centre = low + half * (2.0 * np.arange(panels) + 1.0)
    return (centre[:, None] + half * node).ravel(), np.tile(np.log(half * weight), panels)


def _inverse_wave_curve(y: np.ndarray) -> np.ndarray:
    return 7.0 * np.sin(0.75 * y) + 0.5 * y


def _bishop_curve(y: np.ndarray) -> np.ndarray:
    return y + 0.3 * np.sin(2.0 * np.pi * y)


_INVERSE_WAVE = _InverseProblem(-10.5, 10.5, 1.0, _inverse_wave_curve)
_BISHOP = _InverseProblem(0.0, 1.0, 0.05, _bishop_curve)


@of_columns
def _inverse_wave_log_density(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _INVERSE_WAVE.log_density(x, y)


@of_columns
def _bishop_inverse_log_density(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _BISHOP.log_density(x, y)


@of_column
def _inverse_wave_log_input_density(x: np.ndarray) -> np.ndarray:
    return _INVERSE_WAVE.log_input_density(x)


@of_column
def _bishop_log_input_density(x: np.ndarray) -> np.ndarray:
    return _BISHOP.log_input_density(x)


def make_inverse_wave(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """A wave on its side: y ~ U(−10.5, 10.5), x = 7 sin .75y + .5y + N(0, 1); up to five modes at one x.

    p(y | x) = N(x; g(y), 1) / ∫ N(x; g(t), 1) dt inside the box.

    Parameters
    ----------
    n_samples : int
        At least 1.
    random_state : None, int, Generator or RandomState

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If n_samples is not a positive integer.

    Examples
    --------
    >>> make_inverse_wave(200, random_state=0).y.shape
    (200,)
    """
    x, y = _INVERSE_WAVE.sample(n_samples, generator(n_samples, random_state))
    return Problem(
        x[:, None],
        y,
        _inverse_wave_log_density,
        CONDITIONAL_ENTROPY["inverse wave"],
        "inverse wave",
        _inverse_wave_log_input_density,
    )


def make_bishop_inverse(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """Bishop's (1994) inverse problem with Gaussian noise: y ~ U(0, 1), x = y + .3 sin 2πy + .05 N(0, 1).

    Bishop's noise is uniform on ±.1, whose sharp edges no Gaussian mixture can follow; hence the Gaussian
    version. p(y | x) = N(x; g(y), .05²) / ∫ N(x; g(t), .05²) dt inside the box.

    Parameters
    ----------
    n_samples : int
        At least 1.
    random_state : None, int, Generator or RandomState

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If n_samples is not a positive integer.

    Examples
    --------
    >>> make_bishop_inverse(200, random_state=0).y.shape
    (200,)
    """
    x, y = _BISHOP.sample(n_samples, generator(n_samples, random_state))
    return Problem(
        x[:, None],
        y,
        _bishop_inverse_log_density,
        CONDITIONAL_ENTROPY["Bishop inverse"],
        "Bishop inverse",
        _bishop_log_input_density,
    )
