"""Problems whose conditional density has a closed form: noisy wave, cross, two-branch."""

import numpy as np
from scipy.special import log_expit

from condensity.datasets.synthetic.problem import (
    CONDITIONAL_ENTROPY,
    Problem,
    RandomState,
    generator,
    log_normal,
    log_uniform_to_2,
    log_uniform_to_3,
    of_columns,
)


def _wave_scale(x: np.ndarray) -> np.ndarray:
    return 0.05 + 0.15 * np.abs(x)


@of_columns
def _noisy_wave_log_density(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return log_normal(y, np.sin(2.0 * x), _wave_scale(x))


def make_noisy_wave(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """One wave whose noise grows away from the middle: x ~ U(−3, 3), `y ~ N(sin 2x, (.05 + .15 |x|)²)`.

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
    >>> problem = make_noisy_wave(5, random_state=0)
    >>> problem.X.shape, problem.log_density(problem.X, problem.y).shape
    ((5, 1), (5,))
    """
    rng = generator(n_samples, random_state)
    x = rng.uniform(-3.0, 3.0, n_samples)
    y = rng.normal(np.sin(2.0 * x), _wave_scale(x))
    return Problem(
        x[:, None], y, _noisy_wave_log_density, CONDITIONAL_ENTROPY["noisy wave"], "noisy wave", log_uniform_to_3
    )


CROSS_SCALE = 0.15


@of_columns
def _cross_log_density(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    branches = np.logaddexp(log_normal(y, x, CROSS_SCALE), log_normal(y, -x, CROSS_SCALE))
    return branches - np.log(2.0)


def make_cross(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """Two crossing lines: x ~ U(−2, 2), y = s x + .15 N(0, 1) with s = ±1 equally likely.

    p(y | x) = ½ N(y; x, .15²) + ½ N(y; −x, .15²).

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
    >>> make_cross(200, random_state=0).y.shape
    (200,)
    """
    rng = generator(n_samples, random_state)
    x = rng.uniform(-2.0, 2.0, n_samples)
    sign = rng.choice([-1.0, 1.0], n_samples)
    y = rng.normal(sign * x, CROSS_SCALE)
    return Problem(x[:, None], y, _cross_log_density, CONDITIONAL_ENTROPY["cross"], "cross", log_uniform_to_2)


BRANCH_SCALE = 0.15


def _branches(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and scale of the two branches of `make_two_branch`: (upper mean, upper scale, lower mean)."""
    wave = np.sin(1.5 * x) + 0.5 * x
    return wave, 0.1 + 0.08 * np.abs(x), 0.3 * x**2 - wave - 1.0


@of_columns
def _two_branch_log_density(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    upper, upper_scale, lower = _branches(x)
    return np.logaddexp(
        log_expit(x) + log_normal(y, upper, upper_scale), log_expit(-x) + log_normal(y, lower, BRANCH_SCALE)
    )


def make_two_branch(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """Two branches whose weights change with x: x ~ U(−3, 3), c ~ Bernoulli(1 / (1 + e^(−x))).

    `y | c = 1` is `N(sin 1.5x + .5x, (.1 + .08 |x|)²)`; `y | c = 0` is `N(−sin 1.5x − .5x + .3x² − 1, .15²)`.


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
    >>> make_two_branch(200, random_state=0).y.shape
    (200,)
    """
    rng = generator(n_samples, random_state)
    x = rng.uniform(-3.0, 3.0, n_samples)
    is_upper = np.log(rng.random(n_samples)) < log_expit(x)
    upper, upper_scale, lower = _branches(x)
    y = rng.normal(np.where(is_upper, upper, lower), np.where(is_upper, upper_scale, BRANCH_SCALE))
    return Problem(
        x[:, None], y, _two_branch_log_density, CONDITIONAL_ENTROPY["two-branch"], "two-branch", log_uniform_to_3
    )
