"""The four covariance types: against scikit-learn from the same start, and as maxima of what they climb."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from condensity.compute import Compute
from condensity.em import COVARIANCE_TYPES, CovarianceSpec, fit_gmm, kmeans_start, steps
from condensity.em.steps import em_step, expect, group_by_missing, maximise

#: What scikit-learn wants of precisions, from full ones.
PRECISIONS = {
    "full": lambda p: p,
    "tied": lambda p: p[0],
    "diag": lambda p: np.diagonal(p, axis1=1, axis2=2),
    "spherical": lambda p: p[:, 0, 0],
}


@pytest.fixture(params=["reference", "native"])
def engine(request):
    return request.param


def blobs(n=400, d=3, seed=0):
    rng = np.random.default_rng(seed)
    centres = 3.0 * rng.normal(size=(5, d))
    mixing = rng.normal(size=(5, d, d)) * 0.5 + np.eye(d)
    label = rng.integers(0, 5, n)
    x = centres[label] + np.einsum("nij,nj->ni", mixing[label], rng.normal(size=(n, d)))
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize(("n", "n_components", "d"), [(400, 5, 3), (300, 4, 1), (350, 3, 6)])
def test_likelihood_path_equals_scikit_learn(kind, n, n_components, d, engine):
    """Same start, ridge and number of steps, no prior: 1e-8 along the whole path, on both engines.

    scikit-learn stops early where a step changes the bound by nothing at all, so lengths are taken from it.
    """
    x = blobs(n, d)
    spec = CovarianceSpec(kind, 0.0, 1e-6)
    start = kmeans_start(
        x, n_components, np.random.default_rng(0), spec=CovarianceSpec(kind, 0.05, 1e-3), compute=Compute(engine)
    )
    ours = fit_gmm(x, n_components, None, start=start, spec=spec, max_iter=40, tol=0.0, compute=Compute(engine))
    for n_iter in (1, 2, 3, 7, 20, 40):
        theirs = GaussianMixture(
            n_components, covariance_type=kind, tol=0.0, reg_covar=1e-6, max_iter=n_iter, weights_init=start.weights,
            means_init=start.means, precisions_init=PRECISIONS[kind](np.linalg.inv(start.covariances)),
            init_params="random", random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            theirs.fit(x)
        assert ours.objective_path[theirs.n_iter_] == pytest.approx(theirs.score(x), abs=1e-8)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("prior", [0.0, 0.05])
def test_the_m_step_maximises(kind, prior):
    """No small change of means or covariances, of the allowed kind, does better for the same responsibilities."""
    x, rng = blobs(120, 3), np.random.default_rng(1)
    spec = CovarianceSpec(kind, prior, 0.0)
    before = kmeans_start(x, 2, rng, spec=CovarianceSpec(kind, 0.1, 0.01))
    sums, _ = expect(group_by_missing(x), before, spec)
    best = maximise(sums, before.means, spec)
    full, _ = expect(
        group_by_missing(x), before, CovarianceSpec("full")
    )  # second moments about the old means, whole matrices
    if spec.independent:  # the same responsibilities: those of the model
        second = np.zeros((2, 3, 3))
        second[:, range(3), range(3)] = sums.second
        full = sums._replace(second=second)
    else:
        full = sums

    def expected(candidate):
        """Σ_k E[log w_k N(x | μ_k, Σ_k)] and the prior."""
        total = sums.counts @ np.log(candidate.weights)
        for k in range(2):
            shift, covariance = candidate.means[k] - before.means[k], candidate.covariances[k]
            cross = np.outer(sums.first[k], shift)
            scatter = full.second[k] - cross - cross.T + sums.counts[k] * np.outer(shift, shift)
            inverse = np.linalg.inv(covariance)
            if spec.independent:
                scatter = np.diag(np.diag(scatter))
            total -= 0.5 * (sums.counts[k] * np.linalg.slogdet(covariance)[1] + np.trace(inverse @ scatter))
            share = 0.5 if kind == "tied" else 1.0  # one prior for the one covariance
            total -= 0.5 * share * (spec.degrees * np.linalg.slogdet(covariance)[1] + prior * np.trace(inverse))
        return total

    top = expected(best)
    for _ in range(60):
        change = 0.02 * rng.normal(size=(2, 3, 3))
        if kind == "tied":
            change[1] = change[0]
        if spec.independent:
            change *= np.eye(3)
        if kind == "spherical":
            change = change[:, :1, :1] * np.eye(3)
        stretch = np.eye(3) + change
        other = best._replace(
            means=best.means + 0.02 * rng.normal(size=(2, 3)),
            covariances=stretch @ best.covariances @ stretch.transpose(0, 2, 1),
        )
        assert expected(other) < top


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("prior", [0.0, 0.05])
def test_the_objective_climbs_and_covariances_have_their_form(kind, prior, engine):
    x = blobs(250, 4)
    fit = fit_gmm(
        x,
        4,
        np.random.default_rng(0),
        spec=CovarianceSpec(kind, prior, 0.0),
        max_iter=60,
        tol=0.0,
        compute=Compute(engine),
    )
    assert (np.diff(fit.objective_path) > -1e-12).all()
    covariances = fit.parameters.covariances
    if kind == "tied":
        assert (covariances == covariances[0]).all()
    if kind in ("diag", "spherical"):
        assert (covariances * (1 - np.eye(4)) == 0).all()
    if kind == "spherical":
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        assert (variances == variances[:, :1]).all()


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_integer_weights_are_repeated_rows(kind, engine):
    x = blobs(90, 2)
    repeats = np.random.default_rng(0).integers(0, 4, 90)
    weighted = repeated = kmeans_start(
        x, 3, np.random.default_rng(0), spec=CovarianceSpec(kind), compute=Compute(engine)
    )
    spec = CovarianceSpec(kind, 0.02, 1e-6)
    sums = steps.engines.operation("gaussian_sums", Compute(engine))
    for _ in range(8):
        weighted, one = em_step(group_by_missing(x, repeats.astype(float)), weighted, spec, sums)
        repeated, other = em_step(group_by_missing(np.repeat(x, repeats, axis=0)), repeated, spec, sums)
        assert one == pytest.approx(other, abs=1e-11)
    for one, other in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
