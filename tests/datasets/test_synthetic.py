"""The synthetic problems against independent quadrature, scipy's distributions and Monte Carlo."""

import pickle

import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

from condensity.datasets import synthetic

MAKERS = {
    **synthetic.ODD_SETS,
    "Bishop inverse": synthetic.make_bishop_inverse,
    "two-branch": synthetic.make_two_branch,
}

#: The constants are given to 8 decimals.
ENTROPY_TOLERANCE = 1e-8


@pytest.fixture(params=MAKERS.items(), ids=MAKERS.keys(), scope="module")
def named_maker(request):
    return request.param


def panels(edges, order=16):
    """Gauss–Legendre nodes and weights on the panels between the edges."""
    node, weight = np.polynomial.legendre.leggauss(order)
    half = 0.5 * np.diff(edges)[:, None]
    return (np.asarray(edges)[:-1, None] + half * (node + 1.0)).ravel(), (half * weight).ravel()


# ---------------------------------------------------------------- truth, written from the definitions alone


def wave_density(x, y):
    return stats.norm.pdf(y, np.sin(2 * x), 0.05 + 0.15 * abs(x))


def cross_density(x, y):
    return 0.5 * stats.norm.pdf(y, x, 0.15) + 0.5 * stats.norm.pdf(y, -x, 0.15)


def two_branch_density(x, y):
    first = stats.norm.pdf(y, np.sin(1.5 * x) + 0.5 * x, 0.1 + 0.08 * abs(x))
    second = stats.norm.pdf(y, -np.sin(1.5 * x) - 0.5 * x + 0.3 * x**2 - 1, 0.15)
    return special.expit(x) * first + special.expit(-x) * second


def radial_density(radius):
    """Density of |r| for r ~ N(4, 1)."""
    return (np.exp(-0.5 * (radius - 4) ** 2) + np.exp(-0.5 * (radius + 4) ** 2)) / np.sqrt(2 * np.pi)


def mpmath_radial_density(radius):
    return mpmath.npdf(radius, 4) + mpmath.npdf(radius, -4)


def inverse_wave_curve(y):
    return 7 * np.sin(0.75 * y) + 0.5 * y


def bishop_curve(y):
    return y + 0.3 * np.sin(2 * np.pi * y)


def ring_marginal(x):
    """p(x) = ∫_|x|^∞ f(ρ) / (π √(ρ² − x²)) dρ, by QUADPACK's rule for the algebraic end point."""
    x = abs(x)
    middle = x + 1.0
    singular, _ = integrate.quad(
        lambda r: radial_density(r) / np.sqrt(r + x), x, middle, weight="alg", wvar=(-0.5, 0), epsabs=1e-13
    )
    smooth, _ = integrate.quad(
        lambda r: radial_density(r) / np.sqrt(r**2 - x**2), middle, middle + 14, epsabs=1e-13, points=[4 + x]
    )
    return (singular + smooth) / np.pi


def inverse_marginal(x, low, high, curve, scale):
    """p(x) = mean over the box of N(x; g(t), s²), on a fine grid."""
    t, weight = panels(np.linspace(low, high, 151))
    return stats.norm.pdf(x, curve(t), scale) @ weight / (high - low)


def test_entropy_of_noisy_wave_is_the_mean_gaussian_entropy():
    value, _ = integrate.quad(lambda x: stats.norm.entropy(0, 0.05 + 0.15 * x) / 3, 0, 3, epsabs=1e-12)
    assert synthetic.CONDITIONAL_ENTROPY["noisy wave"] == pytest.approx(value, abs=ENTROPY_TOLERANCE)


@pytest.mark.parametrize(
    ("name", "density", "half_width"),
    [("cross", cross_density, 2.0), ("two-branch", two_branch_density, 3.0)],
)
def test_entropy_of_closed_forms_on_a_dense_grid(name, density, half_width):
    """Panels of .1 in y with 16 nodes resolve the smallest scale (.1); y reaches 10 scales past both ends."""
    y, y_weight = panels(np.linspace(-6, 6, 121))
    x, x_weight = panels(np.linspace(-half_width, half_width, 41))  # an edge at 0, where |x| has its kink
    p = density(x[:, None], y)
    assert p @ y_weight == pytest.approx(np.ones(x.size), abs=1e-12)
    entropy = x_weight @ (special.entr(p) @ y_weight) / (2 * half_width)
    assert synthetic.CONDITIONAL_ENTROPY[name] == pytest.approx(entropy, abs=ENTROPY_TOLERANCE)


def test_entropy_of_the_ring_is_joint_minus_marginal():
    """H(y | x) = H(x, y) − H(x), with H(x, y) = H(ρ) + E log 2πρ."""
    joint, _ = integrate.quad(
        lambda r: special.entr(radial_density(r)) + radial_density(r) * np.log(2 * np.pi * r),
        0, 18, points=[0.01, 1, 4, 8], epsabs=1e-12, limit=200,
    )  # fmt: skip
    # p(x) has a logarithmic singularity at 0: panels that shrink geometrically towards it; below 1e-9 lies
    # a mass of 2e-10 only.
    edges = np.concatenate([np.geomspace(1e-9, 1, 10), np.arange(1.5, 14.5, 0.5)])
    x, weight = panels(edges, 10)
    p = np.array([ring_marginal(value) for value in x])
    assert 2 * p @ weight == pytest.approx(1, abs=1e-8)
    entropy = joint - 2 * special.entr(p) @ weight
    assert synthetic.CONDITIONAL_ENTROPY["ring"] == pytest.approx(entropy, abs=ENTROPY_TOLERANCE)


@pytest.mark.parametrize(
    ("name", "low", "high", "curve", "scale"),
    [
        ("inverse wave", -10.5, 10.5, inverse_wave_curve, 1.0),
        ("Bishop inverse", 0.0, 1.0, bishop_curve, 0.05),
    ],
)
def test_entropy_of_inverse_problems_by_the_chain_rule(name, low, high, curve, scale):
    """H(y | x) = H(y) + H(x | y) − H(x)."""
    span = curve(np.linspace(low, high, 1001))
    x, weight = panels(np.linspace(span.min() - 10 * scale, span.max() + 10 * scale, 61))
    p = np.array([inverse_marginal(value, low, high, curve, scale) for value in x])
    entropy = np.log(high - low) + stats.norm.entropy(0, scale) - special.entr(p) @ weight
    assert synthetic.CONDITIONAL_ENTROPY[name] == pytest.approx(entropy, abs=ENTROPY_TOLERANCE)


# ---------------------------------------------------------------- log densities


@pytest.mark.parametrize(
    ("name", "density"),
    [("noisy wave", wave_density), ("cross", cross_density), ("two-branch", two_branch_density)],
)
def test_closed_forms_equal_scipy(name, density):
    problem = MAKERS[name](500, random_state=3)
    expected = np.log(density(problem.X[:, 0], problem.y))
    assert problem.log_density(problem.X, problem.y) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("x", [1e-3, -0.4, 2.5, 3.999, -4.0, 6.0, 8.5])
def test_ring_density_is_joint_over_marginal(x):
    """1e-9: what QUADPACK reaches for the marginal (1e-13 absolute, marginals down to 4e-6)."""
    y = np.array([-8.0, -3.0, 0.01, 0.0, 2.0, 30.0])
    radius = np.hypot(x, y)
    joint = np.logaddexp(stats.norm.logpdf(radius, 4), stats.norm.logpdf(radius, -4)) - np.log(2 * np.pi * radius)
    actual = synthetic.make_ring(1).log_density(np.full(y.size, x), y)
    assert actual == pytest.approx(joint - np.log(ring_marginal(x)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("x", [1e-3, 1e-5, 2e-6, 3e-7, 1e-12, 1e-100])
def test_ring_density_near_its_singularity(x):
    """p(x) by mpmath in u = arcosh(ρ/|x|), in unit panels where f changes; 1e-10 relative.

    Left of the panels ρ < e^(−12), where f = f(0) up to a relative 1e-9; that part is at most 2 % of p(x).
    """
    last = mpmath.acosh(16 / mpmath.mpf(x))
    first = max(mpmath.mpf(0), last - 15)
    edges = [first + (last - first) * i / 16 for i in range(17)]
    varying = mpmath.quad(lambda u: mpmath_radial_density(x * mpmath.cosh(u)), edges)
    marginal = (varying + first * mpmath_radial_density(0)) / mpmath.pi
    radius = np.hypot(x, 2.0)
    expected = np.log(radial_density(radius) / (2 * np.pi * radius)) - float(mpmath.log(marginal))
    actual = synthetic.make_ring(1).log_density(np.array([-x]), np.array([2.0]))
    assert actual == pytest.approx(expected, rel=0, abs=1e-10)


@pytest.mark.parametrize(
    ("name", "low", "high", "curve", "scale"),
    [
        ("inverse wave", -10.5, 10.5, inverse_wave_curve, 1.0),
        ("Bishop inverse", 0.0, 1.0, bishop_curve, 0.05),
    ],
)
def test_inverse_densities_equal_bayes(name, low, high, curve, scale):
    """1e-10: the accuracy that the module states for its normaliser."""
    problem = MAKERS[name](200, random_state=5)
    marginal = np.array([inverse_marginal(x, low, high, curve, scale) for x in problem.X[:, 0]])
    expected = stats.norm.logpdf(problem.X[:, 0], curve(problem.y), scale) - np.log(high - low) - np.log(marginal)
    assert problem.log_density(problem.X, problem.y) == pytest.approx(expected, rel=1e-10, abs=1e-10)


#: Where all the mass of y lies, for every x below.
SUPPORT = {
    "noisy wave": (-8, 8), "cross": (-8, 8), "two-branch": (-8, 8), "ring": (-16, 16),
    "inverse wave": (-10.5, 10.5), "Bishop inverse": (0, 1),
}  # fmt: skip


def test_densities_integrate_to_one_over_y(named_maker):
    """Also at x where hardly any data fall. The ring peaks at y = 0, |x| wide: panels shrink towards it."""
    name, make = named_maker
    problem = make(300, random_state=0)
    low, high = SUPPORT[name]
    inner = 10.0 ** np.arange(-5, 0) if name == "ring" else np.array([])
    edges = np.unique(np.concatenate([np.linspace(low, high, 161), inner, -inner]))
    y, weight = panels(edges)
    for x in [*np.quantile(problem.X[:, 0], np.linspace(0, 1, 15)), 0.01, -0.2]:
        total = np.exp(problem.log_density(np.full(y.size, x), y)) @ weight
        assert total == pytest.approx(1, abs=1e-9)


def test_mean_negative_log_density_agrees_with_the_entropy(named_maker):
    """The sampler and the density are written apart; 5 standard errors: 6e-7 to fail by chance."""
    _, make = named_maker
    problem = make(200_000, random_state=11)
    loss = -problem.log_density(problem.X, problem.y)
    assert abs(loss.mean() - problem.conditional_entropy) < 5 * loss.std() / np.sqrt(loss.size)


@pytest.mark.parametrize("name", ["noisy wave", "cross", "two-branch", "ring"])
def test_log_density_stays_finite_far_away(name):
    x, y = (v.ravel() for v in np.meshgrid([-1e6, -30.0, -1e-300, 0.0, 1e-9, 5.0, 1e6], [-1e6, -9.0, 0.0, 1e-12, 1e6]))
    assert np.isfinite(MAKERS[name](1).log_density(x, y)).all()


@pytest.mark.parametrize("name", ["inverse wave", "Bishop inverse"])
def test_log_density_is_minus_infinity_exactly_outside_the_box(name):
    low, high = SUPPORT[name]
    y = np.array([low - 1e-9, low, 0.3 * low + 0.7 * high, high, high + 1e-9])
    for x in (-1e3, 0.0, 0.5, 1e3):
        value = MAKERS[name](1).log_density(np.full(5, x), y)
        assert np.isneginf(value).tolist() == [True, False, False, False, True]
        assert not np.isnan(value).any()


def test_ring_is_symmetric_in_both_signs():
    x, y = np.array([0.7, -0.7, 0.7, -0.7]), np.array([3.1, 3.1, -3.1, -3.1])
    assert np.ptp(synthetic.make_ring(1).log_density(x, y)) == 0


# ---------------------------------------------------------------- manners


def test_shapes_names_and_column_forms(named_maker):
    name, make = named_maker
    problem = make(7, random_state=1)
    assert (problem.X.shape, problem.y.shape, problem.name) == ((7, 1), (7,), name)
    assert isinstance(problem.conditional_entropy, float)
    assert make(random_state=1).y.shape == (1000,)
    from_table = problem.log_density(problem.X, problem.y)
    assert from_table.shape == (7,)
    assert np.array_equal(from_table, problem.log_density(problem.X[:, 0], problem.y))
    assert problem.log_density(np.empty((0, 1)), np.empty(0)).shape == (0,)


def test_input_density_is_the_marginal_of_the_draws(named_maker):
    """It integrates to one, agrees with the definitions written above, and with the distribution of 10⁴ draws."""
    name, make = named_maker
    problem = make(10_000, random_state=3)
    grid = np.linspace(-25.0, 25.0, 1_000_001)
    density = np.exp(problem.log_input_density(grid))
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-4)  # edges of boxes, the ring's peak at 0
    cumulated = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    assert stats.kstest(problem.X[:, 0], lambda x: np.interp(x, grid, cumulated)).pvalue > 1e-3
    if name == "ring":
        for x in (0.3, 3.0, -6.0):
            assert np.exp(problem.log_input_density([x])[0]) == pytest.approx(ring_marginal(x), rel=1e-9)
    np.testing.assert_array_equal(problem.log_input_density(problem.X), problem.log_input_density(problem.X[:, 0]))
    assert pickle.loads(pickle.dumps(problem.log_input_density))([0.1]) == problem.log_input_density([0.1])
    with pytest.raises(ValueError, match="X must have shape"):
        problem.log_input_density(np.zeros((2, 2)))


def test_seed_decides_everything_and_global_state_is_untouched(named_maker):
    _, make = named_maker
    before = np.random.get_state()  # noqa: NPY002
    first, again, other = (make(50, random_state=seed) for seed in (4, 4, 5))
    after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(first.X, again.X)
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(first.y, other.y)
    assert before[0] == after[0]
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_a_generator_is_advanced(named_maker):
    _, make = named_maker
    rng = np.random.default_rng(0)
    assert not np.array_equal(make(5, random_state=rng).y, make(5, random_state=rng).y)


def test_log_density_survives_pickling(named_maker):
    _, make = named_maker
    problem = make(5, random_state=0)
    copy = pickle.loads(pickle.dumps(problem.log_density))
    assert np.array_equal(copy(problem.X, problem.y), problem.log_density(problem.X, problem.y))


@pytest.mark.parametrize("n_samples", [0, -3, 2.5, None, "10"])
def test_bad_sample_sizes_are_named(named_maker, n_samples):
    _, make = named_maker
    with pytest.raises(ValueError, match=r"n_samples must be an integer of at least 1; got"):
        make(n_samples)


@pytest.mark.parametrize(("x_shape", "y_shape"), [((4, 2), (4,)), ((4, 1), (4, 1)), ((4, 1), (5,)), ((1,), ())])
def test_bad_shapes_are_named(named_maker, x_shape, y_shape):
    _, make = named_maker
    with pytest.raises(ValueError, match="X must have shape"):
        make(1).log_density(np.zeros(x_shape), np.zeros(y_shape))


def test_odd_sets_are_the_four_of_the_blog_post():
    assert list(synthetic.ODD_SETS) == ["noisy wave", "cross", "ring", "inverse wave"]
