"""Distributions of y where a transform of y is a mixture of normals: against scipy, quadrature and Monte Carlo."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import scoringrules
from scipy import integrate, special, stats

from condensity import Mixture, TransformedMixture
from condensity.distributions.transforms import FunctionTransform, Log, Logit, choose_transform, make_transform

N, K = 4, 3
RNG = np.random.default_rng(0)
WEIGHTS = RNG.dirichlet(np.ones(K), N)
MEANS = RNG.normal(size=(N, K))
SCALES = np.exp(RNG.normal(-1.0, 0.5, (N, K)))
BASE = Mixture(weights=WEIGHTS, means=MEANS, scales=SCALES)
CUBE = FunctionTransform(
    lambda y: y + y**3, lambda u: np.array(np.vectorize(lambda v: np.real(np.roots([1, 0, 1, -v])[-1]))(u))
)
FALLING = FunctionTransform(lambda y: -2.0 * y, lambda u: -0.5 * u, None, rises=False)
RECIPROCAL = FunctionTransform(lambda y: -np.log(y), lambda u: np.exp(-u), lambda y: -1.0 / y, rises=False)
TRANSFORMS = {"log": Log(), "logit": Logit(), "falling": FALLING, "reciprocal": RECIPROCAL}


@pytest.fixture(params=TRANSFORMS)
def dist(request):
    return TransformedMixture(BASE, TRANSFORMS[request.param])


def lognormals(i):
    return [stats.lognorm(s=s, scale=np.exp(m)) for m, s in zip(MEANS[i], SCALES[i], strict=True)]


def mixed(i, verb, y):
    return sum(w * getattr(part, verb)(y) for w, part in zip(WEIGHTS[i], lognormals(i), strict=True))


# -------------------------------------------------------------------------------------------------- against scipy
def test_log_is_scipys_mixture_of_lognormals():
    dist = TransformedMixture(BASE, Log())
    y = np.array([[0.01, 0.3, 1.0, 7.0, 300.0]])
    for i in range(N):
        for verb in ("pdf", "cdf", "sf"):
            np.testing.assert_allclose(getattr(dist, verb)(y)[i], mixed(i, verb, y[0]), rtol=1e-11)
        mean, second = mixed_moment(i, 1), mixed_moment(i, 2)
        assert dist.mean()[i] == pytest.approx(mean, rel=1e-13)
        assert dist.var()[i] == pytest.approx(second - mean**2, rel=1e-10)


def mixed_moment(i, order):
    return sum(w * part.moment(order) for w, part in zip(WEIGHTS[i], lognormals(i), strict=True))


def test_variance_of_a_narrow_lognormal_keeps_its_digits():
    narrow = TransformedMixture(Mixture(weights=[[1.0]], means=[[3.0]], scales=[[1e-9]]), Log())
    assert narrow.std()[0] == pytest.approx(1e-9 * np.exp(3.0), rel=1e-12)


def test_logit_is_the_normal_carried_over():
    one = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.4]], scales=[[0.8]]), Logit())
    y = np.linspace(0.01, 0.99, 9)[None]
    u = special.logit(y)
    np.testing.assert_allclose(one.pdf(y), stats.norm(0.4, 0.8).pdf(u) / (y * (1 - y)), rtol=1e-12)
    exact = integrate.quad(lambda u: special.expit(u) * stats.norm(0.4, 0.8).pdf(u), -12, 12, epsabs=1e-13)[0]
    assert one.mean()[0] == pytest.approx(exact, rel=1e-10)


def test_crps_of_lognormals():
    one = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.3]], scales=[[0.7]]), Log())
    for y in (0.05, 1.0, 9.0):
        assert one.crps(y)[0] == pytest.approx(scoringrules.crps_lognormal(y, 0.3, 0.7), rel=1e-12)
    dist = TransformedMixture(BASE, Log())
    for y in (-1.0, 0.0, 0.2, 3.0):
        for i in range(N):

            def squared(x, i=i, y=y):
                return (mixed(i, "cdf", x) - (x >= y)) ** 2

            ends = [min(y, 0.0), max(y, 0.0), *np.geomspace(max(y, 1e-3), 1e4, 12)]
            pieces = [integrate.quad(squared, a, b, epsabs=1e-11, limit=200)[0] for a, b in pairwise(ends) if b > a]
            assert dist.crps(y)[i] == pytest.approx(sum(pieces), rel=1e-6, abs=1e-8)


def test_modes_of_lognormals():
    one = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.5]], scales=[[0.6]]), Log())
    assert one.mode()[0] == pytest.approx(np.exp(0.5 - 0.36), rel=1e-9)
    dist = TransformedMixture(BASE, Log())
    grid = np.geomspace(1e-3, 1e3, 200_001)[None]
    densest = grid[0][dist.pdf(grid).argmax(axis=1)]
    np.testing.assert_allclose(dist.mode(), densest, rtol=2e-4)


def test_entropy_of_lognormals():
    one = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.5]], scales=[[0.6]]), Log())
    assert one.entropy()[0] == pytest.approx(stats.lognorm(0.6, scale=np.exp(0.5)).entropy(), rel=1e-9)


# ---------------------------------------------------------------------------------------------------- every transform
def test_densities_integrate_to_the_distribution_function(dist):
    for i in range(N):
        levels = dist.ppf(np.linspace(1e-6, 1 - 1e-6, 9))[i]
        for a, b in pairwise(levels):
            mass = integrate.quad(lambda y, i=i: dist.pdf(y)[i], a, b, epsabs=1e-12, limit=200)[0]
            assert mass == pytest.approx(dist.cdf(b)[i] - dist.cdf(a)[i], abs=1e-8)


def test_quantiles_are_inverses_in_order(dist):
    levels = np.array([0.001, 0.1, 0.5, 0.9, 0.999])
    y = dist.ppf(levels)
    assert (np.diff(y, axis=1) > 0).all()
    np.testing.assert_allclose(dist.cdf(y), np.broadcast_to(levels, y.shape), rtol=1e-9)
    np.testing.assert_allclose(dist.sf(y), 1 - levels[None] * np.ones((N, 1)), rtol=1e-9)
    np.testing.assert_allclose(dist.isf(levels), dist.ppf(1 - levels), rtol=1e-9)
    np.testing.assert_array_equal(dist.median(), dist.ppf(0.5))
    np.testing.assert_allclose(dist.interval(0.8), dist.ppf([0.1, 0.9]), rtol=1e-9)


def test_draws_moments_and_distribution_function_agree(dist):
    draws = dist.sample(40_000, random_state=0)
    error = draws.std(axis=1) / 200
    assert (np.abs(draws.mean(axis=1) - dist.mean()) < 4.5 * error).all()
    np.testing.assert_allclose(draws.std(axis=1), dist.std(), rtol=0.08)
    for i in range(N):
        assert stats.kstest(draws[i, :4000], lambda y, i=i: dist.cdf(np.asarray(y)[None])[i]).pvalue > 1e-4


@pytest.mark.parametrize("shape", [(), (N,), (1, 5), (N, 5)])
def test_shapes_are_those_of_a_mixture(dist, shape):
    y = np.full(shape, 0.4)
    for verb in ("logpdf", "pdf", "cdf", "logcdf", "sf", "logsf"):
        assert getattr(dist, verb)(y).shape == getattr(BASE, verb)(y).shape
        assert np.isfinite(getattr(dist, verb)(y)).all()


def test_numerical_slopes_are_as_good_as_given_ones():
    own, given = FunctionTransform(np.log, np.exp), FunctionTransform(np.log, np.exp, lambda y: 1 / y)
    y = np.geomspace(1e-8, 1e8, 33)
    np.testing.assert_allclose(own.log_derivative(y), given.log_derivative(y), atol=1e-9)
    np.testing.assert_allclose(
        CUBE.log_derivative(np.linspace(0.5, 3, 9)), np.log(1 + 3 * np.linspace(0.5, 3, 9) ** 2), atol=1e-7
    )


# -------------------------------------------------------------------------------------------------------- edges
def test_points_outside_the_domain_have_no_density():
    dist = TransformedMixture(BASE, Logit())
    y = np.array([[-1.0, 0.0, 1.0, 2.0, np.nan]])
    assert (dist.logpdf(y)[:, :4] == -np.inf).all()
    np.testing.assert_array_equal(dist.cdf(y)[0], [0, 0, 1, 1, np.nan])
    np.testing.assert_array_equal(dist.sf(y)[0], [1, 1, 0, 0, np.nan])
    assert np.isnan(dist.logpdf(y)[:, 4]).all()
    np.testing.assert_array_equal(TransformedMixture(BASE, Log()).ppf([0.0, 1.0])[0], [0.0, np.inf])


@pytest.mark.trap(22)
def test_far_tails_are_finite():
    dist = TransformedMixture(BASE, Log())
    assert np.isfinite(dist.logpdf([[1e-300, 1e300]])).all()


def test_mass_follows_the_base():
    gated = TransformedMixture(Mixture(weights=[[0.25, 0.25]], means=[[0.0, 1.0]], scales=[[1.0, 1.0]]), Log())
    assert gated.mass[0] == pytest.approx(0.5)
    assert gated.cdf(1e9)[0] == pytest.approx(0.5)
    unknown = TransformedMixture(BASE.gated(np.full(N, -1e4)), Logit())
    np.testing.assert_array_equal(unknown.cdf([[0.5, 2.0]]), 0.0)
    with pytest.raises(ValueError, match="normalized"):
        gated.mean()
    assert gated.normalized().mean()[0] > 0
    assert 0.3 < np.isnan(gated.sample(2000, random_state=0)).mean() < 0.7


def test_several_outputs():
    q = 2
    covariances = np.einsum("nkij,nklj->nkil", *(2 * [RNG.normal(size=(N, K, q, q)) * 0.3])) + 0.05 * np.eye(q)
    base = Mixture(weights=WEIGHTS, means=RNG.normal(size=(N, K, q)), covariances=covariances, output_names=["a", "b"])
    dist = TransformedMixture(base, Log())
    draws = dist.sample(200_000, random_state=0)
    for i in range(N):
        np.testing.assert_allclose(np.cov(draws[i].T), dist.cov()[i], rtol=0.15, atol=0.05)
    y = np.array([0.5, 2.0])
    given = dist.condition({"a": 0.5})
    np.testing.assert_allclose(dist.logpdf(y), dist.marginal("a").logpdf(0.5) + given.logpdf(2.0), rtol=1e-10)
    assert dist.logpdf(np.ones((N, q))).shape == (N,)
    assert dist.output_names == ["a", "b"]
    with pytest.raises(ValueError, match="score marginals"):
        dist.energy_score(y)
    with pytest.raises(ValueError, match=r"modes is for one output.*marginal\(j\)"):
        dist.modes()


def test_scipy_has_no_transformed_mixtures(dist):
    with pytest.raises(ValueError, match=r"to_scipy is for mixtures of normals.*base\.to_scipy"):
        dist.to_scipy(0)


def test_rows_copies_and_words():
    dist = TransformedMixture(BASE, Log())
    np.testing.assert_array_equal(dist[1:3].mean(), dist.mean()[1:3])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dist)).mean(), dist.mean())
    assert len(dist) == N
    assert "log of y is <Mixture: 4 rows" in repr(dist)
    with pytest.raises(AttributeError, match="immutable"):
        dist.base = BASE


# ------------------------------------------------------------------------------------------------- what is asked for
Y = np.array([[0.2], [0.5], [0.9]])


@pytest.mark.trap(38)
@pytest.mark.parametrize(
    ("how", "y", "words"),
    [
        ("log", Y - 0.5, r"needs y between 0 and inf, both excluded; 2 of 3 rows are not, the first is row 0"),
        ("logit", 2 * Y, r"'logit' needs y between 0 and 1.*2 of 3"),
        ("cube", Y, "must be None, 'log'"),
        ((np.log,), Y, "must be None, 'log'"),
        (("log", "exp"), Y, "must be None, 'log'"),
        ((np.square, np.sqrt), Y - 0.5, "must rise, or fall, all along y"),
        ((np.log, np.cbrt), Y, "second function must undo the first"),
        ((lambda y: np.log(y), np.exp), Y - 0.2, "finite number for every y"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_bad_transforms_are_named(how, y, words):
    with pytest.raises(ValueError, match=words):
        make_transform(how, y)


def test_good_transforms_are_made():
    assert make_transform(None, Y) is None
    assert make_transform("log", Y) == Log()
    assert make_transform("logit", Y) == Logit()
    assert make_transform((np.log, np.exp), Y).increasing
    assert not make_transform((lambda y: -y, lambda u: -u), Y).increasing


def test_auto_takes_logarithms_where_they_clearly_help():
    rng = np.random.default_rng(0)
    skewed = np.exp(rng.normal(size=(500, 1)))
    assert choose_transform(skewed) == Log()
    assert choose_transform(1e200 * skewed) == Log()
    for plain in (
        rng.normal(100, 1, (500, 1)),
        rng.uniform(1, 2, (500, 1)),
        np.full((9, 1), 3.0),
        np.vstack([skewed, [[0.0]]]),
    ):
        assert choose_transform(plain) is None
    gappy = skewed.copy()
    gappy[::3] = np.nan
    assert choose_transform(gappy, np.ones(500)) == Log()
