"""Densities, distribution functions and quantiles of row-wise mixtures against 50 digits."""

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from condensity import engines
from condensity.engines.reference.mixture import (
    chandrupatla,
    mixture_logcdf,
    mixture_logpdf,
    mixture_logsf,
    mixture_quantile,
)

N, K = 12, 5

#: The reference, and the engine that users get.
both_engines = pytest.mark.parametrize("quantile", [mixture_quantile, engines.mixture_quantile])


def hard_mixtures(seed=0, *, lightest=-40.0, log_scale=5.0):
    """σ from e⁻⁵ to e⁵, weights to e⁻⁴⁰, means spread over 20; one component in ten is empty."""
    rng = np.random.default_rng(seed)
    log_weights = rng.uniform(lightest, 0, (N, K))
    log_weights[rng.random((N, K)) < 0.1] = -np.inf
    log_weights[np.arange(N), rng.integers(K, size=N)] = 0.0
    log_weights -= np.log(np.exp(log_weights).sum(axis=1, keepdims=True))
    return log_weights, rng.uniform(-10, 10, (N, K)), np.exp(rng.uniform(-log_scale, log_scale, (N, K)))


def tails(levels):
    """The two log tails of every level, one row for each mixture."""
    levels = np.tile(levels, (N, 1))
    return np.log(levels), np.log1p(-levels)


def exact(log_weights, means, scales, y, kind):
    """Log density, or log probability below ('cdf') or above ('sf') y, of one row."""
    with mpmath.workdps(50):
        terms = []
        for w, m, s in zip(log_weights, means, scales, strict=True):
            z = (mpmath.mpf(float(y)) - mpmath.mpf(float(m))) / mpmath.mpf(float(s))
            if kind == "pdf":
                part = mpmath.exp(-z * z / 2) / (mpmath.sqrt(2 * mpmath.pi) * mpmath.mpf(float(s)))
            else:
                part = mpmath.erfc((-z if kind == "cdf" else z) / mpmath.sqrt(2)) / 2
            terms.append(mpmath.exp(mpmath.mpf(float(w))) * part)
        return mpmath.log(mpmath.fsum(terms))


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        (mixture_logpdf, "pdf"),
        (mixture_logcdf, "cdf"),
        (mixture_logsf, "sf"),
        (engines.mixture_logpdf, "pdf"),  # the engine that users get
        (engines.mixture_logcdf, "cdf"),
        (engines.mixture_logsf, "sf"),
    ],
)
@pytest.mark.parametrize("reach", [1.0, 30.0, 1e4])
def test_log_density_and_log_probabilities_to_ten_thousand_sigma(kernel, kind, reach):
    log_weights, means, scales = hard_mixtures()
    z = np.linspace(-reach, reach, 7)
    y = means[:, [1]] + scales[:, [1]] * z
    got = kernel(log_weights, means, scales, y)
    for row in range(N):
        for column in range(len(z)):
            truth = exact(log_weights[row], means[row], scales[row], y[row, column], kind)
            # The contract: 1e-12·max(1, |log p|); above one half log F = log1p(−S) keeps its relative accuracy too.
            assert abs(got[row, column] - truth) <= 1e-12 * max(1, abs(truth))


def test_near_one_the_log_probability_keeps_relative_accuracy_and_its_sign():
    parameters = np.log([[0.3, 0.7]]), np.array([[0.0, 1.0]]), np.array([[1.0, 2.0]])
    y = np.array([[5.0, 10.0, 20.0, 60.0]])
    got = mixture_logcdf(*parameters, y)[0]
    log_sf = [exact(parameters[0][0], parameters[1][0], parameters[2][0], point, "sf") for point in y[0]]
    assert (got <= 0).all()
    # log F = log(1 − S), and S keeps about 13 digits so far out.
    np.testing.assert_allclose(got, np.log1p([-float(mpmath.exp(value)) for value in log_sf]), rtol=1e-12)


@pytest.mark.parametrize("log_tail", [np.log(0.5), np.log(0.01), -40.0, -300 * np.log(10)])
@pytest.mark.parametrize("lightest", [-40.0, -80.0, -700.0])
@pytest.mark.parametrize("upper", [False, True])
@both_engines
def test_quantiles_solve_their_equation_also_where_the_lightest_component_owns_the_tail(
    quantile, log_tail, lightest, upper
):
    log_weights, means, scales = hard_mixtures(1, lightest=lightest)
    tail, rest = np.full((N, 1), log_tail), np.full((N, 1), np.log1p(-np.exp(log_tail)))
    y = quantile(log_weights, means, scales, *((rest, tail) if upper else (tail, rest)))
    for row in range(N):
        truth = exact(log_weights[row], means[row], scales[row], y[row, 0], "sf" if upper else "cdf")
        # One unit in the last place of y moves log F by |z| y/σ 1e-16: at most 37 · 2000 · 1e-16 ≈ 1e-11 here.
        assert abs(truth - log_tail) <= 1e-10


@pytest.mark.parametrize("log_scale", [5.0, 50.0, 150.0])
@both_engines
def test_quantiles_rise_with_the_level_whatever_the_ratio_of_scales(quantile, log_scale):
    for seed in range(5):
        parameters = hard_mixtures(seed, lightest=-700.0, log_scale=log_scale)
        levels = np.concatenate([10.0 ** -np.arange(300, 0, -37), [0.5 - 1e-9, 0.5, 0.5 + 1e-9, 0.9, 1 - 2**-53]])
        assert (np.diff(quantile(*parameters, *tails(levels)), axis=1) >= 0).all()


@both_engines
def test_quantiles_rise_with_levels_that_hardly_differ(quantile):
    """Neighbours 1e-9 apart, the survey's ends, and both sides of one half; a step of 1e-9 moves y by 1e-9 σ or more."""
    parameters = hard_mixtures(3, lightest=-3.0, log_scale=2.0)
    centres = np.array([1e-12, 0.004, 0.005, 0.01, 0.25, 0.5, 0.75, 0.99, 0.995])
    levels = (centres[:, None] * (1 + 1e-9 * np.arange(-15, 16))).ravel()
    assert (np.diff(quantile(*parameters, *tails(levels)), axis=1) >= 0).all()


@pytest.mark.parametrize("scale", [1e-6, 3e-7])
@both_engines
def test_quantiles_are_the_best_floats_where_floats_are_coarse(quantile, scale):
    # Around 1e9 floats are 1.2e-7 apart, so that no float meets the level; none beside the answer may come closer.
    parameters = np.log([[0.3, 0.7]]), np.array([[1e9, 1e9 + 2 * scale]]), np.array([[scale, scale]])
    levels = np.linspace(0.01, 0.49, 97)[None]
    y = quantile(*parameters, np.log(levels), np.log1p(-levels))
    miss, below, above = (
        np.abs(mixture_logcdf(*parameters, point) - np.log(levels))
        for point in (y, np.nextafter(y, -np.inf), np.nextafter(y, np.inf))
    )
    assert (miss <= np.minimum(below, above)).all()
    assert (np.diff(y) >= 0).all()


@both_engines
def test_a_component_1e310_times_narrower_than_its_distance_is_no_obstacle(quantile):
    parameters = np.log([[0.5, 0.5]]), np.array([[0.0, 1e10]]), np.array([[1e-300, 1.0]])
    levels = np.array([[0.1, 0.9]])
    got = quantile(*parameters, np.log(levels), np.log1p(-levels))
    # Each component holds its half of the mass alone: level .1 is the quantile .2 of one, level .9 that of .8 of the other.
    np.testing.assert_allclose(got, [[norm.ppf(0.2) * 1e-300, 1e10 + norm.ppf(0.8)]], rtol=1e-14)


def test_rows_of_mass_zero_and_below_one_stand_beside_complete_ones():
    log_weights = np.log([[0.5, 0.5], [0.2, 0.4], [0.5, 0.5]])
    log_weights[0] = -np.inf
    parameters = log_weights, np.zeros((3, 2)), np.ones((3, 2))
    y = np.tile([-np.inf, -2.0, 0.0, 5.0, np.inf], (3, 1))
    mass = np.array([[0.0], [0.6], [1.0]])
    np.testing.assert_allclose(np.exp(mixture_logcdf(*parameters, y)), mass * norm.cdf(y), rtol=1e-14)
    np.testing.assert_allclose(np.exp(mixture_logsf(*parameters, y)), mass * norm.sf(y), rtol=1e-14)
    np.testing.assert_allclose(np.exp(mixture_logpdf(*parameters, y)), mass * norm.pdf(y), rtol=1e-14)


def test_one_component_is_scipys_normal():
    mean, scale = np.array([[3.0], [-1e6]]), np.array([[0.5], [1e3]])
    parameters = np.zeros((2, 1)), mean, scale
    y = mean + scale * np.array([[-30.0, -1.0, 0.0, 2.0, 40.0]])
    for kernel, truth in ((mixture_logpdf, norm.logpdf), (mixture_logcdf, norm.logcdf), (mixture_logsf, norm.logsf)):
        np.testing.assert_allclose(kernel(*parameters, y), truth(y, mean, scale), rtol=1e-12, atol=1e-300)
    level = np.array([[1e-200, 0.025, 0.5, 0.9]] * 2)
    got = mixture_quantile(*parameters, np.log(level), np.log1p(-level))
    np.testing.assert_allclose(got, norm.ppf(level, mean, scale), rtol=1e-12)


def test_empty_components_change_nothing():
    log_weights, means, scales = hard_mixtures(2)
    empty = np.full((N, 1), -np.inf), np.full((N, 1), 1e3), np.full((N, 1), 1e-3)
    wider = [np.concatenate([a, b], axis=1) for a, b in zip((log_weights, means, scales), empty, strict=True)]
    y = np.linspace(-30, 30, 9)[None].repeat(N, axis=0)
    for kernel in (mixture_logpdf, mixture_logcdf, mixture_logsf):
        np.testing.assert_allclose(kernel(*wider, y), kernel(log_weights, means, scales, y), rtol=1e-14)
    level = tails([0.2])
    got, expected = mixture_quantile(*wider, *level), mixture_quantile(log_weights, means, scales, *level)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_root_finder_solves_hard_equations_to_the_last_bits():
    roots = np.array([1e-9, 0.3, 0.77, 0.999999])
    for power in (1, 3, 9):
        got = chandrupatla(lambda y, active, p=power: np.sign(y - roots[active]) * np.abs(y - roots[active]) ** p,
                           np.zeros(4), np.ones(4))  # fmt: skip
        # An odd power is flat at its root: float64 cannot tell values of (y − root)^p under 1e-308 from zero.
        np.testing.assert_allclose(got, roots, atol=1e-15 if power == 1 else 1e-14)


def test_the_root_finder_passes_flat_and_infinite_stretches_and_ends_between_neighbouring_floats():
    def cliff(y, active):
        return np.select([y < 2.0, y < 3.0, y <= np.pi], [-np.inf, -1e-17, -1e-17], 5.0)

    root = chandrupatla(cliff, np.array([-1e9]), np.array([1e9]))
    # The sign changes between the float π and the next one; the value below is the smaller.
    assert root[0] == np.pi


def test_an_equation_without_a_root_in_reach_ends_with_an_error():
    with pytest.raises(ArithmeticError, match="not found in 3 iterations"):
        chandrupatla(lambda y, _: y - 0.123456, np.zeros(1), np.ones(1) * 1e9, max_iterations=3)
