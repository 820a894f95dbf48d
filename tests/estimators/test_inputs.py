"""Where there is no data, p(x, y) and p(x | y) of every estimator: against exact densities and nominal levels."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from condensity import JointGMMRegressor, MDNRegressor, WeightedDraws
from condensity.datasets.synthetic import ODD_SETS, make_cross, make_inverse_wave, make_noisy_wave, make_ring
from registry import DEFAULTS

AWAY = np.array([[0.1], [40.0]])


@pytest.fixture(scope="module", params=DEFAULTS)
def model(request):
    problem = make_cross(2000, random_state=0)
    return clone(DEFAULTS[request.param]).fit(problem.X, problem.y)


@pytest.fixture(scope="module")
def plain():
    problem = make_cross(300, random_state=0)
    return MDNRegressor(support_model=None, random_state=0).fit(problem.X, problem.y)


def wide(seed=0, n=900):
    """Three inputs of unlike units, the last constant, and a target."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([1e3 * rng.normal(size=n), 1e-3 * rng.normal(size=n) + 5.0, np.full(n, 7.0)])
    y = X[:, 0] / 1e3 + 1e3 * (X[:, 1] - 5.0) + 0.5 * rng.normal(size=n)
    return X, y


# ------------------------------------------------------------------------------------------------ support
@pytest.mark.filterwarnings("ignore")  # a network of one epoch has learned nothing, and says so
@pytest.mark.parametrize("kind", DEFAULTS)
def test_false_alarms_keep_their_level(kind):
    """α plus four beta-binomial standard errors, over seeds; what the network learned of y does not matter."""
    estimator = MDNRegressor(max_iter=1, refit=False) if kind == "MDN" else JointGMMRegressor(4)
    p = []
    for seed in range(8):
        problem, fresh = make_ring(500, random_state=seed), make_ring(4000, random_state=100 + seed)
        fitted = clone(estimator).set_params(random_state=seed)
        p.append(fitted.fit(problem.X, problem.y).support(fresh.X))
    for alpha in (0.01, 0.05, 0.1):
        k = np.floor(alpha * 501)
        error = np.sqrt(stats.betabinom(4000, k, 501 - k).var() / 8) / 4000
        assert np.mean(np.array(p) <= alpha) <= alpha + 4 * error


def test_p_values_and_the_question_in_support(model):
    p = model.support([[0.1], [1.0], [2.5], [40.0]])
    assert p[0] > 0.05
    assert p[3] == 1 / 2001  # every one of 2000 rows was cross-fitted
    np.testing.assert_array_equal(model.in_support([[0.1], [40.0]]), [True, False])
    np.testing.assert_array_equal(model.in_support([[0.1], [40.0]], alpha=1e-3), [True, False])


def test_an_alpha_below_the_smallest_p_value_is_told(model):
    with pytest.warns(UserWarning, match="alpha=0.0001 needs 9999 calibration rows or more, and the model has 2000"):
        assert model.in_support(AWAY, alpha=1e-4).all()
    with pytest.raises(ValueError, match="alpha must be a number between 0 and 1"):
        model.in_support(AWAY, alpha=1.0)


def test_own_validation_rows_calibrate():
    problem, other = make_ring(400, random_state=0), make_ring(120, random_state=1)
    for estimator in DEFAULTS.values():
        fitted = clone(estimator).fit(problem.X, problem.y, X_val=other.X, y_val=other.y)
        assert fitted.support([[1e3]])[0] == 1 / 121


def test_inputs_far_out_are_seen_as_they_are():
    """Networks hold inputs within ±6 standard deviations while they train; their density must not."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(600) < 0.05, 1000.0, 0.0)[:, None] + rng.normal(size=(600, 1))
    model = MDNRegressor(random_state=0).fit(x, rng.normal(size=600) + x[:, 0] / 100)
    assert (model.support([[1000.0], [1001.0], [0.0]]) > 0.002).all()
    assert model.support([[300.0]])[0] == 1 / 601


def test_long_tables_are_looked_at_in_part(monkeypatch):
    monkeypatch.setattr("condensity.support.MAX_ROWS", 200)
    problem = make_cross(500, random_state=0)
    for estimator in DEFAULTS.values():
        assert clone(estimator).fit(problem.X, problem.y).support([[1e3]])[0] == 1 / 201


def test_few_rows_are_cross_fitted(recwarn):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 1))
    for estimator in DEFAULTS.values():
        fitted = clone(estimator).fit(x, x[:, 0] + rng.normal(size=60))
        assert fitted.support([[1e3]])[0] == 1 / 61
    recwarn.clear()


@pytest.mark.trap(5)
@pytest.mark.filterwarnings("ignore:X is constant")
@pytest.mark.parametrize("kind", DEFAULTS)
def test_another_value_of_a_constant_column_was_never_seen(kind):
    X, y = wide()
    model = clone(DEFAULTS[kind]).fit(X, y)
    moved = X[:3].copy()
    moved[0, 2] = 8.0
    moved[1, 2] = np.float32(7.0 * (1 + 1e-7))  # rounding is not a departure
    p = model.support(moved)
    assert p[0] == model.support(1e9 * np.ones((1, 3)))[0]
    assert (p[1:] > p[0]).all()
    dist = model.predict_dist(moved, outside="deficient")
    assert dist.mass[0] == 0
    assert np.isfinite(dist.logpdf(y[:3])).all()
    assert np.isfinite(model.score_inputs(moved)).all()


# ------------------------------------------------------------------------------------------------ outside=
def test_ignore_is_the_default_and_changes_nothing(model):
    np.testing.assert_array_equal(model.predict_dist(AWAY).means, model.predict_dist(AWAY, outside="ignore").means)
    assert (model.predict_dist(AWAY).mass == 1).all()


def test_deficient_loses_its_mass_away_from_the_data(model):
    dist = model.predict_dist(AWAY, outside="deficient")
    assert dist.mass[0] > 0.95
    assert dist.mass[1] < 1e-6
    draws = model.sample(AWAY, 500, random_state=0, outside="deficient")
    assert np.isnan(draws[1]).all()
    assert np.isnan(draws[0]).mean() < 0.1
    np.testing.assert_allclose(dist.weights.sum(axis=1), dist.mass, atol=1e-12)
    np.testing.assert_allclose(dist[[0]].normalized().logpdf(1.0), model.predict_dist(AWAY[:1]).logpdf(1.0))
    fresh = make_cross(4000, random_state=9)
    assert np.mean(1 - model.predict_dist(fresh.X, outside="deficient").mass) <= 0.012


def test_prior_is_a_proper_density_that_reverts_to_the_marginal(model):
    y = make_cross(2000, random_state=0).y
    dist = model.predict_dist(AWAY, outside="prior")
    grid = np.linspace(-40, 40, 80_001)
    np.testing.assert_allclose(np.trapezoid(dist.pdf(grid[None]), grid, axis=1), 1.0, atol=1e-9)
    assert dist.mean()[1] == pytest.approx(y.mean(), abs=0.1)
    assert y.std() < dist.std()[1] < 2 * y.std()  # components are twice as wide, their means are where they were
    near, there = dist[[0]], model.predict_dist(AWAY[:1])
    assert near.mean()[0] == pytest.approx(there.mean()[0], abs=0.05)


def test_warn_and_raise_tell_of_rows_beyond_all_others(model):
    with pytest.warns(
        UserWarning, match="1 of 2 rows of X, the first of them row 1, are far rarer than every one of the 2000"
    ):
        dist = model.predict_dist(AWAY, outside="warn")
    np.testing.assert_array_equal(dist.means, model.predict_dist(AWAY).means)
    with pytest.raises(ValueError, match="extrapolation"):
        model.predict_dist(AWAY, outside="raise")
    model.predict_dist(AWAY[:1], outside="raise")
    with pytest.raises(ValueError, match="outside must be one of 'ignore', 'deficient'"):
        model.predict_dist(AWAY, outside="drop")


def test_without_a_support_model_the_questions_are_refused_in_words(plain):
    for ask in (plain.support, plain.in_support, plain.score_inputs):
        with pytest.raises(ValueError, match="support_model=None"):
            ask(AWAY)
    for ask in (
        plain.sample_joint,
        lambda: plain.predict_inputs(1.0),
        lambda: plain.predict_dist(AWAY, outside="prior"),
    ):
        with pytest.raises(ValueError, match="fit it with support_model='auto'"):
            ask()
    joint = JointGMMRegressor(2, support_model=None, random_state=0).fit(*make_cross(300, random_state=0)[:2])
    assert np.isfinite(joint.score_inputs(AWAY)).all()  # its own marginal
    with pytest.raises(ValueError, match="support needs a support model"):
        joint.support(AWAY)
    assert MDNRegressor.from_blog().support_model is None


def test_unfitted_and_partly_fitted_models():
    with pytest.raises(NotFittedError):
        MDNRegressor().support(AWAY)
    problem = make_cross(300, random_state=0)
    part = MDNRegressor(random_state=0).partial_fit(problem.X, problem.y)
    with pytest.raises(ValueError, match="partial_fit alone"):
        part.support(AWAY)


def test_too_many_inputs_are_refused_in_words():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 301))
    model = JointGMMRegressor(1, covariance_type="diag", random_state=0).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="X has 301 columns"):
        model.support(X)


def test_ctrl_c_while_inputs_are_fitted_keeps_the_model(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("condensity.estimators.base.fit_support", interrupted)
    problem = make_cross(300, random_state=0)
    with pytest.warns(UserWarning, match="Interrupted while the density of the inputs"):
        model = MDNRegressor(random_state=0).fit(problem.X, problem.y)
    assert np.isfinite(model.predict(AWAY)).all()
    with pytest.raises(ValueError, match="was interrupted"):
        model.support(AWAY)


def test_the_support_model_changes_no_bit_of_the_prediction(plain):
    problem = make_cross(300, random_state=0)
    other = MDNRegressor(random_state=0).fit(problem.X, problem.y)
    np.testing.assert_array_equal(other.predict_dist(AWAY).log_weights, plain.predict_dist(AWAY).log_weights)


def test_powers_of_two_change_no_bit_of_support():
    """Equivariance, DESIGN 5."""
    X, y = wide(n=300)
    X = X[:, :2]
    for estimator in DEFAULTS.values():
        one, two = clone(estimator).fit(X, y), clone(estimator).fit(4 * X, y / 8)
        np.testing.assert_array_equal(one.support(X[:50]), two.support(4 * X[:50]))
        np.testing.assert_allclose(one.score_inputs(X[:50]), two.score_inputs(4 * X[:50]) + 2 * np.log(4), rtol=1e-12)


def test_gaps_are_judged_by_what_is_known():
    X, y = wide(n=600)
    X = X[:, :2].copy()
    X[::3, 0] = np.nan
    model = JointGMMRegressor(2, random_state=0).fit(X, y)
    p = model.support([[np.nan, 5.0], [np.nan, 5.1], [0.0, np.nan], [1e5, np.nan], [np.nan, np.nan]])
    assert (p[[0, 2, 4]] > 0.1).all()
    assert (p[[1, 3]] == p.min()).all()


# ------------------------------------------------------------------------------------------------ p(x, y)
@pytest.mark.parametrize("name", ODD_SETS)
@pytest.mark.parametrize("kind", DEFAULTS)
def test_joint_density_integrates_to_one(kind, name):
    """By the trapezoid's rule on smooth functions that fade at both ends, to 1e-6; tails reach far beyond any grid."""
    problem = ODD_SETS[name](500, random_state=0)
    model = clone(DEFAULTS[kind]).set_params(fallback=None).fit(problem.X, problem.y)
    x = np.linspace(problem.X.mean() - 12 * problem.X.std(), problem.X.mean() + 12 * problem.X.std(), 2001)
    dist = model.predict_dist(x[:, None])
    low, high = (dist.means - 9 * dist.scales).min(axis=1), (dist.means + 9 * dist.scales).max(axis=1)
    y = np.linspace(low, high, 2001, axis=1)
    mass = np.exp(model.score_inputs(x[:, None])) @ (dist.pdf(y).sum(axis=1) * (y[:, 1] - y[:, 0])) * (x[1] - x[0])
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_joint_is_inputs_times_conditional(model):
    problem = make_cross(50, random_state=5)
    together = model.score_joint(problem.X, problem.y)
    np.testing.assert_allclose(
        together, model.score_inputs(problem.X) + model.score_samples(problem.X, problem.y), rtol=1e-9
    )


@pytest.mark.filterwarnings("ignore:X is constant")
@pytest.mark.parametrize("kind", DEFAULTS)
def test_joint_draws_are_like_the_data(kind):
    X, y = wide(n=1500)
    model = clone(DEFAULTS[kind]).fit(pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(y))
    drawn, outputs = model.sample_joint(4000, random_state=0)
    assert drawn.shape == (4000, 3)
    assert outputs.shape == (4000,)
    # Standard errors of 4000 draws and 1500 rows are .03; the mixtures shrink correlations a little.
    np.testing.assert_allclose((drawn.mean(axis=0) - X.mean(axis=0))[:2] / X.std(axis=0)[:2], 0.0, atol=0.12)
    np.testing.assert_allclose(np.corrcoef(drawn[:, 0], outputs)[0, 1], np.corrcoef(X[:, 0], y)[0, 1], atol=0.1)
    if kind == "MDN":
        assert (drawn[:, 2] == 7.0).all()
    again, _ = model.sample_joint(4000, random_state=0)
    np.testing.assert_array_equal(drawn, again)
    with pytest.raises(ValueError, match="n_samples must be an integer >= 0"):
        model.sample_joint(-1)


def test_several_outputs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    Y = np.column_stack([X[:, 0], X[:, 1] * X[:, 0]]) + 0.3 * rng.normal(size=(400, 2))
    model = MDNRegressor(random_state=0, max_iter=60).fit(X, Y)
    drawn, outputs = model.sample_joint(7, random_state=0)
    assert drawn.shape == (7, 2)
    assert outputs.shape == (7, 2)
    assert model.predict_dist(X[:3], outside="prior").n_outputs == 2
    dist = model.predict_inputs(Y[:2], n_draws=4096)
    assert dist.draws.shape == (2, 4096, 2)
    assert dist.logpdf(X[:2]).shape == (2,)


# ------------------------------------------------------------------------------------------------ p(x | y)
@pytest.mark.trap("T22")
@pytest.mark.filterwarnings("ignore:Trained on all")  # the wave takes its 3000 steps
@pytest.mark.parametrize("make", [make_ring, make_cross, make_inverse_wave])
@pytest.mark.parametrize("kind", DEFAULTS)
def test_inputs_given_outputs_are_close_to_the_truth(kind, make):
    """Mean total variation from Bayes' rule on the true densities; the goal at n = 5000 is .12, here n = 3000."""
    problem, test = make(3000, random_state=0), make(25, random_state=1)
    model = clone(DEFAULTS[kind]).fit(problem.X, problem.y)
    x = np.linspace(-4 * problem.X.std(), 4 * problem.X.std(), 3001)
    log_inputs, inside = problem.log_input_density(x), np.isfinite(problem.log_input_density(x))
    exact = np.zeros((25, len(x)))
    for i, y in enumerate(test.y):
        exact[i, inside] = np.exp(log_inputs[inside] + problem.log_density(x[inside], np.full(inside.sum(), y)))
    exact /= np.trapezoid(exact, x, axis=1)[:, None]
    ours = np.exp(model.predict_inputs(test.y).logpdf(x[None]))
    np.testing.assert_allclose(np.trapezoid(ours, x, axis=1), 1.0, atol=1e-3)
    assert 0.5 * np.trapezoid(np.abs(ours - exact), x, axis=1).mean() < 0.12


def test_simulated_inputs_rank_evenly():
    """Simulation-based calibration: x from p̂, y from the network, and the rank of x in p(x | y) is uniform."""
    problem = make_noisy_wave(800, random_state=0)
    model = MDNRegressor(random_state=0).fit(problem.X, problem.y)
    X, y = model.sample_joint(500, random_state=1)
    dist = model.predict_inputs(y)
    ranks = ((dist.draws[:, :, 0] < X) * np.exp(dist.log_weights)).sum(axis=1)
    assert stats.kstest(ranks, "uniform").pvalue > 1e-3


@pytest.fixture(scope="module")
def linear():
    """Three normal inputs and a linear target: p(x | y) is normal, in closed form."""
    rng = np.random.default_rng(0)
    scale, slope, noise = np.array([1.0, 10.0, 0.1]), np.array([1.0, -0.1, 5.0]), 0.7
    X = scale * rng.normal(size=(3000, 3))
    y = X @ slope + noise * rng.normal(size=3000)
    along = scale**2 * slope
    variance = along @ slope + noise**2
    return X, y, along / variance, np.diag(scale**2) - np.outer(along, along) / variance


def test_importance_finds_a_normal(linear):
    X, y, gain, cov = linear
    model = MDNRegressor(random_state=0).fit(X, y)
    dist = model.predict_inputs([1.0, -2.0])
    assert isinstance(dist, WeightedDraws)
    assert len(dist) == 2
    assert dist.trusted.all()
    assert (dist.effective_size > 1000).all()
    spread = np.sqrt(np.diag(cov))
    # The model's own error (n = 3000) is some hundredths of a standard deviation.
    assert np.abs((dist.mean() - np.outer([1.0, -2.0], gain)) / spread).max() < 0.2
    assert np.abs((dist.cov() - cov) / np.outer(spread, spread)).max() < 0.25
    drawn = dist.sample(5000, random_state=0)
    assert drawn.shape == (2, 5000, 3)
    assert np.abs((drawn.mean(axis=1) - dist.mean()) / spread).max() < 0.08
    truth = stats.multivariate_normal(gain, cov).logpdf(X[:200])
    assert np.abs(dist.logpdf(X[None, :200])[0] - truth)[truth > truth.max() - 3].mean() < 0.3
    # Bayes: log p(x | y) + log p(y) = log p(x) + log p(y | x), for any x.
    both = dist.logpdf(X[:2]) + dist.log_evidence
    np.testing.assert_allclose(both, model.score_joint(X[:2], [1.0, -2.0]), rtol=1e-9)
    np.testing.assert_array_equal(dist.draws, model.predict_inputs([1.0, -2.0]).draws)  # no hidden chance
    copy = pickle.loads(pickle.dumps(dist))
    np.testing.assert_array_equal(copy.logpdf(X[:2]), dist.logpdf(X[:2]))


def test_an_answer_stays_when_its_model_is_fitted_again():
    problem, other = make_cross(300, random_state=0), make_ring(300, random_state=0)
    model = MDNRegressor(random_state=0).fit(problem.X, problem.y)
    dist = model.predict_inputs([1.0])
    before = dist.logpdf([0.5])
    model.fit(other.X, other.y)
    np.testing.assert_array_equal(dist.logpdf([0.5]), before)


def test_networks_and_joint_mixtures_agree_where_both_are_good(linear):
    X, y, _, cov = linear
    network = MDNRegressor(random_state=0).fit(X, y).predict_inputs([1.0])
    joint = JointGMMRegressor(1, random_state=0).fit(X, y).predict_inputs([1.0])
    assert np.abs((network.mean() - joint.mean()) / np.sqrt(np.diag(cov))).max() < 0.2


def test_what_should_not_be_trusted_is_told(linear):
    X, y, _, _ = linear
    model = MDNRegressor(random_state=0, fallback=None).fit(X, y)  # whose tails would make p(x | y) that of x
    with pytest.warns(UserWarning, match=r"p\(x \| y\) of 1 of 1 rows should not be trusted.*Pareto k"):
        dist = model.predict_inputs([1e4])
    assert not dist.trusted.any()


def test_bad_outputs_are_named(model, linear):
    with pytest.raises(ValueError, match="y must have shape"):
        model.predict_inputs(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="y must be finite"):
        model.predict_inputs([np.inf])
    if isinstance(model, MDNRegressor):
        with pytest.raises(ValueError, match="y must be finite"):
            model.predict_inputs([np.nan])
        with pytest.raises(ValueError, match="n_draws must be an integer >= 100"):
            model.predict_inputs([0.0], n_draws=10)


@pytest.mark.filterwarnings("ignore")  # a network of two epochs has not converged
def test_many_inputs_are_sent_to_the_joint_mixture():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 16))
    model = MDNRegressor(random_state=0, max_iter=2, refit=False, numeric_encoding=None)
    model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"for 1 to 15 inputs that vary, and X has 16. JointGMMRegressor"):
        model.predict_inputs([0.0])
