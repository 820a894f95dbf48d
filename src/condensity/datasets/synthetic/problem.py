"""A problem with a known density, and what its makers share."""

import functools
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from condensity.random import as_generator

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)

#: Rows whose normalising integral is evaluated at once: 512 rows × 512 nodes of float64 are 2 MB.
BLOCK_ROWS = 512

LogDensity = Callable[[npt.ArrayLike, npt.ArrayLike], np.ndarray]
LogInputDensity = Callable[[npt.ArrayLike], np.ndarray]
RandomState = None | int | np.random.Generator | np.random.RandomState


#: H* in nats, by Gauss–Legendre quadrature on two grids that agree to 1e-13; the tests recompute every one.
CONDITIONAL_ENTROPY = {
    "noisy wave": -0.01836586,
    "cross": 0.15746914,
    "ring": 2.21834708,
    "inverse wave": 1.28800944,
    "Bishop inverse": -1.22626926,
    "two-branch": 0.11845343,
}


class Problem(NamedTuple):
    """A sample together with the density that it was drawn from.

    Attributes
    ----------
    X : ndarray (n, 1)
    y : ndarray (n,)
    log_density : callable (X (n,) or (n, 1), y (n,)) -> ndarray (n,)
        The exact log p(y | x); −inf where the density is zero. It can be pickled.
    conditional_entropy : float
        H* = −E log p(y | x), in nats.
    name : str
    log_input_density : callable (X (n,) or (n, 1)) -> ndarray (n,)
        The exact log p(x); −inf where the density is zero.

    Examples
    --------
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(3, random_state=0)
    >>> problem.name, round(problem.conditional_entropy, 3), problem.log_joint_density([5.0], [0.0])
    ('cross', 0.157, array([-inf]))
    """

    X: np.ndarray
    y: np.ndarray
    log_density: LogDensity
    conditional_entropy: float
    name: str
    log_input_density: LogInputDensity

    def log_joint_density(self, X: npt.ArrayLike, y: npt.ArrayLike) -> np.ndarray:
        """The exact log p(x, y), in nats, at rows X (n,) or (n, 1) and y (n,): (n,); −inf where it is zero."""
        result, X, y = np.array(self.log_input_density(X)), np.asarray(X), np.asarray(y)
        possible = np.isfinite(result)
        result[possible] += self.log_density(X[possible], y[possible])
        return result


def generator(n_samples: Any, random_state: RandomState) -> np.random.Generator:
    """Check n_samples and turn `random_state` into a Generator.

    Parameters
    ----------
    n_samples : int
        At least 1.
    random_state : None, int, Generator or RandomState

    Raises
    ------
    ValueError
        If n_samples is not a positive integer.
    """
    if not isinstance(n_samples, numbers.Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be an integer of at least 1; got {n_samples!r}.")
    return as_generator(random_state)


def of_columns(log_density: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> LogDensity:
    """Let a log density of two (n,) arrays take X of shape (n,) or (n, 1).

    Parameters
    ----------
    log_density : callable (x (n,), y (n,)) -> ndarray (n,)
    """

    @functools.wraps(log_density)
    def checked(X: npt.ArrayLike, y: npt.ArrayLike) -> np.ndarray:
        x, y = as_column(X), np.asarray(y, dtype=float)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(
                f"X must have shape (n,) or (n, 1) and y shape (n,); got X {np.shape(X)} and y {np.shape(y)}."
            )
        return log_density(x, y)

    return checked


def as_column(X: npt.ArrayLike) -> np.ndarray:
    """X of shape (n,) or (n, 1) as (n,); anything else as it is.

    Parameters
    ----------
    X : array-like
    """
    x = np.asarray(X, dtype=float)
    return x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x


def of_column(log_density: Callable[[np.ndarray], np.ndarray]) -> LogInputDensity:
    """Let a log density of an (n,) array take X of shape (n,) or (n, 1).

    Parameters
    ----------
    log_density : callable (x (n,)) -> ndarray (n,)
    """

    @functools.wraps(log_density)
    def checked(X: npt.ArrayLike) -> np.ndarray:
        x = as_column(X)
        if x.ndim != 1:
            raise ValueError(f"X must have shape (n,) or (n, 1); got {np.shape(X)}.")
        return log_density(x)

    return checked


def log_uniform(x: np.ndarray, half_width: float) -> np.ndarray:
    """Log density of U(−half_width, half_width).

    Parameters
    ----------
    x : ndarray (n,)
    half_width : float
    """
    return np.where(np.abs(x) <= half_width, -np.log(2.0 * half_width), -np.inf)


@of_column
def log_uniform_to_2(x: np.ndarray) -> np.ndarray:
    """Log density of U(−2, 2).

    Parameters
    ----------
    x : ndarray (n,)
    """
    return log_uniform(x, 2.0)


@of_column
def log_uniform_to_3(x: np.ndarray) -> np.ndarray:
    """Log density of U(−3, 3).

    Parameters
    ----------
    x : ndarray (n,)
    """
    return log_uniform(x, 3.0)


def in_blocks(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Evaluate `function` (m,) -> (m,) on blocks of rows, so that its (m, nodes) arrays stay small.

    Parameters
    ----------
    function : callable (ndarray (m,)) -> ndarray (m,)
    x : ndarray (n,)
    """
    return np.concatenate([function(x[i : i + BLOCK_ROWS]) for i in range(0, max(x.size, 1), BLOCK_ROWS)])


def log_normal(y: np.ndarray, mean: np.ndarray | float, scale: np.ndarray | float) -> np.ndarray:
    """Log N(y; mean, scale²), in nats, at y (n,) for a mean and a scale that are numbers or (n,)."""
    return -0.5 * ((y - mean) / scale) ** 2 - np.log(scale) - HALF_LOG_2PI
