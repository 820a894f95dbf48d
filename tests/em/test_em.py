"""Reference EM against scipy, scikit-learn, plain algebra, and the properties that define it; n ≠ K ≠ d."""

import warnings

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from condensity import em, engines
from condensity.em import CovarianceSpec, GaussianMixtureParameters, steps
from condensity.em.steps import group_by_missing
from condensity.engines.reference import gaussians
from condensity.engines.types import GaussianComponents

#: float64 keeps 2e-16; sums of some hundred terms on numbers of order 10 and condition numbers of some 10.
ROUNDING = 1e-11


def random_mixture(rng, n_components, d):
    """A mixture with correlated, well-conditioned components of different weight, place and scale."""
    factors = rng.normal(size=(n_components, d, d)) * 0.3 + np.eye(d)
    return GaussianMixtureParameters(
        rng.dirichlet(np.full(n_components, 3.0)),
        2.0 * rng.normal(size=(n_components, d)),
        factors @ factors.swapaxes(1, 2),
    )


def draw(rng, params, n):
    """Rows of a mixture, by the definition."""
    labels = rng.choice(len(params.weights), n, p=params.weights)
    factors = np.linalg.cholesky(params.covariances)[labels]
    return params.means[labels] + np.einsum("nij,nj->ni", factors, rng.normal(size=(n, params.means.shape[1])))


def component_log_densities(x, params):
    return gaussians.gaussian_terms(
        GaussianComponents.from_factors(params.weights, params.means, steps.factors_of(params)),
        np.asarray(x, dtype=float),
    )


def gmm_log_density(x, params):
    return em.log_density(params, x)


@pytest.fixture(autouse=True, params=["reference", "native"])
def engine(request, monkeypatch):
    """Every test runs on both engines."""
    monkeypatch.setenv("CONDENSITY_ENGINE", request.param)
    return request.param


def em_step(x, weight, params, *, prior, ridge, covariance_type="full"):
    parts = group_by_missing(np.asarray(x, dtype=float), weight)
    return steps.em_step(
        parts, params, CovarianceSpec(covariance_type, prior, ridge), engines.operation("gaussian_sums")
    )


def kmeans_start(x, n_components, rng, weight=None, *, prior, ridge, covariance_type="full"):
    return em.kmeans_start(x, n_components, rng, weight, spec=CovarianceSpec(covariance_type, prior, ridge))


def fit_gmm(x, n_components, rng, *, prior=0.01, ridge=1e-6, covariance_type="full", **options):
    return em.fit_gmm(x, n_components, rng, spec=CovarianceSpec(covariance_type, prior, ridge), **options)


def condition_gaussians(params, x, given, target):
    dist = em.conditional(params, given, [target], x)
    return dist.log_weights, dist.means, dist.scales


def scipy_component_log_densities(x, params):
    return np.stack(
        [np.log(w) + stats.multivariate_normal(m, c).logpdf(x) for w, m, c in zip(*params, strict=True)],
        axis=1,
    )


def assert_valid(params, n_components, d):
    assert [array.shape for array in params] == [(n_components,), (n_components, d), (n_components, d, d)]
    assert all(np.isfinite(array).all() for array in params)
    assert (params.weights > 0).all()
    assert params.weights.sum() == pytest.approx(1, abs=1e-12)
    assert np.array_equal(params.covariances, params.covariances.swapaxes(1, 2))
    np.linalg.cholesky(params.covariances)


def assert_same(actual, expected, tolerance):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------- log densities


@pytest.mark.parametrize(("n", "n_components", "d"), [(7, 3, 1), (11, 1, 4), (50, 5, 2), (3, 4, 6)])
def test_log_densities_equal_scipy(n, n_components, d):
    rng = np.random.default_rng(d)
    params = random_mixture(rng, n_components, d)
    x = 3.0 * rng.normal(size=(n, d))
    expected = scipy_component_log_densities(x, params)
    np.testing.assert_allclose(component_log_densities(x, params), expected, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(gmm_log_density(x, params), logsumexp(expected, axis=1), rtol=ROUNDING, atol=ROUNDING)


def test_narrow_components_far_from_zero_keep_their_digits():
    """Quadratic features would lose μ²/σ² · eps = 1e-2 here; the centred form loses the rounding of x alone:
    x − μ is exact to eps·μ/σ = 2e-7 in z of order 1."""
    params = GaussianMixtureParameters(np.ones(1), np.array([[1e3, -1e3]]), np.eye(2)[None] * 1e-12)
    z = np.array([[0.5, -1.0], [2.0, 0.0]])
    expected = -0.5 * np.sum(z**2, axis=1) - np.log(2 * np.pi) - np.log(1e-12)
    np.testing.assert_allclose(gmm_log_density(params.means + 1e-6 * z, params), expected, rtol=0, atol=1e-6)


def test_far_rows_and_zero_weights():
    """No warning, no nan: at 1e6 scales the log density is −5e11, and a component of weight 0 has −inf."""
    params = GaussianMixtureParameters(np.array([1.0, 0.0]), np.zeros((2, 1)), np.ones((2, 1, 1)))
    x = np.array([[1e6], [0.0], [-3e4]])
    np.testing.assert_allclose(gmm_log_density(x, params), stats.norm.logpdf(x[:, 0]), rtol=1e-14)
    assert np.isneginf(component_log_densities(x, params)[:, 1]).all()
    stepped, objective = em_step(x, None, params, prior=0.01, ridge=0.0)
    assert np.isfinite(objective)
    assert_valid(stepped, 2, 1)


def test_block_size_does_not_matter(monkeypatch):
    rng = np.random.default_rng(2)
    params = random_mixture(rng, 4, 3)
    x, weight = draw(rng, params, 101), rng.uniform(0.5, 2, 101)
    whole = component_log_densities(x, params)
    stepped, objective = em_step(x, weight, params, prior=0.01, ridge=0.0)
    monkeypatch.setattr(gaussians, "BLOCK_SIZE", 7 * 4 * 3)
    np.testing.assert_allclose(component_log_densities(x, params), whole, rtol=ROUNDING)
    stepped_in_blocks, objective_in_blocks = em_step(x, weight, params, prior=0.01, ridge=0.0)
    assert objective_in_blocks == pytest.approx(objective, abs=ROUNDING)
    assert_same(stepped_in_blocks, stepped, ROUNDING)


# ---------------------------------------------------------------- one step


@pytest.mark.parametrize("prior", [0.0, 0.05])
def test_step_equals_the_formulas_written_out(prior):
    """The M step about new means, from responsibilities of scipy's densities."""
    rng = np.random.default_rng(8)
    params = random_mixture(rng, 3, 2)
    x, weight = draw(rng, params, 40), rng.uniform(0.2, 3, 40)
    log_joint = scipy_component_log_densities(x, params)
    log_density = logsumexp(log_joint, axis=1)
    shares = weight[:, None] * np.exp(log_joint - log_density[:, None])
    counts, degrees = shares.sum(axis=0), steps.PRIOR_DEGREES if prior else 0.0
    means = shares.T @ x / counts[:, None]
    covariances = []
    for k in range(3):
        scatter = (shares[:, k, None] * (x - means[k])).T @ (x - means[k])
        covariances.append((scatter + prior * np.eye(2)) / (counts[k] + degrees) + 1e-3 * np.eye(2))
    penalty = sum(degrees * np.linalg.slogdet(c)[1] + prior * np.trace(np.linalg.inv(c)) for c in params.covariances)
    stepped, objective = em_step(x, weight, params, prior=prior, ridge=1e-3)
    assert_same(stepped, (counts / weight.sum(), means, np.array(covariances)), ROUNDING)
    assert objective == pytest.approx((weight @ log_density - 0.5 * penalty) / weight.sum(), abs=ROUNDING)


@pytest.mark.parametrize("prior", [0.0, 0.02])
def test_integer_weights_are_repeated_rows(prior):
    """1e-10: ten steps, each of which may magnify rounding a little."""
    rng = np.random.default_rng(3)
    truth = random_mixture(rng, 3, 2)
    x, repeats = draw(rng, truth, 60), rng.integers(0, 4, 60)
    weighted = repeated = kmeans_start(x, 3, rng, prior=0.1, ridge=1e-3)
    for _ in range(10):
        weighted, weighted_objective = em_step(x, repeats, weighted, prior=prior, ridge=1e-6)
        repeated, repeated_objective = em_step(np.repeat(x, repeats, axis=0), None, repeated, prior=prior, ridge=1e-6)
        assert weighted_objective == pytest.approx(repeated_objective, abs=1e-10)
    assert_same(weighted, repeated, 1e-10)


def test_fit_with_integer_weights_is_fit_of_repeated_rows_without_prior():
    rng = np.random.default_rng(4)
    truth = random_mixture(rng, 3, 2)
    x, repeats = draw(rng, truth, 80), rng.integers(0, 4, 80)
    options = {
        "prior": 0.0,
        "max_iter": 12,
        "tol": 0.0,
        "start": kmeans_start(x, 3, rng, prior=0.1, ridge=1e-3),
    }
    weighted = fit_gmm(x, 3, rng, sample_weight=repeats, **options)
    repeated = fit_gmm(np.repeat(x, repeats, axis=0), 3, rng, **options)
    assert_same(weighted.parameters, repeated.parameters, 1e-10)
    np.testing.assert_allclose(weighted.objective_path, repeated.objective_path, rtol=0, atol=1e-10)


def test_only_ratios_of_weights_matter_and_zero_weight_rows_are_absent():
    rng = np.random.default_rng(5)
    x, weight = rng.normal(size=(70, 2)), rng.uniform(0.5, 2.0, 70)
    weight[::5] = 0.0
    kept = weight > 0
    fits = [
        fit_gmm(rows, 3, np.random.default_rng(0), sample_weight=w, prior=0.02)
        for rows, w in [(x, weight), (x, 1024.0 * weight), (x[kept], weight[kept])]
    ]
    for other in fits[1:]:
        assert_same(other.parameters, fits[0].parameters, 0.0)  # a power of two and a dropped row leave every bit
    with pytest.raises(ValueError, match="sample_weight"):
        fit_gmm(x, 3, rng, sample_weight=np.zeros(70))


# ---------------------------------------------------------------- the objective


def ridge_allowance(statistics, params, prior, ridge):
    """What the ridge may cost: the bound at the head of the module, over the total weight."""
    counts = statistics.counts + (steps.PRIOR_DEGREES if prior else 0.0)
    eigenvalues = np.linalg.eigvalsh(params.covariances) - ridge
    eigenvalues = np.maximum(eigenvalues, 1e-3 * ridge)  # below, rounding decides
    cost = np.log1p(ridge / eigenvalues) - ridge / (eigenvalues + ridge)
    return 0.5 * counts @ cost.sum(axis=1) / statistics.counts.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("prior", "ridge"), [(0.0, 0.0), (0.01, 0.0), (0.5, 0.0), (0.0, 1e-3), (0.01, 1e-2)])
@pytest.mark.parametrize(("n", "n_components", "d"), [(60, 2, 3), (200, 7, 2), (150, 4, 1)])
def test_objective_is_monotone(n, n_components, d, prior, ridge, weighted):
    """To rounding (1e-12 on numbers of order 1-10) with ridge 0, and else but for the ridge's proven cost.

    The start is broad, so that maximum likelihood falls into no singular component within the 40 steps.
    """
    rng = np.random.default_rng(n + d)
    x = draw(rng, random_mixture(rng, n_components, d), n)
    weight = rng.uniform(0.3, 2, n) if weighted else np.ones(n)
    params = kmeans_start(x, n_components, rng, weight, prior=1.0, ridge=0.1)
    before = -np.inf
    allowance = 0.0
    for _ in range(40):
        stepped, objective = em_step(x, weight, params, prior=prior, ridge=ridge)
        assert objective >= before - allowance - 1e-12 * (1 + abs(objective))
        statistics = steps.expect(group_by_missing(x, weight), params, CovarianceSpec())[0]
        allowance = ridge_allowance(statistics, stepped, prior, ridge) if ridge else 0.0
        before, params = objective, stepped


def test_fit_reports_what_it_did():
    rng = np.random.default_rng(1)
    x = draw(rng, random_mixture(rng, 3, 2), 300)
    fit = fit_gmm(x, 3, np.random.default_rng(0), ridge=0.0)
    path = fit.objective_path
    assert fit.converged
    assert len(path) == fit.n_iter + 1
    assert all(isinstance(value, float) for value in path)
    assert (np.diff(path) >= -1e-12).all()
    assert abs(path[-2] - path[-3]) < 1e-4 <= abs(path[-3] - path[-4])
    assert fit.log_likelihood == pytest.approx(gmm_log_density(x, fit.parameters).mean(), abs=1e-12)
    _, final_objective = em_step(x, None, fit.parameters, prior=0.01, ridge=0.0)
    assert path[-1] == pytest.approx(final_objective, abs=1e-12)
    short = fit_gmm(x, 3, np.random.default_rng(0), max_iter=2, tol=0.0)
    assert (short.converged, short.n_iter) == (False, 2)
    none = fit_gmm(x, 3, rng, start=fit.parameters, max_iter=0)
    assert (none.converged, none.n_iter, none.parameters) == (False, 0, fit.parameters)


def test_warm_start_equals_a_long_run():
    rng = np.random.default_rng(6)
    x = draw(rng, random_mixture(rng, 4, 2), 250)
    start = kmeans_start(x, 4, rng, prior=0.01, ridge=1e-6)
    first = fit_gmm(x, 4, rng, start=start, max_iter=7, tol=0.0)
    second = fit_gmm(x, 4, rng, start=first.parameters, max_iter=5, tol=0.0)
    whole = fit_gmm(x, 4, rng, start=start, max_iter=12, tol=0.0)
    assert_same(second.parameters, whole.parameters, 0.0)


def test_several_starts_keep_the_best_objective():
    rng = np.random.default_rng(9)
    x = draw(rng, random_mixture(rng, 8, 2), 200)
    shared = np.random.default_rng(0)
    singles = [fit_gmm(x, 8, shared).objective_path[-1] for _ in range(5)]
    best = fit_gmm(x, 8, np.random.default_rng(0), n_init=5)
    assert best.objective_path[-1] == max(singles)
    assert max(singles) > min(singles)


def test_same_generator_same_bits():
    x = np.random.default_rng(0).normal(size=(90, 3))
    first, again, other = (fit_gmm(x, 5, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert_same(first.parameters, again.parameters, 0.0)
    assert first.objective_path == again.objective_path
    assert not np.array_equal(first.parameters.means, other.parameters.means)


# ---------------------------------------------------------------- scikit-learn


@pytest.mark.parametrize(("n", "n_components", "d", "ridge"), [(300, 4, 2, 1e-6), (500, 7, 3, 1e-4), (120, 3, 1, 1e-6)])
def test_likelihood_equals_scikit_learn_from_the_same_start(n, n_components, d, ridge):
    """Same start, number of steps and ridge, no prior: same mean log likelihood to 1e-8.

    scikit-learn adds 10 eps = 2e-15 to every N_k, which moves a mean by 1e-15 of its distance to 0: far less.
    """
    rng = np.random.default_rng(n)
    x = draw(rng, random_mixture(rng, n_components, d), n)
    start = kmeans_start(x, n_components, rng, prior=0.05, ridge=1e-3)
    for n_iter in (1, 5, 60):
        theirs = GaussianMixture(
            n_components, covariance_type="full", tol=0.0, reg_covar=ridge, max_iter=n_iter, random_state=0,
            weights_init=start.weights, means_init=start.means, init_params="random",
            precisions_init=np.linalg.inv(start.covariances),
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            theirs.fit(x)
        ours = fit_gmm(x, n_components, rng, start=start, prior=0.0, ridge=ridge, max_iter=theirs.n_iter_, tol=0.0)
        assert ours.n_iter == theirs.n_iter_
        assert ours.log_likelihood == pytest.approx(theirs.score(x), abs=1e-8)
    # 1e-6: 60 steps magnify differences of rounding where the likelihood is flat.
    assert_same(ours.parameters, (theirs.weights_, theirs.means_, theirs.covariances_), 1e-6)


# ---------------------------------------------------------------- the start


@pytest.mark.trap("T6")
def test_start_finds_three_separated_blobs():
    """TRAPS T6: farthest-centre k-means++ finds all three in 34 % of starts, the right one in 99 %."""
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    x = np.concatenate([centre + rng.normal(size=(60, 2)) for centre in centres])
    found = 0
    for seed in range(200):
        means = kmeans_start(x, 3, np.random.default_rng(seed), prior=0.01, ridge=1e-6).means
        nearest = np.linalg.norm(means[:, None] - centres, axis=2).argmin(axis=1)
        found += len(set(nearest)) == 3
    assert found >= 198


def test_start_is_the_map_estimate_of_clusters():
    """Two blobs that no start can mix up: weights, means and covariances by their formulas."""
    rng = np.random.default_rng(1)
    blobs = [rng.normal(size=(30, 2)), 100.0 + rng.normal(size=(20, 2))]
    weights = [rng.uniform(0.5, 2, 30), rng.uniform(0.5, 2, 20)]
    start = kmeans_start(np.concatenate(blobs), 2, rng, np.concatenate(weights), prior=0.3, ridge=0.01)
    for blob, weight in zip(blobs, weights, strict=True):
        k = np.argmin(np.abs(start.means[:, 0] - blob[0, 0]))
        mean = weight @ blob / weight.sum()
        scatter = (weight[:, None] * (blob - mean)).T @ (blob - mean)
        assert start.weights[k] == pytest.approx(weight.sum() / np.concatenate(weights).sum(), rel=1e-12)
        np.testing.assert_allclose(start.means[k], mean, rtol=ROUNDING)
        expected = (scatter + 0.3 * np.eye(2)) / (weight.sum() + steps.PRIOR_DEGREES) + 0.01 * np.eye(2)
        np.testing.assert_allclose(start.covariances[k], expected, rtol=ROUNDING, atol=ROUNDING)


def test_start_works_on_a_part_of_many_rows():
    """2000 of 10 000 rows: weights come as multiples of 1/2000."""
    x = np.random.default_rng(0).normal(size=(10_000, 1))
    start = kmeans_start(x, 3, np.random.default_rng(0), prior=0.01, ridge=0.0)
    np.testing.assert_allclose(start.weights * 2000, np.round(start.weights * 2000), rtol=0, atol=1e-9)


def test_rows_without_weight_never_start():
    x = np.concatenate([np.zeros((5, 1)), np.full((200, 1), 50.0), np.ones((5, 1))])
    weight = (x[:, 0] < 2).astype(float)
    for seed in range(20):
        start = kmeans_start(x, 4, np.random.default_rng(seed), weight, prior=0.01, ridge=1e-6)
        assert start.means.max() < 2


# ---------------------------------------------------------------- hard tables


HARD_TABLES = {
    "one row": np.array([[0.3, -1.2]]),
    "all rows equal": np.full((12, 3), 0.7),
    "three distinct rows": np.repeat(np.array([[0.0, 1.0], [2.0, -1.0], [5.0, 5.0]]), 6, axis=0),
    "constant column": np.column_stack([np.random.default_rng(0).normal(size=25), np.full(25, 2.0)]),
    "two equal columns": np.repeat(np.random.default_rng(0).normal(size=(25, 1)), 2, axis=1),
    "fewer rows than columns": np.random.default_rng(0).normal(size=(4, 9)),
    "one-hot columns": np.eye(4)[np.random.default_rng(0).integers(0, 4, 30)],
    "one outlier at 1e6": np.append(np.random.default_rng(0).normal(size=30), 1e6)[:, None],
}


@pytest.mark.parametrize("x", HARD_TABLES.values(), ids=HARD_TABLES.keys())
@pytest.mark.parametrize(("prior", "ridge"), [(0.01, 1e-6), (0.01, 0.0), (0.0, 1e-6)])
@pytest.mark.parametrize("n_components", [1, 5])
def test_hard_tables_give_finite_fits(x, prior, ridge, n_components):
    for weight in (None, np.linspace(0, 1, len(x)) if len(x) > 1 else None):
        start = kmeans_start(x, n_components, np.random.default_rng(1), weight, prior=prior, ridge=ridge)
        assert_valid(start, n_components, x.shape[1])
        fit = fit_gmm(x, n_components, np.random.default_rng(1), sample_weight=weight, prior=prior, ridge=ridge)
        assert_valid(fit.parameters, n_components, x.shape[1])
        assert np.isfinite(fit.objective_path).all()
        assert np.isfinite(gmm_log_density(x, fit.parameters)).all()


def test_singular_maximum_likelihood_says_what_to_do():
    with pytest.raises(np.linalg.LinAlgError, match=r"Use prior > 0 or a larger ridge"):
        fit_gmm(np.full((9, 2), 1.0), 1, np.random.default_rng(0), prior=0.0, ridge=0.0)


def test_component_that_no_row_wants_stays_put():
    """At a distance of 1e4 scales its responsibilities are 0: floor on the weight, prior's covariance."""
    x = np.random.default_rng(0).normal(size=(30, 2))
    start = GaussianMixtureParameters(
        np.array([0.5, 0.5]), np.array([[0.0, 0.0], [1e4, 1e4]]), np.stack([np.eye(2), np.eye(2)])
    )
    stepped, _ = em_step(x, None, start, prior=0.5, ridge=0.0)
    assert np.array_equal(stepped.means[1], [1e4, 1e4])
    np.testing.assert_allclose(stepped.covariances[1], 0.5 / steps.PRIOR_DEGREES * np.eye(2), rtol=2e-11)  # N_k = 1e-12
    assert stepped.weights[1] == pytest.approx(steps.MIN_COUNT / 30)


@pytest.mark.parametrize("power", [-20, 3, 30])
def test_scaling_by_a_power_of_two(power):
    """The start scales to the bit (its choices compare distances); EM to rounding, since log|Σ| shifts."""
    rng = np.random.default_rng(12)
    x, c = draw(rng, random_mixture(rng, 4, 3), 150), 2.0**power
    options, scaled_options = {"prior": 0.02, "ridge": 1e-4}, {"prior": 0.02 * c**2, "ridge": 1e-4 * c**2}
    start = kmeans_start(x, 4, np.random.default_rng(0), **options)
    scaled_start = kmeans_start(c * x, 4, np.random.default_rng(0), **scaled_options)
    assert_same(scaled_start, (start.weights, c * start.means, c**2 * start.covariances), 0.0)
    fit = fit_gmm(x, 4, rng, start=start, max_iter=30, tol=0.0, **options)
    scaled = fit_gmm(c * x, 4, rng, start=scaled_start, max_iter=30, tol=0.0, **scaled_options).parameters
    # 1e-9: rounding of log densities of order 30·log 2, magnified by 30 steps.
    assert_same((scaled.weights, scaled.means / c, scaled.covariances / c**2), fit.parameters, 1e-9)


# ---------------------------------------------------------------- conditioning


@pytest.mark.parametrize(("d", "given", "target"), [(4, [0, 1, 2], 3), (4, [3, 1], 0), (5, [2], 4), (3, [], 1)])
def test_conditional_equals_the_textbook_formula(d, given, target):
    """Σ_ba Σ_aa⁻¹ by a general solve; the condition numbers here are below 1e3, hence 1e-11."""
    rng = np.random.default_rng(d)
    params = random_mixture(rng, 3, d)
    x = 2.0 * rng.normal(size=(8, len(given)))
    log_weights, means, scales = condition_gaussians(params, x, given, target)
    assert log_weights.shape == means.shape == scales.shape == (8, 3)
    log_joint = np.tile(np.log(params.weights), (8, 1))
    for k in range(3):
        mean, covariance = params.means[k], params.covariances[k]
        slopes = np.linalg.solve(covariance[np.ix_(given, given)], covariance[given, target])
        np.testing.assert_allclose(means[:, k], mean[target] + (x - mean[given]) @ slopes, rtol=1e-11, atol=1e-11)
        variance = covariance[target, target] - slopes @ covariance[given, target]
        np.testing.assert_allclose(scales[:, k] ** 2, variance, rtol=1e-11)
        if given:
            marginal = stats.multivariate_normal(mean[given], covariance[np.ix_(given, given)])
            log_joint[:, k] += marginal.logpdf(x)
    np.testing.assert_allclose(
        log_weights, log_joint - logsumexp(log_joint, axis=1, keepdims=True), rtol=1e-11, atol=1e-11
    )
    np.testing.assert_allclose(logsumexp(log_weights, axis=1), 0, atol=1e-14)


def test_conditional_with_a_nearly_noise_free_target():
    """y = x₀ + 1e-5 noise."""
    factor = np.array([[1.0, 0.0], [1.0, 1e-5]])
    params = GaussianMixtureParameters(np.ones(1), np.zeros((1, 2)), (factor @ factor.T)[None])
    _, means, scales = condition_gaussians(params, np.array([[2.0]]), [0], 1)
    np.testing.assert_allclose(means, 2.0, rtol=1e-14)
    # Σ_bb = 1 + 1e-10 is itself rounded at 1e-16, which is 1e-6 of the conditional variance.
    np.testing.assert_allclose(scales, 1e-5, rtol=2e-6)


def test_conditional_far_away_stays_normalised():
    params = random_mixture(np.random.default_rng(0), 3, 2)
    log_weights, means, scales = condition_gaussians(params, np.array([[1e6], [-1e6]]), [0], 1)
    assert np.isfinite(log_weights).all()
    assert np.isfinite(means).all()
    assert (scales > 0).all()
    np.testing.assert_allclose(logsumexp(log_weights, axis=1), 0, atol=1e-14)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_conditioning_on_the_wrong_columns_is_named(shape):
    params = random_mixture(np.random.default_rng(0), 2, 3)
    with pytest.raises(ValueError, match=r"x must have shape \(n, 2\)"):
        condition_gaussians(params, np.zeros(shape), [0, 1], 2)


# ---------------------------------------------------------------- properties


@st.composite
def shapes(draw_value):
    """(n, K, d), all different, so that no exchanged axis goes unseen."""
    values = draw_value(st.lists(st.integers(1, 12), min_size=3, max_size=3, unique=True))
    return values[0] + 12, values[1], values[2]  # n between 13 and 24


@for_all(shape=shapes(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_conditional_times_marginal_is_joint(shape, seed):
    """p(b | a) p(a) = p(a, b) for every split: TRAPS T22. 1e-9: condition numbers here reach 1e4."""
    n, n_components, d = shape
    rng = np.random.default_rng(seed)
    params = random_mixture(rng, n_components, d)
    x = draw(rng, params, n)
    order = rng.permutation(d)
    given, target = list(order[: rng.integers(0, d)]), order[-1]
    log_weights, means, scales = condition_gaussians(params, x[:, given], given, target)
    conditional = logsumexp(log_weights + stats.norm.logpdf(x[:, [target]], means, scales), axis=1)
    pair = [*given, target]

    def marginal(columns):
        return gmm_log_density(
            x[:, columns],
            GaussianMixtureParameters(
                params.weights, params.means[:, columns], params.covariances[:, columns][:, :, columns]
            ),
        )

    np.testing.assert_allclose(conditional, marginal(pair) - marginal(given), rtol=1e-9, atol=1e-9)


@for_all(shape=shapes(), seed=st.integers(0, 2**32 - 1), prior=st.sampled_from([0.0, 0.01, 1.0]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_fit_is_valid_and_climbs(shape, seed, prior):
    """Random, rounded tables, thus with ties; with the prior, no fall beyond the ridge's size.

    A fall needs λ_j ~ ridge. With a prior λ_j ≥ prior / (n + 2) ≥ 4e-4, so one step may cost at most
    ½ (n + 2 K) d (ridge/λ)² / n < 1e-4 nats.
    """
    n, n_components, d = shape
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=(n, d)), 1)
    fit = fit_gmm(x, n_components, rng, prior=prior, ridge=1e-6, max_iter=15)
    assert_valid(fit.parameters, n_components, d)
    assert np.isfinite(fit.objective_path).all()
    if prior:
        assert (np.diff(fit.objective_path) >= -1e-4).all()


@for_all(shape=shapes(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_order_of_rows_and_components_does_not_matter(shape, seed):
    n, n_components, d = shape
    rng = np.random.default_rng(seed)
    params = random_mixture(rng, n_components, d)
    x = draw(rng, params, n)
    rows, components = rng.permutation(n), rng.permutation(n_components)
    stepped, objective = em_step(x, None, params, prior=0.1, ridge=0.0)
    shuffled = GaussianMixtureParameters(*(array[components] for array in params))
    other, other_objective = em_step(x[rows], None, shuffled, prior=0.1, ridge=0.0)
    assert other_objective == pytest.approx(objective, rel=1e-9, abs=1e-9)
    assert_same(other, (array[components] for array in stepped), 1e-9)
