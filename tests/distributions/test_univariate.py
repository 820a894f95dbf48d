"""`Mixture`: the distribution object, as its reader meets it."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest, norm

from condensity import Mixture, engines
from condensity.compute import Compute
from condensity.random import choose_components

N, K, G, M = 4, 3, 5, 6


def make(n=N, k=K, seed=0, **changes):
    rng = np.random.default_rng(seed)
    parts = {
        "weights": rng.dirichlet(np.ones(k), n),
        "means": rng.normal(0, 3, (n, k)),
        "scales": rng.uniform(0.3, 2, (n, k)),
    }
    return Mixture(**{**parts, **changes})


def gated(mass=0.6):
    dist = make()
    return Mixture(weights=dist.weights * mass, means=dist.means, scales=dist.scales)


# ------------------------------------------------------------------------------------------------------- construction
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"log_weights": np.zeros((N, K))}, "exactly one of weights and log_weights"),
        ({"weights": None}, "exactly one of weights and log_weights"),
        (
            {"means": np.zeros((N, K + 1))},
            r"means of shape \(4, 4\) need weights of shape \(4, 4\) and scales of shape \(4, 4\)",
        ),
        ({"means": np.zeros(N)}, r"means must have shape \(n, K\)"),
        ({"means": np.full((N, K), np.nan)}, "means must be finite; row 0, component 0"),
        ({"scales": np.zeros((N, K))}, "scales must be > 0"),
        ({"scales": None}, "Give exactly one of scales and covariances; got none"),
        ({"covariances": np.ones((N, K, 1, 1))}, "Give exactly one of scales and covariances; got both"),
        ({"weights": np.full((N, K), -0.1)}, "weights must be >= 0"),
        ({"weights": np.ones((N, K))}, "sum to at most 1; row 0 sums to 3"),
        ({"weights": np.full((N, K), 1j)}, "weights must be real numbers"),
        ({"means": np.full((N, K), "a")}, "means must be real numbers"),
        ({"means": [[0.0], [0.0, 1.0]]}, "means must be real numbers in an array; got rows of unequal length"),
        ({"means": [[10**400] * K] * N}, "means must be real numbers"),
        ({"scales": np.full((N, K), np.inf)}, "scales must be finite; row 0, component 0 is .*inf"),
        ({"weights": np.zeros((N, 0))}, r"weights must have shape \(n, K\) with K >= 1"),
        ({"weights": None, "log_weights": np.zeros((N, K))}, "sum to at most 1; row 0 sums to 3"),
        ({"weights": None, "log_weights": np.full((N, K), np.inf)}, "log_weights must be finite"),
    ],
)
def test_bad_parameters_are_named(changes, words):
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_it_cannot_be_changed_and_does_not_follow_its_inputs():
    means = np.zeros((N, K))
    dist = make(means=means)
    means += 1
    assert (dist.means == 0).all()
    for name in ("means", "scales", "weights", "log_weights", "mass"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(dist, name)[0] = 1.0
    with pytest.raises(AttributeError, match="immutable"):
        dist.means = means
    with pytest.raises(AttributeError, match="immutable"):
        del dist._means


def test_it_survives_pickling_and_says_what_it_is():
    dist = gated()
    back = pickle.loads(pickle.dumps(dist))
    np.testing.assert_array_equal(back.logpdf([[0.0, 1.0]]), dist.logpdf([[0.0, 1.0]]))
    assert repr(back) == "<Mixture: 4 rows, 3 components, 1 output, mass 0.6 to 0.6>"
    assert (dist.n_components, dist.n_outputs, len(dist)) == (K, 1, N)


def test_weights_off_by_rounding_are_made_to_sum_to_one():
    dist = make(weights=np.array([[0.1, 0.2, 0.7 + 1e-12]] * N))
    assert (dist.mass == 1).all()
    np.testing.assert_allclose(dist.weights.sum(axis=1), 1.0, rtol=1e-15)


# -------------------------------------------------------------------------------------------------------- shape rules
@pytest.mark.parametrize("verb", ["logpdf", "pdf", "logcdf", "cdf", "logsf", "sf", "log_prob"])
def test_points_follow_their_three_rules(verb):
    dist = make()
    ask = getattr(dist, verb)
    grid, rowwise = np.linspace(-4, 4, G), np.linspace(-2, 2, N)
    assert ask(0.5).shape == (N,)
    assert ask(rowwise).shape == (N,)
    assert ask(grid[None]).shape == (N, G)
    full = ask(np.tile(grid, (N, 1)))
    np.testing.assert_array_equal(full, ask(grid[None]))
    for i in range(N):
        assert ask(rowwise)[i] == pytest.approx(ask(rowwise[i])[i], rel=1e-14)
        np.testing.assert_allclose(full[i], [ask(point)[i] for point in grid], rtol=1e-13)
    for bad in (grid, np.zeros((N + 1, G)), np.zeros((N, G, 1))):
        with pytest.raises(
            ValueError, match=rf"y must be a scalar, \(4,\) row-wise.*got shape {re.escape(str(bad.shape))}"
        ):
            ask(bad)
    one = getattr(dist[2], verb)
    np.testing.assert_array_equal(one(grid[None])[0], ask(grid[None])[2])
    assert one(grid[:1]).shape == (1,)
    with pytest.raises(ValueError, match=r"\(1,\) row-wise"):
        one(grid)
    assert getattr(dist[[]], verb)(grid[None]).shape == (0, G)


def test_levels_follow_their_three_rules_also_when_there_are_as_many_as_rows():
    dist = make()
    levels = np.linspace(0.1, 0.9, M)
    assert dist.ppf(0.3).shape == (N,)
    assert dist.ppf(levels).shape == (N, M)
    assert dist.ppf(levels[:N]).shape == (N, N)
    np.testing.assert_array_equal(dist.ppf(levels[:N])[:, 2], dist.ppf(levels[2]))
    np.testing.assert_array_equal(dist.ppf(np.tile(levels, (N, 1))), dist.ppf(levels))
    assert dist[0].ppf(levels).shape == (1, M)
    assert dist[[]].ppf(levels).shape == (0, M)
    assert dist.isf([]).shape == (N, 0)
    with pytest.raises(
        ValueError, match=r"p must be a scalar, a list of levels \(m,\), or row-wise \(4, m\); .*\(5, 6\)"
    ):
        dist.ppf(np.zeros((N + 1, M)))


@pytest.mark.trap(23)
def test_points_and_levels_at_the_edges():
    dist = make()
    np.testing.assert_array_equal(dist.ppf([0.0, 1.0])[0], [-np.inf, np.inf])
    np.testing.assert_array_equal(dist.isf([0.0, 1.0])[0], [np.inf, -np.inf])
    assert np.isnan(dist.ppf(np.nan)).all()
    for bad in (-1e-9, 1.0 + 1e-9):
        with pytest.raises(ValueError, match=r"p must lie in \[0, 1\]"):
            dist.ppf(bad)
    np.testing.assert_array_equal(dist.logpdf(np.inf), -np.inf)
    np.testing.assert_array_equal(dist.cdf([[-np.inf, np.inf]])[0], [0, 1])
    assert np.isnan(dist.logpdf(np.nan)).all()
    for bad in ("0", None, [None, 1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="y must be real numbers"):
            dist.pdf(bad)


# ---------------------------------------------------------------------------------------------------------- outside truth
@pytest.mark.trap("T1")
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_cdf_is_the_integral_of_pdf_and_std_that_of_the_density(scale):
    dist = make(n=1).affine(scale, -7 * scale)
    low, high = dist.ppf(1e-13)[0], dist.isf(1e-13)[0]

    def moment(power, upto):
        def integrand(u):
            y = low + u * (high - low)
            return (y / scale) ** power * dist.pdf(y)[0] * (high - low)

        end = (upto - low) / (high - low)
        return quad(integrand, 0, end, limit=400, points=[0.5 * end], epsabs=1e-12)[0]

    middle = dist.ppf(0.37)[0]
    # quad is asked for 1e-12; the tails cut off hold 2e-13.
    assert moment(0, middle) == pytest.approx(dist.cdf(middle)[0], abs=1e-10)
    mean = moment(1, high)
    assert mean * scale == pytest.approx(dist.mean()[0], rel=1e-9)
    assert np.sqrt(moment(2, high) - mean**2) * scale == pytest.approx(dist.std()[0], rel=1e-8)
    assert dist.var()[0] == pytest.approx(dist.std()[0] ** 2, rel=1e-14)


@pytest.mark.trap("T1", "T11")
def test_draws_have_the_distribution_and_spread_of_the_mixture():
    dist = make(n=2)
    draws = dist.sample(100_000, random_state=1)
    for i in range(2):
        # Two rows at p > 1e-3 each: a false alarm once in five hundred seeds, and the seed is fixed.
        assert kstest(draws[i], lambda y, i=i: dist[i].cdf(y[None])[0]).pvalue > 1e-3
    # Standard error of a standard deviation: at most σ √(κ/4n), .4 % here.
    np.testing.assert_allclose(draws.std(axis=1), dist.std(), rtol=0.015)
    np.testing.assert_array_equal(dist.sample(3, random_state=7), dist.sample(3, random_state=7))
    assert not np.array_equal(dist.sample(3), dist.sample(3))
    generator = np.random.default_rng(0)
    assert not np.array_equal(dist.sample(3, random_state=generator), dist.sample(3, random_state=generator))
    before = np.random.get_state()[1:3]  # noqa: NPY002
    dist.sample(3), dist.sample(3, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert np.random.get_state()[2] == before[1]  # noqa: NPY002


@pytest.mark.trap("T15")
def test_no_uniform_number_draws_a_component_of_weight_zero():
    weights = np.array(
        [[0, 0.375, 0, 0.625 - 1e-16, 0], [1, 0, 0, 0, 0], [0, 0.125, 0.125, 0.125, 0], [0.2 - 4e-17] * 5]
    )
    uniform = np.tile([0.0, np.nextafter(0.375, 0), 0.375, np.nextafter(1, 0)], (4, 1))
    # The third row knows a mass of .375 only; the last is five equal parts, whose sum rounds below one.
    expected = [[1, 1, 3, 3], [0, 0, 0, 0], [1, 3, 5, 5], [0, 1, 1, 4]]
    np.testing.assert_array_equal(choose_components(weights, uniform), expected)
    dist = Mixture(weights=weights[:1], means=[[-1e9, 0.0, 1e9, 0.0, 1e9]], scales=np.ones((1, 5)))
    assert np.abs(dist.sample(200_000, random_state=0)).max() < 10


def test_moments_do_not_cancel_or_overflow():
    near = Mixture(weights=[[0.5, 0.5]], means=[[1e9, 1e9 + 2]], scales=[[1e-3, 1e-3]])
    assert near.var()[0] == pytest.approx(1.0 + 1e-6, rel=1e-12)
    for scale in (1.0, 1e-3, 1e-6):  # the mean rounds by 1e-7 here
        far = make(n=1, k=7, means=np.full((1, 7), 1e9 + 1 / 3), scales=np.full((1, 7), scale))
        assert (far.std()[0], far.var()[0]) == pytest.approx((scale, scale**2), rel=1e-13)
    huge = Mixture(weights=[[0.5, 0.5]], means=[[-1e200, 1e200]], scales=[[1e200, 1e200]])
    assert huge.std()[0] == pytest.approx(np.sqrt(2) * 1e200, rel=1e-14)


@pytest.mark.trap("T3")
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6), n=st.integers(1, 4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_quantiles_invert_the_distribution_function_and_rise_with_the_level(seed, k, n):
    dist = make(n=n, k=k, seed=seed)
    levels = np.sort(np.random.default_rng(seed).uniform(0, 1, 7))
    quantiles = dist.ppf(levels)
    # log F is met to 1e-10; F < 1.
    np.testing.assert_allclose(dist.cdf(quantiles), np.tile(levels, (n, 1)), atol=1e-10)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    np.testing.assert_allclose(dist.isf(1 - levels), quantiles, rtol=1e-8, atol=1e-8)
    y = dist.means[:, 0] + 0.3 * dist.scales[:, 0]
    back = np.diagonal(dist.ppf(dist.cdf(y)))
    # cdf rounds at 1e-16, which is worth 1e-16/pdf of y: nothing where the density is not flat. A hundred times that.
    assert (np.abs(back - y) <= 1e-12 + 1e-14 / dist.pdf(y)).all()


@pytest.mark.trap("T3")
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_quantiles_see_components_however_narrow(engine):
    """Scales 10 orders apart: a last step along the wide one must not land on the narrow one unseen."""
    rng = np.random.default_rng(0)
    n, k = 300, 4
    weights = rng.dirichlet(np.full(k, 0.5), n)
    means = 10.0 ** rng.uniform(-6, 6, (n, k)) * rng.choice([-1, 0, 1], (n, k))
    scales = 10.0 ** rng.uniform(-6, 6, (n, k))
    weights[0], means[0], scales[0] = [0.5, 0.5, 0.0, 0.0], 0.0, [64020.0, 1e-6, 1.0, 1.0]
    dist = Mixture(weights=weights, means=means, scales=scales)
    p = np.sort(rng.uniform(size=(n, 5)), axis=1)
    p[0] = [0.2, 0.25, 0.5, 0.75, 0.8]
    x = engines.operation("mixture_quantile", Compute(engine))(dist.log_weights, means, scales, np.log(p), np.log1p(-p))
    below, above = dist.cdf(np.nextafter(x, -np.inf)), dist.cdf(np.nextafter(x, np.inf))
    assert ((np.abs(np.log(dist.cdf(x)) - np.log(p)) < 1e-9) | ((below <= p) & (p <= above))).all()


@pytest.mark.trap("T3")
def test_quantiles_reach_far_beyond_the_components():
    dist = Mixture(weights=[[1.0]], means=[[5.0]], scales=[[2.0]])
    np.testing.assert_allclose(dist.ppf([1e-300, 1e-20, 0.5]), [norm.ppf([1e-300, 1e-20, 0.5], 5, 2)], rtol=1e-12)
    np.testing.assert_allclose(dist.interval(0.9), [norm.interval(0.9, 5, 2)], rtol=1e-12)
    assert dist.median()[0] == 5.0
    for bad in (0, 1, -0.1, [0.5, 0.9]):
        with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
            dist.interval(bad)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_the_order_and_the_splitting_of_components_do_not_matter(seed):
    dist = make(seed=seed)
    order = np.random.default_rng(seed).permutation(K)
    shuffled = Mixture(weights=dist.weights[:, order], means=dist.means[:, order], scales=dist.scales[:, order])
    doubled = Mixture(**{name: np.tile(getattr(dist, name), 2) * (0.5 if name == "weights" else 1.0)
                         for name in ("weights", "means", "scales")})  # fmt: skip
    grid = np.linspace(-9, 9, G)[None]
    for other in (shuffled, doubled):
        for verb in ("logpdf", "logcdf", "logsf"):
            np.testing.assert_allclose(getattr(other, verb)(grid), getattr(dist, verb)(grid), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(other.ppf([0.1, 0.6]), dist.ppf([0.1, 0.6]), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(other.std(), dist.std(), rtol=1e-13)


# ------------------------------------------------------------------------------------------------------------- algebra
def test_rows_can_be_taken_in_every_way_of_numpy():
    dist = make()
    mask = np.array([True, False, True, False])
    for rows in (
        slice(1, 3),
        slice(None, None, -1),
        [2, 0],
        mask,
        np.array([3, 3, 1]),
        [],
        -1,
        np.int64(2),
        np.array(2),
    ):
        index = [int(rows)] if isinstance(rows, (int, np.integer)) else rows
        expected = dist.means[np.asarray(index, dtype=int)] if isinstance(rows, list) else dist.means[index]
        np.testing.assert_array_equal(dist[rows].means, expected.reshape(-1, K))
    assert [len(row) for row in dist] == [1] * N
    for bad in (N, -N - 1, [0, N], [True], "a", 1.0, [[0, 1], [2, 3]], np.ones((N, K), dtype=bool)):
        with pytest.raises(IndexError):
            dist[bad]
    for bad in ((0, 1), None, Ellipsis, True):
        with pytest.raises(TypeError, match="by rows only"):
            dist[bad]


def test_concatenation_stacks_rows_also_of_different_sizes():
    first, second = make(), make(n=2, k=5, seed=1)
    both = Mixture.concatenate([first, second])
    assert (len(both), both.n_components) == (N + 2, 5)
    grid = np.linspace(-5, 5, G)[None]
    np.testing.assert_allclose(both.logpdf(grid)[:N], first.logpdf(grid), rtol=1e-13)
    np.testing.assert_allclose(both.ppf(0.3)[N:], second.ppf(0.3), rtol=1e-12)
    for bad in ([], [first, "second"]):
        with pytest.raises(ValueError, match="non-empty sequence of distributions"):
            Mixture.concatenate(bad)


@pytest.mark.parametrize("weights", [None, [0.25, 0.75], np.linspace([0.1, 0.9], [0.8, 0.2], N)])
def test_a_mixture_of_mixtures_averages_densities(weights):
    first, second = make(), make(k=2, seed=1)
    share = np.broadcast_to([0.5, 0.5] if weights is None else weights, (N, 2))
    mixed = Mixture.mix([first, second], weights)
    expected = share[:, 0] * first.pdf(0.7) + share[:, 1] * second.pdf(0.7)
    np.testing.assert_allclose(mixed.pdf(0.7), expected, rtol=1e-13)
    np.testing.assert_allclose(mixed.cdf(0.7), share[:, 0] * first.cdf(0.7) + share[:, 1] * second.cdf(0.7), rtol=1e-13)
    assert (mixed.mass == 1).all()
    nested = Mixture.mix([mixed, first], [0.3, 0.7])
    np.testing.assert_allclose(nested.pdf(0.7), 0.3 * expected + 0.7 * first.pdf(0.7), rtol=1e-13)
    np.testing.assert_allclose(Mixture.mix([first, gated(0.6)], weights=[0.4, 0.6]).mass, 0.4 + 0.36, rtol=1e-14)


def test_mixing_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="same number of rows"):
        Mixture.mix([make(), make(n=2)])
    with pytest.raises(ValueError, match="weights must have shape"):
        Mixture.mix([make(), make()], [1.0])
    for bad in ([0.5, 0.6], [-0.5, 1.5], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="weights must be >= 0 and sum to 1"):
            Mixture.mix([make(), make()], bad)
    for bad in ([1j, 0], ["a", "b"]):
        with pytest.raises(ValueError, match="weights must be real numbers"):
            Mixture.mix([make(), make()], bad)


@pytest.mark.parametrize("scale", [1e-9, -2.5, 1e9, [1.0, -2.0, 3.0, 1e-3]])
def test_affine_maps_carry_the_distribution(scale):
    dist, grid = make(), np.linspace(-4, 4, N)
    moved = dist.affine(scale, 3.0)
    factor = np.broadcast_to(scale, N)
    y = factor * grid + 3.0
    # y rounds at 1e-16 of the shift, which is 1e-7 of a σ of 1e-9.
    np.testing.assert_allclose(moved.logpdf(y), dist.logpdf(grid) - np.log(np.abs(factor)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(moved.cdf(y), np.where(factor > 0, dist.cdf(grid), dist.sf(grid)), atol=1e-5)
    np.testing.assert_allclose(moved.mean(), factor * dist.mean() + 3.0, rtol=1e-13)
    np.testing.assert_allclose(moved.std(), np.abs(factor) * dist.std(), rtol=1e-6)


def test_powers_of_two_are_exact_and_impossible_maps_refused():
    dist = make()
    for factor in (2.0**30, 2.0**-700, 2.0**900):
        moved, turned = dist.affine(factor, 0.0), dist.affine(-factor, 0.0)
        for verb, arguments in (("mean", []), ("std", []), ("ppf", [0.2])):
            np.testing.assert_array_equal(getattr(moved, verb)(*arguments), getattr(dist, verb)(*arguments) * factor)
        np.testing.assert_array_equal(turned.mean(), -dist.mean() * factor)
        # The root is approached from the other side and meets other roundings; measured: 2e-15.
        np.testing.assert_allclose(turned.ppf(0.2), -dist.isf(0.2) * factor, rtol=1e-13)
    with pytest.raises(ValueError, match="scale must not be 0"):
        dist.affine(0.0, 1.0)
    with pytest.raises(ValueError, match="shift must be a finite number"):
        dist.affine(1.0, np.inf)
    with pytest.raises(ValueError, match=r"scale must be a finite number or have shape \(4,\); got shape \(3,\)"):
        dist.affine(np.ones(N - 1), 0.0)
    for factor in (1e200, 1e-200):
        with pytest.raises(ValueError, match="range of float64"):
            dist.affine(factor, 0.0).affine(factor, 0.0)


# ---------------------------------------------------------------------------------------------------------- mass below 1
def test_a_gated_mixture_answers_for_its_known_part():
    dist, part = make(), gated(0.6)
    np.testing.assert_allclose(part.mass, 0.6, rtol=1e-14)
    np.testing.assert_allclose(part.pdf(1.0), 0.6 * dist.pdf(1.0), rtol=1e-13)
    np.testing.assert_allclose(part.cdf([[1.0, 1e9]]), 0.6 * dist.cdf([[1.0, 1e9]]), rtol=1e-13)
    integral = quad(lambda y: part[0].pdf(y)[0], -40, 40, limit=400, points=list(part.means[0]))[0]
    assert integral == pytest.approx(0.6, abs=1e-8)  # quad's own default tolerance is 1.5e-8 of it
    np.testing.assert_allclose(part.normalized().ppf(0.3), dist.ppf(0.3), rtol=1e-12)
    missing = np.isnan(part.sample(20_000, random_state=0)).mean()
    assert missing == pytest.approx(0.4, abs=0.01)  # 80,000 draws: standard error .0017


@pytest.mark.parametrize("verb", ["mean", "var", "std", "median", "sf", "logsf", "isf", "interval"])
def test_everything_else_asks_for_normalisation(verb):
    arguments = {"sf": [0.0], "logsf": [0.0], "isf": [0.5], "interval": [0.9]}.get(verb, [])
    with pytest.raises(ValueError, match=rf"^{verb} needs.*mass to be 1; the smallest is 0\.6.*normalized\(\)\.{verb}"):
        getattr(gated(), verb)(*arguments)


def test_a_row_of_mass_zero_is_all_unknown():
    dist = Mixture(weights=[[0.0, 0.0], [0.5, 0.5]], means=np.zeros((2, 2)), scales=np.ones((2, 2)))
    for y in (-3.0, 0.0, 9.0, np.inf):
        assert (dist.pdf(y)[0], dist.cdf(y)[0]) == (0.0, 0.0)
        np.testing.assert_allclose(dist.cdf(y)[1], norm.cdf(y), rtol=1e-14)
    assert np.isnan(dist.sample(5, random_state=0)[0]).all()
    with pytest.raises(ValueError, match="Row 0 has mass 0"):
        dist.normalized()
