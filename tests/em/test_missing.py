"""Gaps: the E step row by row, a direct numerical optimum, and complete data as the limit."""

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import logsumexp

from condensity import engines
from condensity.em import (
    COVARIANCE_TYPES,
    CovarianceSpec,
    GaussianMixtureParameters,
    fit_gmm,
    kmeans_start,
    log_density,
)
from condensity.em.steps import em_step, expect, group_by_missing

FORMS = [CovarianceSpec(kind, 0.02, 1e-6) for kind in COVARIANCE_TYPES]


@pytest.fixture(params=["reference", "native"], autouse=True)
def engine(request, monkeypatch):
    monkeypatch.setenv("CONDENSITY_ENGINE", request.param)
    return request.param


def table(n=120, d=4, share=0.2, seed=0):
    """Correlated rows in two clumps, with a share of the cells missing; and the same without gaps."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) @ (np.eye(d) + 0.5 * rng.normal(size=(d, d))) + 2.0 * (rng.random((n, 1)) < 0.4)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.where(rng.random((n, d)) < share, np.nan, x), x


def test_parts_hold_every_row_once():
    gappy, _ = table()
    parts = group_by_missing(gappy, np.arange(120.0))
    rows = np.concatenate([part.rows for part in parts])
    assert sorted(rows) == list(range(120))
    for part in parts:
        assert np.array_equal(part.weight, part.rows)
        assert np.array_equal(part.x, gappy[np.ix_(part.rows, part.observed)])
        assert np.isnan(np.delete(gappy[part.rows], part.observed, axis=1)).all()
    assert len(group_by_missing(table()[1])) == 1


@pytest.mark.parametrize("spec", FORMS, ids=COVARIANCE_TYPES)
def test_e_step_equals_the_definition_row_by_row(spec):
    """E[γ], E[γ u], E[γ u uᵀ] given what a row knows, by scipy's marginals and the textbook conditional."""
    gappy, x = table(30, 4, 0.4)
    gappy = gappy[~np.isnan(gappy).all(axis=1)]
    parameters = kmeans_start(x, 3, np.random.default_rng(0), spec=spec)
    weight = np.random.default_rng(1).uniform(0.2, 2, len(gappy))
    found, _ = expect(group_by_missing(gappy, weight), parameters, spec, engines.operation("gaussian_sums"))
    counts, first, second, total = np.zeros(3), np.zeros((3, 4)), np.zeros((3, 4, 4)), 0.0
    for row, v in zip(gappy, weight, strict=True):
        known = np.flatnonzero(~np.isnan(row))
        missing = np.setdiff1d(np.arange(4), known)
        terms = np.log(parameters.weights)
        if len(known):
            terms = terms + [
                stats.multivariate_normal(m[known], c[np.ix_(known, known)]).logpdf(row[known])
                for m, c in zip(parameters.means, parameters.covariances, strict=True)
            ]
        total += v * logsumexp(terms)
        for k, share in enumerate(v * np.exp(terms - logsumexp(terms))):
            mean, covariance = parameters.means[k], parameters.covariances[k]
            slopes = covariance[np.ix_(missing, known)] @ np.linalg.inv(covariance[np.ix_(known, known)])
            u = np.zeros(4)
            u[known] = row[known] - mean[known]
            u[missing] = slopes @ u[known]
            spread = np.zeros((4, 4))
            spread[np.ix_(missing, missing)] = (
                covariance[np.ix_(missing, missing)] - slopes @ covariance[np.ix_(known, missing)]
            )
            counts[k] += share
            first[k] += share * u
            second[k] += share * (np.outer(u, u) + spread)
    if spec.independent:
        second = np.diagonal(second, axis1=1, axis2=2)
    for one, other in zip(found, (counts, first, second, total), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", FORMS, ids=COVARIANCE_TYPES)
def test_the_objective_climbs(spec):
    fit = fit_gmm(table()[0], 3, np.random.default_rng(0), spec=spec._replace(ridge=0.0), max_iter=60, tol=0.0)
    assert (np.diff(fit.objective_path) > -1e-11).all()


def test_single_normal_equals_a_direct_numerical_optimum():
    """K = 1, d = 2, a third of the cells missing: EM against BFGS on the observed-data likelihood."""
    gappy, _ = table(60, 2, 0.35, seed=3)
    gappy = gappy[~np.isnan(gappy).all(axis=1)]
    fit = fit_gmm(gappy, 1, np.random.default_rng(0), spec=CovarianceSpec("full", 0.0, 0.0), max_iter=3000, tol=1e-14)

    def loss(theta):
        factor = np.array([[np.exp(theta[2]), 0.0], [theta[3], np.exp(theta[4])]])
        parameters = GaussianMixtureParameters(np.ones(1), theta[None, :2], (factor @ factor.T)[None])
        return -log_density(parameters, gappy).mean()

    best = optimize.minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-9})
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-9)
    np.testing.assert_allclose(fit.parameters.means[0], best.x[:2], atol=1e-5)


def test_mixture_ends_where_a_direct_numerical_optimum_cannot_rise():
    """K = 2, d = 2: BFGS from where EM ended gains nothing (1e-9 nats)."""
    gappy, _ = table(200, 2, 0.25, seed=5)
    gappy = gappy[~np.isnan(gappy).all(axis=1)]
    fit = fit_gmm(gappy, 2, np.random.default_rng(0), spec=CovarianceSpec("full", 0.0, 0.0), max_iter=20_000, tol=1e-14)

    def unpack(theta):
        weight = 1.0 / (1.0 + np.exp(-theta[0]))
        factors = np.zeros((2, 2, 2))
        factors[:, 0, 0], factors[:, 1, 1] = np.exp(theta[5:7]), np.exp(theta[7:9])
        factors[:, 1, 0] = theta[9:11]
        return GaussianMixtureParameters(
            np.array([weight, 1 - weight]), theta[1:5].reshape(2, 2), factors @ factors.transpose(0, 2, 1)
        )

    weights, means, covariances = fit.parameters
    factors = np.linalg.cholesky(covariances)
    theta = np.concatenate([
        [np.log(weights[0] / weights[1])], means.ravel(), np.log(factors[:, 0, 0]), np.log(factors[:, 1, 1]), factors[:, 1, 0],
    ])  # fmt: skip
    best = optimize.minimize(
        lambda t: -log_density(unpack(t), gappy).mean(), theta, method="BFGS", options={"gtol": 1e-10}
    )
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-9)


def test_few_gaps_are_nearly_none():
    """As the share of missing cells falls, the fit goes to that of complete data; complete data give the same bits."""
    _, x = table(400, 3, 0.0, seed=2)
    x[150:] += [4.0, -3.0, 5.0]  # three clumps far apart, so that the optimum is sharp
    x[300:] += [4.0, 6.0, -5.0]
    start = kmeans_start(x, 3, np.random.default_rng(0), spec=CovarianceSpec())
    options = {"start": start, "max_iter": 30, "tol": 0.0}
    whole = fit_gmm(x, 3, None, **options).parameters
    distances = []
    for n_missing in (200, 20, 2):
        gappy = x.copy()
        gappy.ravel()[np.random.default_rng(1).choice(x.size, n_missing, replace=False)] = np.nan
        part = fit_gmm(gappy, 3, None, **options).parameters
        distances.append(max(np.abs(one - other).max() for one, other in zip(part, whole, strict=True)))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.02  # two of 400 rows lack a third of what they knew
    again = fit_gmm(x, 3, None, **options).parameters
    assert all(np.array_equal(one, other) for one, other in zip(again, whole, strict=True))


def test_log_density_is_of_what_is_known():
    gappy, x = table(50, 3, 0.4)
    parameters = kmeans_start(x, 2, np.random.default_rng(0), spec=CovarianceSpec())
    got = log_density(parameters, gappy)
    for row, value in zip(gappy, got, strict=True):
        known = ~np.isnan(row)
        terms = [
            np.log(w)
            + (stats.multivariate_normal(m[known], c[np.ix_(known, known)]).logpdf(row[known]) if known.any() else 0)
            for w, m, c in zip(*parameters, strict=True)
        ]
        assert value == pytest.approx(logsumexp(terms), abs=1e-11)


def test_all_gaps_in_a_row_or_column_do_no_harm():
    """A row that knows nothing is left out; a column that nobody knows keeps the start's distribution."""
    gappy, _ = table(80, 3, 0.2)
    gappy[5] = np.nan
    without = fit_gmm(np.delete(gappy, 5, axis=0), 2, np.random.default_rng(0))
    with_row = fit_gmm(gappy, 2, np.random.default_rng(0))
    assert with_row.log_likelihood == pytest.approx(without.log_likelihood, abs=0.05)
    gappy[:, 1] = np.nan
    fit = fit_gmm(gappy, 2, np.random.default_rng(0))
    assert all(np.isfinite(part).all() for part in fit.parameters)


def test_steps_on_many_patterns_equal_rows_one_by_one():
    """15 patterns, each its own part, against one part a row."""
    gappy, x = table(200, 4, 0.5)
    parameters = kmeans_start(x, 3, np.random.default_rng(0), spec=CovarianceSpec())
    parts = group_by_missing(gappy)
    single = [part for row in gappy for part in group_by_missing(row[None])]
    sums = engines.operation("gaussian_sums")
    (one, first), (other, second) = (em_step(some, parameters, CovarianceSpec(), sums) for some in (parts, single))
    assert first == pytest.approx(second, abs=1e-12)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
