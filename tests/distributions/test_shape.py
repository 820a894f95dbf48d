"""Modes, highest-density regions and values, and entropy against dense grids, quadrature, analysis and sampling."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import kstest, norm

from condensity.distributions.normal_shape.level_sets import (
    entropy,
    find_modes,
    highest_density_region,
    hpd_value,
    stationary_points,
)


def hard_mixtures(n, k, seed, *, log_scales=(-5.0, 1.0)):
    """σ from e⁻⁵ to e¹, means over ten units, weights from a flat Dirichlet law."""
    rng = np.random.default_rng([seed, k])
    return np.log(rng.dirichlet(np.ones(k), n)), rng.uniform(-5, 5, (n, k)), np.exp(rng.uniform(*log_scales, (n, k)))


def log_density(parameters, y):
    """log p of each row at y (n, g), by scipy."""
    log_weights, means, scales = (array[:, None, :] for array in parameters)
    return logsumexp(log_weights + norm.logpdf(y[:, :, None], means, scales), axis=2)


def probability(parameters, lower, upper):
    """P of the intervals (n, J) of each row, summed, by scipy; NaN intervals count nothing."""
    log_weights, means, scales = (array[:, None, :] for array in parameters)
    ends = norm.cdf(np.stack([lower, upper])[..., None], means, scales)
    return np.nansum((np.exp(log_weights) * (ends[1] - ends[0])).sum(axis=2), axis=1)


def dense_grid(parameters, nodes=801, reach=4.0):
    """All μ + σ z, z ∈ [−reach, reach], of each row, sorted: (n, nodes·K)."""
    _, means, scales = parameters
    grid = means[:, :, None] + scales[:, :, None] * np.linspace(-reach, reach, nodes)
    return np.sort(grid.reshape(len(means), -1), axis=1)


def slope_sign(parameters, y):
    """Sign of p′ at y (n, g), from responsibilities times (μ − y)/σ², normalised so that nothing underflows in gaps."""
    log_weights, means, scales = (array[:, None, :] for array in parameters)
    z = (y[:, :, None] - means) / scales
    terms = log_weights - np.log(scales) - 0.5 * z * z
    share = np.exp(terms - terms.max(axis=2, keepdims=True))
    return np.sign(-(share * z / scales).sum(axis=2))


def one_row(weights, means, scales):
    with np.errstate(divide="ignore"):
        return np.log([weights]), np.array([means], dtype=float), np.array([scales], dtype=float)


def mode_count(parameters):
    return np.isfinite(find_modes(*parameters)[0]).sum(axis=1)


def draws(parameters, count, seed):
    rng = np.random.default_rng(seed)
    n, k = parameters[1].shape
    chosen = np.stack([rng.choice(k, count, p=np.exp(row) / np.exp(row).sum()) for row in parameters[0]])
    means, scales = (np.take_along_axis(array, chosen, axis=1) for array in parameters[1:])
    return means + scales * rng.standard_normal((n, count))


# ------------------------------------------------------------------------------------------------ modes


@pytest.mark.parametrize("k", range(2, 13))
def test_every_mode_of_a_dense_grid_is_found_and_none_besides(k):
    parameters = hard_mixtures(40, k, seed=0)
    # Outside the outer means p is monotone; adding the two ends lets the grid see modes that hug them.
    means = parameters[1]
    grid = np.clip(dense_grid(parameters), means.min(axis=1, keepdims=True), means.max(axis=1, keepdims=True))
    signs = slope_sign(parameters, grid)
    points, _ = find_modes(*parameters)
    for row in range(len(grid)):
        keep = signs[row] != 0
        y, s = grid[row, keep], signs[row, keep]
        # A mode next to the outermost mean may lie beyond the last float of the grid where the sign is known.
        y, s = np.concatenate([[means[row].min()], y, [means[row].max()]]), np.concatenate([[1], s, [-1]])
        cells = np.flatnonzero((s[:-1] > 0) & (s[1:] < 0))
        found = np.sort(points[row, np.isfinite(points[row])])
        assert found.size == cells.size
        assert ((y[cells] <= found) & (found <= y[cells + 1])).all()


def test_every_mode_found_is_real_in_forty_digits_where_even_the_dense_grid_misses_some():
    # σ up to e⁵: narrow components on pedestals so broad that 801 nodes a component miss 10 modes of 1800 mixtures.
    parameters = hard_mixtures(15, 6, seed=102, log_scales=(-5.0, 5.0))
    points, _, kinds = stationary_points(*parameters)
    for row, (log_weights, means, scales) in enumerate(zip(*parameters, strict=True)):
        at = points[row][kinds[row] != 0]
        between = [means.min() - 1, *(0.5 * (at[1:] + at[:-1])), means.max() + 1]
        with mpmath.workdps(40):
            w, m, s = ([mpmath.mpf(float(v)) for v in array] for array in (np.exp(log_weights), means, scales))
            for place, y in enumerate(between):
                z = [(mpmath.mpf(float(y)) - b) / c for b, c in zip(m, s, strict=True)]
                parts = zip(w, z, s, strict=True)
                slope = mpmath.fsum(-a * v / c**2 * mpmath.exp(-v * v / 2) for a, v, c in parts)
                assert mpmath.sign(slope) == (1 if place % 2 == 0 else -1)


@pytest.mark.parametrize("log_scales", [(-5.0, 1.0), (-5.0, 5.0), (-1.0, 0.0)])
def test_the_density_is_monotone_between_stationary_points(log_scales):
    parameters = hard_mixtures(60, 8, seed=1, log_scales=log_scales)
    points, log_p, kinds = stationary_points(*parameters)
    assert (np.diff(points, axis=1)[kinds[:, 1:] != 0] > 0).all()
    grid = dense_grid(parameters, nodes=201, reach=6.0)
    height = log_density(parameters, grid)
    for row, (at, kind) in enumerate(zip(points, kinds, strict=True)):
        at, kind = at[kind != 0], kind[kind != 0]
        np.testing.assert_array_equal(kind, np.where(np.arange(kind.size) % 2 == 0, 1, -1))
        piece = np.searchsorted(at, grid[row])
        same = piece[1:] == piece[:-1]
        rise = np.diff(height[row]) * np.where(piece[1:] % 2 == 0, 1, -1)
        # Rounding of log p: a few 1e-16 of |log p|, which is below 1e5 here.
        assert (rise[same] >= -1e-14 * np.maximum(1, np.abs(height[row, 1:][same]))).all()
    expected = log_density(parameters, np.where(kinds == 0, 0.0, points))[kinds != 0]
    np.testing.assert_allclose(log_p[kinds != 0], expected, rtol=1e-12, atol=1e-12)
    assert np.isnan(log_p[kinds == 0]).all()


def test_modes_come_densest_first_with_their_log_density():
    parameters = hard_mixtures(50, 6, seed=2)
    points, log_p = find_modes(*parameters)
    assert (np.diff(log_p, axis=1)[np.isfinite(points[:, 1:])] <= 0).all()
    best = log_density(parameters, dense_grid(parameters)).max(axis=1)
    assert (log_p[:, 0] >= best - 1e-12).all()
    np.testing.assert_array_equal(np.isnan(points), np.isnan(log_p))


@pytest.mark.parametrize("excess", [1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.3, 1e-9), (-7e8, 1e9)])
def test_two_equal_components_have_two_modes_if_more_than_two_sigma_apart(excess, shift, scale):
    # With d = Δ/2σ, modes sit at ±x with x = d tanh(d x), which has a solution x > 0 iff d > 1: x ≈ √(3 (d − 1)) nearby.
    for d, expected in ((1 - excess, 1), (1 + excess, 2)):
        points, _ = find_modes(*one_row([0.5, 0.5], [shift - d * scale, shift + d * scale], [scale, scale]))
        assert points.shape == (1, expected)
        x = np.abs(points[0] - shift) / scale
        if expected == 2:
            np.testing.assert_allclose(x, d * np.tanh(d * x), rtol=1e-6 if excess >= 1e-4 else 1e-2)
        else:
            # p′ is a cubic here, with slope `excess`: its zero is good to rounding error over that slope.
            assert x[0] < 1e-5


def test_two_equal_components_exactly_two_sigma_apart_have_one_mode():
    points, _ = find_modes(*one_row([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0]))
    assert points.shape == (1, 1)
    assert abs(points[0, 0]) < 2e-5  # p′ ≈ −y³/3 is below rounding error there


@pytest.mark.parametrize("excess", [1e-3, 1e-6, 1e-9])
def test_a_second_mode_is_born_at_the_weight_where_slope_and_curvature_vanish_together(excess):
    # p′ = 0 where w / (1 − w) = −φ₂′/φ₁′ =: r(y). Two more stationary points appear where w / (1 − w) passes an extremum of r.
    means, scales = (0.0, 2.5), (1.0, 0.4)

    def log_ratio(y):
        z = [(y - m) / s for m, s in zip(means, scales, strict=True)]
        log_slope = [np.log(abs(v)) - 2 * np.log(s) - 0.5 * v * v for v, s in zip(z, scales, strict=True)]
        return log_slope[1] - log_slope[0]

    # Between its maximum at the lower fold and its minimum at the upper one there are two modes, outside there is one.
    for bounds, rises in (((0.05, 2.0), True), ((2.0, 2.49), False)):
        fold = minimize_scalar(
            lambda y, sign=1 if rises else -1: sign * log_ratio(y),
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-12},
        )
        for sign in (-1, 1):
            odds = np.exp(log_ratio(fold.x) + sign * excess)
            weight = odds / (1 + odds)
            count = mode_count(one_row([weight, 1 - weight], means, scales))[0]
            assert count == (2 if (sign > 0) == rises else 1)


def test_modes_of_three_equal_components_agree_with_thirty_digits():
    means, scales, weights = [-2.2, 0.1, 2.9], [1.0, 0.7, 0.9], [0.3, 0.3, 0.4]
    points, _, _ = stationary_points(*one_row(weights, means, scales))
    with mpmath.workdps(30):

        def slope(y):
            parts = zip(weights, means, scales, strict=True)
            return mpmath.fsum(w * (m - y) / s**3 * mpmath.exp(-(((y - m) / s) ** 2) / 2) for w, m, s in parts)

        for point in points[0]:
            assert abs(mpmath.findroot(slope, mpmath.mpf(float(point))) - float(point)) < 1e-14


def test_gaps_where_every_density_underflows_hold_no_modes_but_feather_weights_do():
    log_weights = np.array([[0.0, -600.0, -300.0, -np.inf]])
    means, scales = np.array([[0.0, 1e4, -1e8, 50.0]]), np.array([[1.0, 1e-3, 10.0, 1.0]])
    points, log_p = find_modes(log_weights, means, scales)
    np.testing.assert_allclose(points, [[0.0, -1e8, 1e4]], atol=1e-300)
    np.testing.assert_allclose(log_p, log_density((log_weights, means, scales), points), rtol=1e-14)


def test_one_component_and_equal_means_have_one_mode():
    points, log_p, kinds = stationary_points(
        np.zeros((3, 1)), np.array([[1e200], [0.0], [-3.0]]), np.array([[1e190], [1e-200], [1.0]])
    )
    np.testing.assert_array_equal(points, [[1e200], [0.0], [-3.0]])
    np.testing.assert_array_equal(kinds, 1)
    np.testing.assert_allclose(log_p[:, 0], norm.logpdf(0) - np.log([1e190, 1e-200, 1.0]), rtol=1e-14)
    np.testing.assert_array_equal(find_modes(*one_row([0.2, 0.3, 0.5], [4, 4, 4], [1, 1e-3, 7]))[0], [[4.0]])


# ------------------------------------------------------------------------------------------------ identities of all four


def beside_first(parameters, z=0.7):
    return parameters[1][:, :1] + z * parameters[2][:, :1]


def everything(parameters, z=0.7):
    """All answers about one set of mixtures: points and intervals, and numbers."""
    lower, upper = highest_density_region(*parameters, 0.9)
    y = beside_first(parameters, z)
    return (find_modes(*parameters)[0], lower, upper), (hpd_value(*parameters, y), entropy(*parameters))


@pytest.mark.parametrize("unit", [2.0**-600, 0.5, 2.0**500])
def test_powers_of_two_change_points_and_intervals_to_the_bit(unit):
    parameters = hard_mixtures(20, 6, seed=3)
    places, numbers = everything(parameters)
    scaled_places, scaled_numbers = everything((parameters[0], parameters[1] * unit, parameters[2] * unit))
    for a, b in zip(places, scaled_places, strict=True):
        np.testing.assert_array_equal(a * unit, b)
    np.testing.assert_array_equal(numbers[0], scaled_numbers[0])
    np.testing.assert_allclose(scaled_numbers[1], numbers[1] + np.log(unit), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("unit", "shift"), [(1e-200, 0.0), (1e-9, 0.0), (1e-9, 1e-7), (3.0, 700.0), (-1e9, 1e9), (1e200, 0.0)]
)
def test_affine_maps_carry_every_answer_along(unit, shift):
    parameters = hard_mixtures(20, 6, seed=4)
    (modes, lower, upper), numbers = everything(parameters)
    mapped = parameters[0], shift + unit * parameters[1], abs(unit) * parameters[2]
    (new_modes, new_lower, new_upper), new_numbers = everything(mapped, 0.7 * np.sign(unit))
    if unit < 0:  # the map turns intervals round
        lower, upper = -np.sort(-upper, axis=1), -np.sort(-lower, axis=1)
    # Shifts to a hundred spreads away cost two digits of the means: 1e-13 of σ ≥ e^-5 is 1e-11, and √ of it at flat spots.
    for a, b in ((modes, new_modes), (lower, new_lower), (upper, new_upper)):
        np.testing.assert_allclose((b - shift) / unit, a, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(new_numbers[0], numbers[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(new_numbers[1], numbers[1] + np.log(abs(unit)), rtol=0, atol=1e-9)


def test_order_duplicates_and_empty_components_change_nothing():
    parameters = hard_mixtures(20, 5, seed=5)
    places, numbers = everything(parameters)
    order = np.array([3, 0, 4, 1, 2])
    permuted = tuple(array[:, order] for array in parameters)
    empty = np.full((20, 2), -np.inf), np.tile([1e6, -3.0], (20, 1)), np.tile([1e-8, 1e4], (20, 1))
    padded = tuple(np.concatenate([array, extra], axis=1) for array, extra in zip(parameters, empty, strict=True))
    twice = np.tile(parameters[0] - np.log(2), 2), np.tile(parameters[1], 2), np.tile(parameters[2], 2)
    y = beside_first(parameters)
    for other in (permuted, padded, twice):
        lower, upper = highest_density_region(*other, 0.9)
        for a, b in zip(places, (find_modes(*other)[0], lower, upper), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(hpd_value(*other, y), numbers[0], atol=1e-11)
        np.testing.assert_allclose(entropy(*other), numbers[1], atol=1e-10)


# ------------------------------------------------------------------------------------------------ regions


@pytest.mark.parametrize("level", [1e-6, 0.01, 0.3, 0.5, 0.9, 0.99, 1 - 1e-9])
@pytest.mark.parametrize("log_scales", [(-5.0, 1.0), (-5.0, 5.0)])
def test_regions_hold_their_level_and_end_at_one_density(level, log_scales):
    parameters = hard_mixtures(80, 7, seed=6, log_scales=log_scales)
    lower, upper = highest_density_region(*parameters, level)
    real = np.isfinite(lower)
    np.testing.assert_allclose(probability(parameters, lower, upper), level, rtol=0, atol=1e-12)
    assert (lower[real] < upper[real]).all()
    assert (upper[:, :-1] < lower[:, 1:])[real[:, 1:]].all()
    at_ends = log_density(parameters, np.concatenate([lower, upper], axis=1))
    threshold = np.nanmin(at_ends, axis=1, keepdims=True)
    assert np.nanmax(np.abs(at_ends - threshold)) < 1e-9
    grid = dense_grid(parameters, nodes=101, reach=6.0)
    inside = ((lower[:, None, :] <= grid[:, :, None]) & (grid[:, :, None] <= upper[:, None, :])).any(axis=2)
    height = log_density(parameters, grid) - threshold
    assert (height[inside] >= -1e-9).all()
    assert (height[~inside] <= 1e-9).all()


def test_regions_hold_their_level_by_quadrature():
    parameters = hard_mixtures(5, 4, seed=7)
    lower, upper = highest_density_region(*parameters, 0.8)
    for row in range(5):
        weights, means, scales = np.exp(parameters[0][row]), parameters[1][row], parameters[2][row]

        def density(y, weights=weights, means=means, scales=scales):
            return (weights * norm.pdf(y, means, scales)).sum()

        mass = 0.0
        for a, b in zip(lower[row], upper[row], strict=True):
            if np.isfinite(a):
                cells = pairwise([a, *np.sort(means[(means > a) & (means < b)]), b])
                mass += sum(quad(density, left, right, epsabs=1e-12, limit=200)[0] for left, right in cells)
        assert abs(mass - 0.8) < 1e-10


@pytest.mark.parametrize("level", [1e-9, 0.5, 0.95, 1 - 1e-13])
def test_the_region_of_one_component_is_its_central_interval(level):
    mean, scale = np.array([[0.0], [1e6], [-2e-8]]), np.array([[1.0], [1e-3], [1e-9]])
    lower, upper = highest_density_region(np.zeros((3, 1)), mean, scale, level)
    z = norm.isf((1 - level) / 2) if level > 0.5 else norm.ppf(0.5 + level / 2)
    # At 1e-9 the probability is a difference of two halves, good to 1e-16 absolute, 1e-7 relative. Around 1e6 with σ 1e-3 a
    # float is 1e-7 σ wide.
    np.testing.assert_allclose((upper - mean) / scale, z, rtol=1e-6, atol=1.2e-7)
    np.testing.assert_allclose((mean - lower) / scale, z, rtol=1e-6, atol=1.2e-7)
    np.testing.assert_allclose(np.stack([lower, upper])[:, 0, 0], [-z, z], rtol=1e-6 if level < 0.5 else 1e-12)


def test_regions_near_a_merger_have_the_intervals_of_their_side():
    parameters = one_row([0.5, 0.5], [-2.0, 2.0], [1.0, 1.0])
    antimode = hpd_value(*parameters, np.array([[0.0]]))[0, 0]
    for level, intervals in ((antimode - 1e-9, 2), (antimode + 1e-9, 1)):
        lower, upper = highest_density_region(*parameters, level)
        assert lower.shape == upper.shape == (1, intervals)
        np.testing.assert_allclose(probability(parameters, lower, upper), level, atol=1e-12)


# ------------------------------------------------------------------------------------------------ values


def test_the_value_of_one_component_is_that_of_its_central_interval_to_the_tails():
    y = np.array([[0.0, 1e-3, -0.5, 1.0, -4.0, 8.0, 40.0, 1e300, np.inf, -np.inf, np.nan]])
    value = hpd_value(np.zeros((1, 1)), np.zeros((1, 1)), np.ones((1, 1)), y)[0]
    np.testing.assert_allclose(value[:-1], 1 - 2 * norm.sf(np.abs(y[0, :-1])), rtol=0, atol=2e-16)
    assert np.isnan(value[-1])
    np.testing.assert_array_equal(value[7:10], 1.0)


def test_draws_have_uniform_values():
    parameters = hard_mixtures(20, 6, seed=8)
    values = hpd_value(*parameters, draws(parameters, 5000, seed=9))  # 1e5 draws in all
    p_values = [kstest(row, "uniform").pvalue for row in values]
    assert min(p_values) > 0.001 / 20  # Bonferroni over the 20 mixtures


def test_values_agree_with_monte_carlo_and_with_a_fine_grid():
    parameters = hard_mixtures(30, 10, seed=10)
    y = draws(parameters, 8, seed=11)
    value = hpd_value(*parameters, y)
    heights = log_density(parameters, draws(parameters, 4000, seed=12))
    simulated = (heights[:, None, :] >= log_density(parameters, y)[:, :, None]).mean(axis=2)
    # 240 binomial means of 4000 draws: 5 standard errors of at most 0.5 / √4000.
    assert np.abs(simulated - value).max() < 5 * 0.5 / np.sqrt(4000)
    grid = dense_grid(parameters, nodes=161, reach=7.0)
    cell = np.diff(grid, axis=1) * np.exp(log_density(parameters, 0.5 * (grid[:, 1:] + grid[:, :-1])))
    above = (
        log_density(parameters, 0.5 * (grid[:, 1:] + grid[:, :-1]))[:, None, :]
        >= log_density(parameters, y)[:, :, None]
    )
    # Cells are cut at their middles: half a cell at each of up to 20 crossings, 0.04 σ wide, so a few thousandths.
    assert np.abs((above * cell[:, None, :]).sum(axis=2) - value).max() < 0.02


@pytest.mark.parametrize("level", [0.05, 0.5, 0.95])
def test_ends_of_a_region_have_its_level_as_value(level):
    parameters = hard_mixtures(40, 6, seed=13, log_scales=(-5.0, 5.0))
    lower, upper = highest_density_region(*parameters, level)
    value = hpd_value(*parameters, np.concatenate([lower, upper], axis=1))
    np.testing.assert_allclose(value[np.isfinite(value)], level, atol=1e-9)
    np.testing.assert_array_equal(np.isfinite(value[:, : lower.shape[1]]), np.isfinite(lower))


def test_values_rise_to_one_in_the_tails_and_vanish_at_the_highest_mode():
    parameters = hard_mixtures(30, 6, seed=14)
    best = find_modes(*parameters)[0][:, :1]
    assert (hpd_value(*parameters, best) < 1e-6).all()
    far = np.array([0.0, 1.0, 5.0, 30.0, 1e3, 1e8]) * parameters[2].max(axis=1, keepdims=True) + parameters[1].max(
        axis=1, keepdims=True
    )
    value = hpd_value(*parameters, far)
    assert (np.diff(value, axis=1) >= 0).all()
    np.testing.assert_array_equal(value[:, -2:], 1.0)


def test_empty_shapes_pass_through():
    parameters = hard_mixtures(3, 2, seed=15)
    assert hpd_value(*parameters, np.empty((3, 0))).shape == (3, 0)
    nothing = tuple(array[:0] for array in parameters)
    assert find_modes(*nothing)[0].shape[0] == 0
    assert highest_density_region(*nothing, 0.9)[0].shape[0] == 0
    assert hpd_value(*nothing, np.empty((0, 4))).shape == (0, 4)
    assert entropy(*nothing).shape == (0,)


# ------------------------------------------------------------------------------------------------ entropy


def test_entropy_of_one_component_and_of_components_far_apart_is_closed():
    scale = np.array([[1e-200], [1e-9], [1.0], [1e200]])
    closed = 0.5 * np.log(2 * np.pi * np.e) + np.log(scale[:, 0])
    np.testing.assert_allclose(entropy(np.zeros((4, 1)), 7 * scale, scale), closed, rtol=1e-15, atol=1e-13)
    weights, scales = np.array([0.2, 0.5, 0.3]), np.array([1e-3, 1.0, 30.0])
    apart = entropy(*one_row(weights, [-1e3, 0.0, 1e4], scales))[0]
    expected = (weights * (0.5 * np.log(2 * np.pi * np.e) + np.log(scales) - np.log(weights))).sum()
    assert abs(apart - expected) < 1e-10  # the stated tolerance


@pytest.mark.parametrize("log_scales", [(-5.0, 1.0), (-5.0, 5.0), (-1.0, 0.0)])
def test_entropy_agrees_with_adaptive_quadrature(log_scales):
    parameters = hard_mixtures(12, 6, seed=16, log_scales=log_scales)
    got = entropy(*parameters)
    for row in range(12):
        weights, means, scales = np.exp(parameters[0][row]), parameters[1][row], parameters[2][row]

        def integrand(y, weights=weights, means=means, scales=scales):
            p = (weights * np.exp(-0.5 * ((y - means) / scales) ** 2) / scales).sum() / np.sqrt(2 * np.pi)
            return -p * np.log(p) if p > 0 else 0.0

        ends = np.sort((means[:, None] + scales[:, None] * np.array([-9, -6, -4, -2, 0, 2, 4, 6, 9])).ravel())
        cells = pairwise(ends)
        reference = sum(quad(integrand, a, b, epsabs=1e-14, epsrel=1e-13, limit=200)[0] for a, b in cells)
        assert abs(got[row] - reference) < 1e-11


def test_entropy_agrees_with_thirty_digits():
    weights, means, scales = [0.1, 0.6, 0.3], [0.0, 1.0, 1.3], [0.01, 1.0, 0.05]
    with mpmath.workdps(30):

        def integrand(y):
            parts = zip(weights, means, scales, strict=True)
            p = mpmath.fsum(w * mpmath.npdf(y, m, s) for w, m, s in parts)
            return -p * mpmath.log(p)

        ends = sorted(m + s * z for m, s in zip(means, scales, strict=True) for z in (-12, -6, -3, -1, 0, 1, 3, 6, 12))
        truth = mpmath.quad(integrand, ends)
    assert abs(entropy(*one_row(weights, means, scales))[0] - float(truth)) < 1e-12
