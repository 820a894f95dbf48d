"""Modes, regions, entropy, CRPS and moments of transformed mixtures of any map: against quadrature, grids and closed forms."""

import numpy as np
import pytest
from scipy import special, stats

from condensity import Mixture, TransformedMixture
from condensity.distributions.functions import Chained, Linear
from condensity.distributions.mapped import MappedFormulas
from condensity.distributions.transforms import BoxCox, FunctionTransform, Log, Log1p, Logit, SquareRoot, YeoJohnson

RNG = np.random.default_rng(0)
N, K = 3, 3
BASE = Mixture(
    weights=RNG.dirichlet(np.ones(K), N), means=RNG.normal(0.3, 1.0, (N, K)), scales=np.exp(RNG.normal(-1, 0.5, (N, K)))
)
MAPS = {
    "log1p": Log1p(),
    "logit": Logit(),
    "sqrt": SquareRoot(0.2),
    "box-cox": BoxCox(0.4, 1.2, 0.3, 9.0),
    "box-cox, falling power": BoxCox(-0.5, 1.0, 0.1, 3.0),
    "yeo-johnson": YeoJohnson(1.6, 0.7),
    "falling": FunctionTransform(lambda y: -np.arcsinh(y), lambda u: -np.sinh(u), rises=False),
    "chain": Chained(Linear(-2.0, 3.0), YeoJohnson(0.5)),
}


@pytest.fixture(params=MAPS)
def dist(request):
    return TransformedMixture(BASE, MAPS[request.param])


def pieces(dist, row):
    """Ends of y between which the density is smooth: quantiles, near and far, and the breaks of the map."""
    breaks = dist.transform.inverse(np.array(dist.transform.breaks, dtype=float))
    far = 10.0 ** -np.arange(2.0, 17.0)
    return np.unique(
        [*dist[row].ppf(np.linspace(0, 1, 41)[1:-1])[0], *dist[row].ppf(far)[0], *dist[row].isf(far)[0], *breaks]
    )


def quad(function, ends):
    """Gauss–Legendre with 24 nodes between neighbouring ends."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    middle, half = 0.5 * (ends[1:] + ends[:-1])[:, None], 0.5 * np.diff(ends)[:, None]
    values = function((middle + half * nodes).reshape(1, -1)).reshape(len(ends) - 1, -1)
    return float((values * half * weights).sum())


def test_maps_undo_themselves_and_have_their_slopes(dist):
    u = np.linspace(-3.0, 3.0, 61) + 0.013
    y = dist.transform.inverse(u)
    np.testing.assert_allclose(dist.transform.forward(y), u, rtol=1e-9, atol=1e-9)
    step = 1e-6
    slope = (dist.transform.inverse(u + step) - dist.transform.inverse(u - step)) / (2 * step)
    np.testing.assert_allclose(dist.transform.log_inverse_derivative(u), np.log(np.abs(slope)), atol=1e-4)
    np.testing.assert_allclose(dist.transform.log_derivative(y), -dist.transform.log_inverse_derivative(u), atol=1e-8)
    assert dist.transform.increasing == (y[-1] > y[0])


def test_densities_integrate_to_one(dist):
    for row in range(N):
        ends = pieces(dist, row)
        assert quad(lambda y, row=row: dist[row].pdf(y), ends) == pytest.approx(1.0, abs=1e-9)


def test_entropy_and_moments_are_integrals(dist):
    entropy, mean, var = dist.entropy(), dist.mean(), dist.var()
    for row in range(N):
        one, ends = dist[row], pieces(dist, row)
        assert entropy[row] == pytest.approx(quad(lambda y, one=one: -one.pdf(y) * one.logpdf(y), ends), abs=1e-8)
        assert mean[row] == pytest.approx(quad(lambda y, one=one: one.pdf(y) * y, ends), rel=1e-8, abs=1e-9)
        second = quad(lambda y, one=one, row=row: one.pdf(y) * (y - mean[row]) ** 2, ends)
        assert var[row] == pytest.approx(second, rel=1e-7)


def test_crps_is_the_integral_of_its_definition(dist):
    points = dist.ppf([0.02, 0.5, 0.97])
    points[:, 2] += 0.5 * dist.std()
    low, high = dist.transform.domain
    points = np.clip(points, low + 1e-6, high - 1e-6)
    ours = dist.crps(points)
    for row in range(N):
        for point, value in zip(points[row], ours[row], strict=True):
            ends = np.unique([*pieces(dist, row), point])
            exact = quad(lambda x, row=row, point=point: (dist[row].cdf(x) - (x >= point)) ** 2, ends)
            assert value == pytest.approx(exact, rel=1e-8, abs=1e-9)


def test_crps_beyond_the_range_of_y_grows_by_one_a_unit():
    dist = TransformedMixture(BASE, Logit())
    np.testing.assert_allclose(dist.crps(3.0) - dist.crps(1.0), 2.0, rtol=1e-9)
    np.testing.assert_allclose(dist.crps(-3.0) - dist.crps(-1.0), 2.0, rtol=1e-9)
    assert np.isnan(dist.crps([[0.5, np.nan]])[:, 1]).all()


def test_regions_hold_their_probability_at_one_height(dist):
    for level in (0.1, 0.5, 0.95):
        for row, intervals in enumerate(dist.region(level)):
            one = dist[row]
            assert (np.diff(intervals.ravel()) > 0).all()
            inside = one.cdf(intervals[None, :, 1]) - one.cdf(intervals[None, :, 0])
            assert inside.sum() == pytest.approx(level, abs=1e-9)
            heights = one.logpdf(intervals.reshape(1, -1))[0]
            jump = np.isin(np.round(dist.transform.forward(intervals.ravel()), 9), np.round(dist.transform.breaks, 9))
            np.testing.assert_allclose(heights[~jump], heights[~jump].mean() if (~jump).any() else 0, atol=1e-8)
            outside = one.ppf(np.linspace(0.001, 0.999, 400))
            is_in = ((outside[0][:, None] > intervals[:, 0]) & (outside[0][:, None] < intervals[:, 1])).any(axis=1)
            density = one.pdf(outside)[0]
            assert density[is_in].min() >= density[~is_in].max() * (1 - 1e-6)


def test_hpd_values_are_the_levels_of_regions_and_even_for_draws(dist):
    for level in (0.3, 0.9):
        ends = np.array([intervals[0, 0] for intervals in dist.region(level)])
        np.testing.assert_allclose(dist.hpd_value(ends), level, atol=1e-8)
    values = dist.hpd_value(dist.sample(2000, random_state=0))
    assert all(stats.kstest(row, "uniform").pvalue > 1e-4 for row in values)


def test_modes_are_the_peaks_of_a_fine_grid():
    """Random mixtures of ten components whose σ spread over e³: of all peaks on a grid of 10⁵ points, none may be missed."""
    rng = np.random.default_rng(3)
    missed = found = 0
    for transform in (Log1p(), YeoJohnson(0.3), Logit()):
        base = Mixture(
            weights=rng.dirichlet(np.ones(10), 20),
            means=rng.normal(size=(20, 10)),
            scales=np.exp(rng.normal(-1.5, 0.8, (20, 10))),
        )
        dist = TransformedMixture(base, transform)
        ends = base.ppf([1e-5, 1 - 1e-5])
        for row, peaks in enumerate(dist.modes()):
            u = np.linspace(*ends[row], 100_001)
            y = transform.inverse(u)
            height = dist[row].logpdf(y[None])[0]
            on_grid = np.flatnonzero((height[1:-1] > height[:-2]) & (height[1:-1] >= height[2:])) + 1
            own = transform.forward(peaks)
            near = np.abs(u[on_grid][:, None] - own).min(axis=1) < 3 * (u[1] - u[0])
            missed, found = missed + int((~near).sum()), found + len(on_grid)
            assert peaks[0] == pytest.approx(y[height.argmax()], abs=1e-3)
            assert (np.diff(dist[row].logpdf(peaks[None])[0]) <= 1e-12).all()
    assert found > 100
    assert missed == 0


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_general_formulas_agree_with_the_closed_forms_of_lognormals(offset):
    dist = TransformedMixture(BASE, Log1p() if offset else Log())
    general, y = MappedFormulas(BASE, dist.transform), np.tile([0.05, 1.0, 7.0], (N, 1))
    np.testing.assert_allclose(general.crps(y), dist.crps(y), rtol=1e-10)
    np.testing.assert_allclose(general.entropy(), dist.entropy(), rtol=1e-10)
    np.testing.assert_allclose(general.mean(), dist.mean(), rtol=1e-9)
    np.testing.assert_allclose(np.concatenate(general.modes()), np.concatenate(dist.modes()), rtol=1e-6)


def test_log1p_is_the_shifted_lognormal_of_scipy():
    one = TransformedMixture(Mixture(weights=[[1.0]], means=[[0.4]], scales=[[0.7]]), Log1p())
    truth = stats.lognorm(0.7, loc=-1.0, scale=np.exp(0.4))
    y = np.array([[-0.9, 0.0, 2.0]])
    np.testing.assert_allclose(one.pdf(y)[0], truth.pdf(y[0]), rtol=1e-12)
    np.testing.assert_allclose(one.cdf(y)[0], truth.cdf(y[0]), rtol=1e-12)
    assert one.mean()[0] == pytest.approx(truth.mean(), rel=1e-12)
    assert one.std()[0] == pytest.approx(truth.std(), rel=1e-12)
    assert one.mode()[0] == pytest.approx(np.exp(0.4 - 0.49) - 1.0, rel=1e-9)
    assert one.cdf(-1.0)[0] == 0.0


def test_covariances_of_several_outputs_are_those_of_draws_and_of_lognormals():
    q = 2
    roots = RNG.normal(size=(2, 3, q, q)) * 0.4
    covariances = roots @ roots.swapaxes(2, 3) + 0.05 * np.eye(q)
    base = Mixture(weights=RNG.dirichlet(np.ones(3), 2), means=RNG.normal(size=(2, 3, q)), covariances=covariances)
    exact = TransformedMixture(base, Log()).cov()
    np.testing.assert_allclose(MappedFormulas(base, Log()).cov(), exact, rtol=1e-7)
    dist = TransformedMixture(base, Logit())
    draws = dist.sample(100_000, random_state=0)
    for row in range(2):
        np.testing.assert_allclose(np.cov(draws[row].T), dist.cov()[row], atol=5e-4)


# ------------------------------------------------------------------------------------------------ learned exponents
def test_exponents_are_those_of_scipy():
    rng = np.random.default_rng(0)
    positive = rng.gamma(2.0, size=400)
    ours = BoxCox.fit(positive[:, None])
    assert ours.exponent == pytest.approx(stats.boxcox(positive)[1], abs=1e-4)
    assert YeoJohnson.fit(positive[:, None] - 0.5).exponent == 0.0  # scipy: −.2, where some u have no y
    signed = rng.gamma(9.0, size=400) - 8.0
    ours = YeoJohnson.fit(signed[:, None])
    assert ours.exponent == pytest.approx(stats.yeojohnson_normmax(signed / np.abs(signed).mean()), abs=1e-3)
    u = stats.yeojohnson(signed, ours.exponent)
    np.testing.assert_allclose(YeoJohnson(ours.exponent).forward(signed), u, rtol=1e-12)
    np.testing.assert_allclose(BoxCox(0.3, 1.0, 1e-9, 1e9).forward(positive), special.boxcox(positive, 0.3), rtol=1e-12)


def test_exponents_follow_weights_units_and_several_outputs():
    rng = np.random.default_rng(1)
    y = np.column_stack([rng.gamma(2.0, size=300), rng.gamma(3.0, size=300)])
    times = rng.integers(0, 4, 300)
    for kind in (BoxCox, YeoJohnson):
        weighted, repeated = kind.fit(y, times.astype(float)), kind.fit(np.repeat(y, times, axis=0))
        if kind is BoxCox:  # Yeo–Johnson's unit is the mean of all rows, whatever they weigh
            assert weighted.exponent == pytest.approx(repeated.exponent, abs=1e-4)
        assert kind.fit(1e-9 * y).exponent == pytest.approx(kind.fit(y).exponent, abs=1e-4)
        missing = y.copy()
        missing[::5, 0] = np.nan
        assert abs(kind.fit(missing).exponent - kind.fit(y).exponent) < 0.2
        assert kind.fit(np.full((5, 1), 2.0)).exponent == 1.0
    one, two = BoxCox.fit(y[:, :1]).exponent, BoxCox.fit(y[:, 1:]).exponent
    assert min(one, two) < BoxCox.fit(y).exponent < max(one, two)


def test_the_likelihood_is_flat_at_the_exponent():
    y = np.random.default_rng(2).lognormal(size=(200, 1)) ** 0.7
    fit = BoxCox.fit(y)
    below, above = (stats.boxcox_llf(fit.exponent + step, y[:, 0]) for step in (-1e-4, 1e-4))
    assert (above - below) / 2e-4 == pytest.approx(0.0, abs=0.01)
    assert fit.low == pytest.approx(0.5 * y.min())


def test_powers_have_a_y_for_every_u():
    u = np.array([-1e3, -40.0, -2.0, 0.0, 2.0, 40.0])
    for transform in MAPS.values():
        with np.errstate(over="ignore"):
            y = transform.inverse(u)
        assert not np.isnan(y).any()
        assert (np.diff(y) * (1 if transform.increasing else -1) >= 0).all()
    assert (BoxCox(2.0, 1.0, 0.5, 2.0).inverse(np.array([-30.0, 0.0, 1.0])) > 0).all()


def test_targets_that_powers_cannot_take_are_told():
    with pytest.raises(ValueError, match=r"'box-cox' needs y between 0 and inf.*1 of 2 rows"):
        BoxCox.fit(np.array([[0.0], [1.0]]))
    with pytest.raises(ValueError, match=r"'sqrt' needs y >= 0; 1 of 2 rows are not, the first is row 0.*yeo-johnson"):
        SquareRoot.fit(np.array([[-1.0], [1.0]]))


# ------------------------------------------------------------------------------------------------------ other units
def test_affine_moves_every_verb():
    dist = TransformedMixture(BASE, YeoJohnson(0.4))
    moved = dist.affine(-2.0, 3.0)
    np.testing.assert_allclose(moved.mean(), 3.0 - 2.0 * dist.mean(), rtol=1e-9)
    np.testing.assert_allclose(moved.ppf(0.2), 3.0 - 2.0 * dist.ppf(0.8), rtol=1e-9)
    np.testing.assert_allclose(moved.crps(1.0), 2.0 * dist.crps(1.0), rtol=1e-8)
    np.testing.assert_allclose(moved.mode(), 3.0 - 2.0 * dist.mode(), rtol=1e-6)
    np.testing.assert_allclose(moved.entropy(), dist.entropy() + np.log(2.0), atol=1e-8)
    logs = TransformedMixture(BASE, Log()).affine([1.0, 2.0, 3.0], 0.0)
    assert logs.transform == Log()
    np.testing.assert_allclose(logs.mean(), [1.0, 2.0, 3.0] * TransformedMixture(BASE, Log()).mean(), rtol=1e-12)
    with pytest.raises(ValueError, match="one scale and one shift for all rows"):
        dist.affine([1.0, 2.0, 3.0], 0.0)
