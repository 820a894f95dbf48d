"""Problems whose conditional density p(y | x) is known exactly, so that NLL − H* can be reported.

Every maker draws (x, y) and returns a `Problem`, which also carries log p(y | x) as a function and the
conditional entropy H* = −E log p(y | x) in nats: the smallest expected negative log likelihood that any model
can reach. The four odd sets stand for those of Warmerdam (2017), who published pictures but no formulas.

References
----------
Bishop (1994), "Mixture Density Networks", NCRG/94/004, Aston University: the inverse problem.
Warmerdam (2017), "Feed Forward Posteriors": the odd sets.
"""

import functools
import numbers
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import log_expit

from condensity.random import as_generator

HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)

#: Rows whose normalising integral is evaluated at once: 512 rows × 512 nodes of float64 are 2 MB.
BLOCK_ROWS = 512

LogDensity = Callable[[np.ndarray, np.ndarray], np.ndarray]
LogInputDensity = Callable[[np.ndarray], np.ndarray]
RandomState = None | int | np.random.Generator | np.random.RandomState


class Problem(NamedTuple):
    """A sample together with the truth it was drawn from.

    Attributes
    ----------
    X : ndarray (n, 1)
    y : ndarray (n,)
    log_density : callable (X (n,) or (n, 1), y (n,)) -> ndarray (n,)
        The exact log p(y | x); −inf where the density is zero. It can be pickled.
    entropy : float
        H* = −E log p(y | x), in nats.
    name : str
    log_input_density : callable (X (n,) or (n, 1)) -> ndarray (n,)
        The exact log p(x); −inf where the density is zero.
    """

    X: np.ndarray
    y: np.ndarray
    log_density: LogDensity
    entropy: float
    name: str
    log_input_density: LogInputDensity

    def log_joint_density(self, X, y):
        """The exact log p(x, y) at rows X (n,) or (n, 1) and y (n,); −inf where it is zero."""
        result, X, y = np.array(self.log_input_density(X)), np.asarray(X), np.asarray(y)
        possible = np.isfinite(result)
        result[possible] += self.log_density(X[possible], y[possible])
        return result


# ---------------------------------------------------------------- what the problems share


def _generator(n_samples, random_state):
    """Check n_samples and turn `random_state` into a Generator."""
    if not isinstance(n_samples, numbers.Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be an integer of at least 1; got {n_samples!r}.")
    return as_generator(random_state)


def _of_columns(log_density: LogDensity) -> LogDensity:
    """Let a log density of two (n,) arrays take X of shape (n,) or (n, 1)."""

    @functools.wraps(log_density)
    def checked(X, y):
        x, y = _as_column(X), np.asarray(y, dtype=float)
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(
                f"X must have shape (n,) or (n, 1) and y shape (n,); got X {np.shape(X)} and y {np.shape(y)}."
            )
        return log_density(x, y)

    return checked


def _as_column(X):
    """X of shape (n,) or (n, 1) as (n,); anything else as it is."""
    x = np.asarray(X, dtype=float)
    return x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x


def _of_column(log_density: LogInputDensity) -> LogInputDensity:
    """Let a log density of an (n,) array take X of shape (n,) or (n, 1)."""

    @functools.wraps(log_density)
    def checked(X):
        x = _as_column(X)
        if x.ndim != 1:
            raise ValueError(f"X must have shape (n,) or (n, 1); got {np.shape(X)}.")
        return log_density(x)

    return checked


def _log_uniform(x, half_width):
    """Log density of U(−half_width, half_width)."""
    return np.where(np.abs(x) <= half_width, -np.log(2.0 * half_width), -np.inf)


@_of_column
def _log_uniform_to_2(x):
    return _log_uniform(x, 2.0)


@_of_column
def _log_uniform_to_3(x):
    return _log_uniform(x, 3.0)


def _in_blocks(function, x):
    """Evaluate `function` (m,) -> (m,) on blocks of rows, so that its (m, nodes) arrays stay small."""
    return np.concatenate([function(x[i : i + BLOCK_ROWS]) for i in range(0, max(x.size, 1), BLOCK_ROWS)])


def _log_normal(y, mean, scale):
    """Log N(y; mean, scale²)."""
    return -0.5 * ((y - mean) / scale) ** 2 - np.log(scale) - HALF_LOG_2PI


# ---------------------------------------------------------------- closed forms


def _wave_scale(x):
    return 0.05 + 0.15 * np.abs(x)


@_of_columns
def _noisy_wave_log_density(x, y):
    return _log_normal(y, np.sin(2.0 * x), _wave_scale(x))


def make_noisy_wave(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """One wave whose noise grows away from the middle: x ~ U(−3, 3), y ~ N(sin 2x, (.05 + .15 |x|)²).

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
    rng = _generator(n_samples, random_state)
    x = rng.uniform(-3.0, 3.0, n_samples)
    y = rng.normal(np.sin(2.0 * x), _wave_scale(x))
    return Problem(x[:, None], y, _noisy_wave_log_density, ENTROPY["noisy wave"], "noisy wave", _log_uniform_to_3)


CROSS_SCALE = 0.15


@_of_columns
def _cross_log_density(x, y):
    branches = np.logaddexp(_log_normal(y, x, CROSS_SCALE), _log_normal(y, -x, CROSS_SCALE))
    return branches - np.log(2.0)


def make_cross(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """Two crossing lines: x ~ U(−2, 2), y = s x + .15 N(0, 1) with s = ±1 equally likely.

    p(y | x) = ½ N(y; x, .15²) + ½ N(y; −x, .15²). Parameters, result and errors as for `make_noisy_wave`.
    """
    rng = _generator(n_samples, random_state)
    x = rng.uniform(-2.0, 2.0, n_samples)
    sign = rng.choice([-1.0, 1.0], n_samples)
    y = rng.normal(sign * x, CROSS_SCALE)
    return Problem(x[:, None], y, _cross_log_density, ENTROPY["cross"], "cross", _log_uniform_to_2)


BRANCH_SCALE = 0.15


def _branches(x):
    """Mean and scale of the two branches of `make_two_branch`: (upper mean, upper scale, lower mean)."""
    wave = np.sin(1.5 * x) + 0.5 * x
    return wave, 0.1 + 0.08 * np.abs(x), 0.3 * x**2 - wave - 1.0


@_of_columns
def _two_branch_log_density(x, y):
    upper, upper_scale, lower = _branches(x)
    return np.logaddexp(
        log_expit(x) + _log_normal(y, upper, upper_scale), log_expit(-x) + _log_normal(y, lower, BRANCH_SCALE)
    )


def make_two_branch(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """Two branches whose weights change with x: x ~ U(−3, 3), c ~ Bernoulli(1 / (1 + e^(−x))).

    y | c = 1 is N(sin 1.5x + .5x, (.1 + .08 |x|)²); y | c = 0 is N(−sin 1.5x − .5x + .3x² − 1, .15²).
    Parameters, result and errors as for `make_noisy_wave`.
    """
    rng = _generator(n_samples, random_state)
    x = rng.uniform(-3.0, 3.0, n_samples)
    is_upper = np.log(rng.random(n_samples)) < log_expit(x)
    upper, upper_scale, lower = _branches(x)
    y = rng.normal(np.where(is_upper, upper, lower), np.where(is_upper, upper_scale, BRANCH_SCALE))
    return Problem(x[:, None], y, _two_branch_log_density, ENTROPY["two-branch"], "two-branch", _log_uniform_to_3)


# ---------------------------------------------------------------- the ring

RING_RADIUS = 4.0

#: Trapezoidal intervals of the ring's integral: 160 agree with 4000 to 3e-13, for |x| from 1e-300 to 1e8.
RING_INTERVALS = 160

#: Below this |x| the ring's integral grows as −log |x|, with a relative error of about 7 x² = 7e-12.
RING_CORE = 1e-6


def _ring_ratio(distance, delta):
    """Ratio f(|x| + δ) / f(|x|) for f(ρ) = φ(ρ − 4) + φ(ρ + 4), the density of ρ = |r|, free of cancellation.

    As f(ρ) = φ(ρ − 4) (1 + e^(−8ρ)), it is exp(−½ δ (2|x| + δ − 8)) (1 + e^(−8(|x| + δ))) / (1 + e^(−8|x|)).
    Returns the exponent and the last factor, because the exponential alone may underflow.
    """
    exponent = -0.5 * delta * (2.0 * (distance - RING_RADIUS) + delta)
    mirrored = np.exp(-2.0 * RING_RADIUS * distance)
    factor = (1.0 + mirrored * np.exp(-2.0 * RING_RADIUS * delta)) / (1.0 + mirrored)
    return exponent, factor


def _ring_integral(distance):
    """Integral ∫_0^∞ f(|x| cosh u) / f(|x|) du = π p(x) / f(|x|), for |x| of shape (m,).

    The integrand is even and analytic in u and falls like exp(−e^(2u)), so the trapezoidal rule converges
    geometrically. It ends where the integrand is e^(−40) of its value at 0. Near x = 0 f is constant over all
    small u, so halving |x| adds log 2: a logarithmic singularity of p(x), and a weak one (f(0) = 2.7e-4).
    """
    core = np.maximum(distance, RING_CORE)[:, None]
    beyond = core - RING_RADIUS
    end_delta = 80.0 / (beyond + np.sqrt(beyond**2 + 80.0))  # solves ½ δ (2(|x| − 4) + δ) = 40
    end = 2.0 * np.arcsinh(np.sqrt(0.5 * end_delta / core))
    u = end * np.linspace(0.0, 1.0, RING_INTERVALS + 1)
    exponent, factor = _ring_ratio(core, 2.0 * core * np.sinh(0.5 * u) ** 2)  # |x| cosh u − |x|
    values = np.exp(exponent) * factor
    integral = (values.sum(axis=1) - 0.5 * values[:, 0] - 0.5 * values[:, -1]) * end[:, 0] / RING_INTERVALS
    return integral + np.log(core[:, 0] / distance)


@_of_columns
def _ring_log_density(x, y):
    # At x = 0 exactly p(x) is infinite; the smallest normal number stands for it (x = 0 has no probability).
    distance = np.maximum(np.abs(x), np.finfo(float).tiny)
    radius = np.hypot(distance, y)
    exponent, factor = _ring_ratio(distance, y * (y / (radius + distance)))
    integral = _in_blocks(_ring_integral, distance)
    return exponent + np.log(factor) - np.log(radius) - np.log(2.0 * integral)


@_of_column
def _ring_log_input_density(x):
    distance = np.maximum(np.abs(x), np.finfo(float).tiny)
    log_radial = np.logaddexp(_log_normal(distance, RING_RADIUS, 1.0), _log_normal(distance, -RING_RADIUS, 1.0))
    return log_radial + np.log(_in_blocks(_ring_integral, distance)) - np.log(np.pi)


def make_ring(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """A noisy circle: r ~ N(4, 1), angle uniform, (x, y) = r (cos, sin).

    With f(ρ) = φ(ρ − 4) + φ(ρ + 4), the density of ρ = |r|, the joint density at ρ² = x² + y² is f(ρ) / (2πρ)
    and p(x) = (1/π) ∫_0^∞ f(|x| cosh u) du. Parameters, result and errors as for `make_noisy_wave`.
    """
    rng = _generator(n_samples, random_state)
    radius = rng.normal(RING_RADIUS, 1.0, n_samples)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_samples)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return Problem(x[:, None], y, _ring_log_density, ENTROPY["ring"], "ring", _ring_log_input_density)


# ---------------------------------------------------------------- inverse problems: y is drawn first


class _InverseProblem(NamedTuple):
    """y ~ U(low, high), x = curve(y) + scale · N(0, 1)."""

    low: float
    high: float
    scale: float
    curve: Callable[[np.ndarray], np.ndarray]

    def sample(self, n_samples, rng):
        y = rng.uniform(self.low, self.high, n_samples)
        return rng.normal(self.curve(y), self.scale), y

    def log_density(self, x, y):
        """Log of p(y | x) = N(x; g(y), s²) / ∫ N(x; g(t), s²) dt for y in the box, −inf outside."""
        log_ratio = -0.5 * ((x - self.curve(y)) / self.scale) ** 2 - _in_blocks(self._log_integral, x)
        return np.where((y < self.low) | (y > self.high), -np.inf, log_ratio)

    def log_input_density(self, x):
        """Log of p(x) = ∫ N(x; g(t), s²) dt / (high − low)."""
        return _in_blocks(self._log_integral, x) - np.log((self.high - self.low) * self.scale) - HALF_LOG_2PI

    def _log_integral(self, x):
        """Log of ∫ exp(−½ ((x − g(t)) / s)²) dt over the box."""
        t, log_width = _box_nodes(self.low, self.high)
        exponent = -0.5 * (x[:, None] / self.scale - self.curve(t) / self.scale) ** 2 + log_width
        largest = exponent.max(axis=1)
        return largest + np.log(np.exp(exponent - largest[:, None]).sum(axis=1))


@functools.cache
def _box_nodes(low, high, panels=16, order=32):
    """Gauss–Legendre nodes and log weights on equal panels of (low, high).

    512 nodes give both integrals below to a relative 1e-12, up to 30 noise scales outside the curve.
    """
    node, weight = np.polynomial.legendre.leggauss(order)
    half = 0.5 * (high - low) / panels
    centre = low + half * (2.0 * np.arange(panels) + 1.0)
    return (centre[:, None] + half * node).ravel(), np.tile(np.log(half * weight), panels)


def _inverse_wave_curve(y):
    return 7.0 * np.sin(0.75 * y) + 0.5 * y


def _bishop_curve(y):
    return y + 0.3 * np.sin(2.0 * np.pi * y)


_INVERSE_WAVE = _InverseProblem(-10.5, 10.5, 1.0, _inverse_wave_curve)
_BISHOP = _InverseProblem(0.0, 1.0, 0.05, _bishop_curve)


@_of_columns
def _inverse_wave_log_density(x, y):
    return _INVERSE_WAVE.log_density(x, y)


@_of_columns
def _bishop_inverse_log_density(x, y):
    return _BISHOP.log_density(x, y)


@_of_column
def _inverse_wave_log_input_density(x):
    return _INVERSE_WAVE.log_input_density(x)


@_of_column
def _bishop_log_input_density(x):
    return _BISHOP.log_input_density(x)


def make_inverse_wave(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """A wave on its side: y ~ U(−10.5, 10.5), x = 7 sin .75y + .5y + N(0, 1); up to five modes at one x.

    p(y | x) = N(x; g(y), 1) / ∫ N(x; g(t), 1) dt inside the box. Parameters, result and errors as for
    `make_noisy_wave`.
    """
    x, y = _INVERSE_WAVE.sample(n_samples, _generator(n_samples, random_state))
    return Problem(
        x[:, None],
        y,
        _inverse_wave_log_density,
        ENTROPY["inverse wave"],
        "inverse wave",
        _inverse_wave_log_input_density,
    )


def make_bishop_inverse(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """Bishop's (1994) inverse problem with Gaussian noise: y ~ U(0, 1), x = y + .3 sin 2πy + .05 N(0, 1).

    Bishop's noise is uniform on ±.1, whose sharp edges no Gaussian mixture can follow; hence the Gaussian
    version. p(y | x) = N(x; g(y), .05²) / ∫ N(x; g(t), .05²) dt inside the box. Parameters, result and
    errors as for `make_noisy_wave`.
    """
    x, y = _BISHOP.sample(n_samples, _generator(n_samples, random_state))
    return Problem(
        x[:, None],
        y,
        _bishop_inverse_log_density,
        ENTROPY["Bishop inverse"],
        "Bishop inverse",
        _bishop_log_input_density,
    )


#: H* in nats, by Gauss–Legendre quadrature on two grids that agree to 1e-13; the tests recompute every one.
ENTROPY = {
    "noisy wave": -0.01836586,
    "cross": 0.15746914,
    "ring": 2.21834708,
    "inverse wave": 1.28800944,
    "Bishop inverse": -1.22626926,
    "two-branch": 0.11845343,
}

#: The four odd data sets of the founding blog post, by name.
ODD_SETS: dict[str, Callable[..., Problem]] = {
    "noisy wave": make_noisy_wave,
    "cross": make_cross,
    "ring": make_ring,
    "inverse wave": make_inverse_wave,
}
