"""p(x | y) by grid and by importance: against closed forms, scipy's Pareto and quadrature."""

import numpy as np
import pytest
from scipy import stats

from condensity import Mixture
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
