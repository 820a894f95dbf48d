"""p(x | y) by grid and by importance: against closed forms, scipy's Pareto and quadrature."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from condensity import JointGMMRegressor, MDNRegressor, Mixture, WeightedDraws
from condensity.models.inverse_sampling import fit_generalized_pareto, on_grid, propose, smoothed


@pytest.mark.parametrize(("mean", "scale"), [(0.3, 1.0), (-2.0, 1e-3), (4.0, 0.05)])
def test_grid_finds_normals_however_narrow(mean, scale):
    """x ~ N(mean, scale²) times a constant: quantiles and evidence, from nodes that know neither."""
    heights = np.array([0.0, -700.0])  # a row may be very unlikely
    draws, log_evidence = on_grid(
        lambda x: stats.norm.logpdf(x, mean, scale) + heights[:, None], np.linspace(-10, 10, 400) + mean, 999
    )
    np.testing.assert_allclose(log_evidence, heights, atol=1e-5)
    exact = stats.norm.ppf((np.arange(999) + 0.5) / 999, mean, scale)
    np.testing.assert_allclose(draws, np.tile(exact, (2, 1)), atol=2e-3 * scale)


def test_grid_follows_two_peaks_of_unlike_weight():
    dist = Mixture(weights=[[0.999, 0.001]], means=[[-1.0, 3.0]], scales=[[0.5, 0.01]])
    draws, log_evidence = on_grid(lambda x: dist.logpdf(x[None]), np.linspace(-8, 8, 301), 4096)
    assert log_evidence[0] == pytest.approx(0.0, abs=1e-5)
    np.testing.assert_allclose(dist.cdf(draws)[0], (np.arange(4096) + 0.5) / 4096, atol=1e-5)


@pytest.mark.parametrize("shape", [-0.2, 0.1, 0.5, 0.9])
def test_pareto_shape_is_found(shape):
    """2000 numbers from scipy's own: the estimate's standard error is about (1 + k) / √2000 = .04, and ten numbers pull to ½."""
    x = np.sort(stats.genpareto.rvs(shape, scale=2.0, size=2000, random_state=0))
    found, scale = fit_generalized_pareto(x)
    assert found == pytest.approx(shape, abs=0.12)
    assert scale == pytest.approx(2.0, rel=0.15)


def test_even_weights_are_trusted_and_wild_ones_are_not():
    rng = np.random.default_rng(0)
    x = stats.norm.rvs(size=(2, 4096), random_state=rng)
    ratios = stats.norm.logpdf(x[0], scale=1.0) - stats.norm.logpdf(x[0], scale=1.1)
    wild = stats.pareto.rvs(0.8, size=4096, random_state=rng)  # tail of shape 1 / .8: weights without a mean
    log_weights, k = smoothed(np.stack([ratios, np.log(wild)]))
    np.testing.assert_allclose(np.exp(log_weights).sum(axis=1), 1.0)
    assert k[0] < 0.5
    assert k[1] > 0.9
    constant, k = smoothed(np.zeros((1, 200)))
    assert np.isneginf(k[0])
    np.testing.assert_allclose(constant, -np.log(200))


def test_smoothing_makes_importance_estimates_better():
    """E x² under N(0, 1) from draws of N(0, .8²), tail shape about .36: mean squared error over 200 repetitions."""
    raw, smooth = [], []
    for seed in range(200):
        x = np.random.default_rng(seed).normal(0, 0.8, 1000)
        ratios = stats.norm.logpdf(x) - stats.norm.logpdf(x, scale=0.8)
        w = np.exp(ratios - ratios.max())
        raw.append((w / w.sum()) @ x**2 - 1)
        smooth.append(np.exp(smoothed(ratios[None])[0][0]) @ x**2 - 1)
    assert np.mean(np.square(smooth)) < 1.05 * np.mean(np.square(raw))


@pytest.mark.parametrize("c", [1, 3])
def test_proposals_have_the_moments_of_their_mixture(c):
    rng = np.random.default_rng(0)
    n, k = 2, 3
    roots = rng.normal(size=(n, k, c, c)) + 2 * np.eye(c)
    mixture = Mixture(
        weights=rng.dirichlet(np.ones(k), n), means=rng.normal(size=(n, k, c)), covariances=roots @ roots.swapaxes(2, 3)
    )
    draws = propose(mixture, 4096, seed=0)
    assert draws.shape == (n, 4096, c)
    spread = np.sqrt(np.diagonal(mixture.cov(), axis1=1, axis2=2))
    error = (draws.mean(axis=1) - mixture.mean().reshape(n, c)) / spread
    assert np.abs(error).max() < 0.01  # plain draws would have .016
    for i in range(n):
        cov = np.cov(draws[i].T).reshape(c, c)
        np.testing.assert_allclose(cov, mixture.cov()[i], atol=0.03 * spread[i].max() ** 2)


# ------------------------------------------------------------------------------------------------ one interface
def answers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1))
    y = X[:, 0] ** 2 + 0.1 * rng.normal(size=400)  # two solutions
    settings = {"random_state": 0, "fallback": None}
    models = MDNRegressor(4, max_iter=80, **settings), JointGMMRegressor(8, **settings)
    return [model.fit(X, y).predict_inputs([1.0]) for model in models]


@pytest.mark.trap("T34")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_both_answers_have_the_same_verbs_shapes_and_solutions():
    network, joint = answers()
    for dist in (network, joint):
        assert dist.output_names == ["x0"]
        assert np.abs(dist.modes()[0][:, None] - [-1.0, 1.0]).min(axis=0).max() < 0.2
        assert abs(dist.mean()[0]) < 0.5  # between the solutions
        assert dist.trusted.all()
        assert len(dist.diagnosis) == 1
        assert dist.outside_share[0] < 0.1
    for ask in (
        "mean",
        "var",
        "std",
        "cov",
        "median",
        "interval",
        "mode",
        lambda d: d.ppf(0.1),
        lambda d: d.quantile([0.1, 0.9]),
    ):
        one, other = (getattr(dist, ask)() if isinstance(ask, str) else ask(dist) for dist in (network, joint))
        assert one.shape == other.shape
    np.testing.assert_allclose(network.ppf([0.05, 0.95]), joint.ppf([0.05, 0.95]), atol=0.25)
    assert network.marginal("x0") is network


@pytest.mark.trap("T34")
def test_weighted_verbs_are_those_of_the_weighted_sample():
    rng = np.random.default_rng(0)
    draws, weights = rng.normal([0.0, 5.0], 1.0, (2, 5000, 2)), rng.dirichlet(np.ones(5000), 2)
    dist = WeightedDraws(
        draws, np.log(weights), 1 / (weights**2).sum(axis=1), np.zeros(2), np.zeros(2), np.zeros(2), None, ["a", "b"]
    )
    second = dist.marginal("b")
    np.testing.assert_allclose(second.mean(), dist.mean()[:, 1], rtol=1e-12)
    np.testing.assert_allclose(second.std() ** 2, dist.cov()[:, 1, 1], rtol=1e-12)
    np.testing.assert_allclose(dist.var(), np.einsum("nii->ni", dist.cov()), rtol=1e-12)
    np.testing.assert_allclose(second.interval(0.9), np.tile(5 + stats.norm.ppf([0.05, 0.95]), (2, 1)), atol=0.12)
    np.testing.assert_array_equal(second.median(), second.ppf(0.5))
    with pytest.raises(ValueError, match=r"ppf is for one input.*marginal\(j\)\.ppf"):
        dist.ppf(0.5)
    with pytest.raises(ValueError, match="there is no output 'c'"):
        dist.marginal("c")
    with pytest.raises(ValueError, match="this is a marginal"):
        second.logpdf(0.0)


@pytest.mark.trap("T34")
def test_modes_of_several_inputs_are_the_solutions():
    rng = np.random.default_rng(0)
    centers = np.array([[-2.0, 0.0], [2.0, 1.0], [0.0, -3.0]])
    draws = (centers[rng.choice(3, 3000, p=[0.5, 0.3, 0.2])] + 0.3 * rng.normal(size=(3000, 2)))[None]
    even = np.full((1, 3000), -np.log(3000))
    dist = WeightedDraws(draws, even, np.array([3000.0]), np.zeros(1), np.zeros(1), np.zeros(1), None)
    np.testing.assert_allclose(dist.modes()[0], centers, atol=0.15)
    np.testing.assert_allclose(dist.mode()[0], centers[0], atol=0.15)


@pytest.mark.trap("T34")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_outputs_that_no_row_had_are_not_trusted():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.uniform(size=300), "kind": rng.choice(["u", "v"], 300)})
    y = X["a"].to_numpy() + 0.1 * rng.normal(size=300)
    joint = JointGMMRegressor(2, random_state=0, fallback=None).fit(X, y)
    dist = joint.predict_inputs([0.5, 3.0])
    assert dist.output_names == ["a"]  # categories are integrated out
    np.testing.assert_array_equal(dist.trusted, [True, False])
    assert "extrapolation" in dist.diagnosis[1]
    with pytest.raises(ValueError, match="whole answer"):
        dist[0].diagnosis  # noqa: B018
    network = MDNRegressor(2, max_iter=40, random_state=0, fallback=None).fit(X[["a"]], y)
    with pytest.warns(UserWarning, match=r"of 1 of 2 rows should not be trusted. Row 1: .*extrapolation"):
        found = network.predict_inputs([0.5, 9.0])
    np.testing.assert_array_equal(found.trusted, [True, False])
    with pytest.raises(ValueError, match="categories alone"):
        JointGMMRegressor(1, random_state=0).fit(X[["kind"]], y).predict_inputs([0.0])
