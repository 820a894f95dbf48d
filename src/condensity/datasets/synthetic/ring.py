"""The ring: a noisy circle, whose p(x) is an integral of one variable."""

import numpy as np

from condensity.datasets.synthetic.problem import (
    CONDITIONAL_ENTROPY,
    Problem,
    RandomState,
    generator,
    in_blocks,
    log_normal,
    of_column,
    of_columns,
)

RING_RADIUS = 4.0

#: Trapezoidal intervals of the ring's integral: 160 agree with 4000 to 3e-13, for |x| from 1e-300 to 1e8.
RING_INTERVALS = 160

#: Below this |x| the ring's integral grows as −log |x|, with a relative error of about 7 x² = 7e-12.
RING_CORE = 1e-6


def _ring_ratio(distance: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio f(|x| + δ) / f(|x|) for f(ρ) = φ(ρ − 4) + φ(ρ + 4), the density of ρ = |r|, free of cancellation.

    As f(ρ) = φ(ρ − 4) (1 + e^(−8ρ)), it is exp(−½ δ (2|x| + δ − 8)) (1 + e^(−8(|x| + δ))) / (1 + e^(−8|x|)).
    Returns the exponent and the last factor, because the exponential alone may underflow.
    """
    exponent = -0.5 * delta * (2.0 * (distance - RING_RADIUS) + delta)
    mirrored = np.exp(-2.0 * RING_RADIUS * distance)
    factor = (1.0 + mirrored * np.exp(-2.0 * RING_RADIUS * delta)) / (1.0 + mirrored)
    return exponent, factor


def _ring_integral(distance: np.ndarray) -> np.ndarray:
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


@of_columns
def _ring_log_density(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # At x = 0 exactly p(x) is infinite; the smallest normal number stands for it (x = 0 has no probability).
    distance = np.maximum(np.abs(x), np.finfo(float).tiny)
    radius = np.hypot(distance, y)
    exponent, factor = _ring_ratio(distance, y * (y / (radius + distance)))
    integral = in_blocks(_ring_integral, distance)
    return exponent + np.log(factor) - np.log(radius) - np.log(2.0 * integral)


@of_column
def _ring_log_input_density(x: np.ndarray) -> np.ndarray:
    distance = np.maximum(np.abs(x), np.finfo(float).tiny)
    log_radial = np.logaddexp(log_normal(distance, RING_RADIUS, 1.0), log_normal(distance, -RING_RADIUS, 1.0))
    return log_radial + np.log(in_blocks(_ring_integral, distance)) - np.log(np.pi)


def make_ring(n_samples: int = 1000, *, random_state: RandomState = None) -> Problem:
    """A noisy circle: r ~ N(4, 1), angle uniform, (x, y) = r (cos, sin).

    With f(ρ) = φ(ρ − 4) + φ(ρ + 4), the density of `ρ = |r|`, the joint density at ρ² = x² + y² is f(ρ) / (2πρ)
    and `p(x) = (1/π) ∫_0^∞ f(|x| cosh u) du`.

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
    >>> make_ring(200, random_state=0).y.shape
    (200,)
    """
    rng = generator(n_samples, random_state)
    radius = rng.normal(RING_RADIUS, 1.0, n_samples)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_samples)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return Problem(x[:, None], y, _ring_log_density, CONDITIONAL_ENTROPY["ring"], "ring", _ring_log_input_density)
