"""What both estimators do when all is well."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from condensity import JointGMMRegressor, MDNRegressor, Mixture
from condensity.datasets.synthetic import make_cross, make_noisy_wave
from registry import QUICK

# Forty epochs are enough for a shape and too few to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    problem = make_noisy_wave(400, random_state=0)
    return problem.X, problem.y


def test_every_verb_has_the_shape_that_it_promises(model, data):
    X, y = data
    model.fit(X, y)
    some = X[:7]
    dist = model.predict_dist(some)
    assert isinstance(dist, Mixture)
    assert len(dist) == 7
    assert model.predict(some).shape == (7,)
    assert model.predict_quantiles(some).shape == (7, 3)
    assert model.predict_quantiles(some, [0.1, 0.9]).shape == (7, 2)
    assert model.predict_interval(some).shape == (7, 2)
    assert model.sample(some, 4, random_state=0).shape == (7, 4)
    assert model.score_samples(some, y[:7]).shape == (7,)
    assert isinstance(model.score(some, y[:7]), float)
    assert isinstance(model.converged_, bool)
    assert model.n_iter_ >= 1
    assert model.history_
    assert model.outcome_.endswith(".")
    assert model.n_features_in_ == 1


def test_verbs_agree_with_the_distribution(model, data):
    X, y = data
    model.fit(X, y)
    dist = model.predict_dist(X)
    np.testing.assert_array_equal(model.predict(X), dist.mean())
    np.testing.assert_array_equal(model.predict_interval(X, 0.8), dist.interval(0.8))
    np.testing.assert_array_equal(model.score_samples(X, y), dist.logpdf(y))
    np.testing.assert_array_equal(model.score_samples(X), dist.logpdf(dist.mean()))
    assert model.score(X, y) == np.mean(dist.logpdf(y))
    weight = np.arange(len(y), dtype=float)
    assert model.score(X, y, weight) == pytest.approx(np.average(dist.logpdf(y), weights=weight), rel=1e-13)


@pytest.mark.trap("T19")
def test_the_density_whose_log_is_the_score_integrates_to_one(model, data):
    X, y = data
    dist = model.fit(X, y).predict_dist(X[:5])
    grid = np.linspace(-60, 60, 200_001)
    # The trapezoid rule is exact to rounding for sums of smooth bumps of σ ≥ .01, sixteen steps each.
    np.testing.assert_allclose(np.trapezoid(dist.pdf(grid[None, :]), grid, axis=1), 1.0, atol=1e-6)


def test_intervals_cover_about_as_often_as_they_say(data):
    X, y = data
    fresh = make_noisy_wave(4000, random_state=1)
    low, high = MDNRegressor(random_state=0).fit(X, y).predict_interval(fresh.X, 0.9).T
    # 400 training rows: the model's own error dominates; METHODS §6 saw .87 to .95 on toy sets.
    assert 0.85 <= np.mean((low <= fresh.y) & (fresh.y <= high)) <= 0.95


@pytest.mark.trap(32)
def test_a_column_y_comes_back_as_a_column(model, data):
    X, y = data
    flat = clone(model).fit(X, y).predict(X)
    model.fit(X, y[:, None])
    assert model.predict(X).shape == (len(y), 1)
    np.testing.assert_array_equal(model.predict(X)[:, 0], flat)


@pytest.mark.trap("T10", "T11", 55)
def test_same_seed_same_bits_and_no_chance_at_predict_time(model, data):
    X, y = data
    before = np.random.get_state()[1].copy()  # noqa: NPY002 (the global state must not move)
    first, again = clone(model).fit(X, y), clone(model).fit(X, y)
    np.testing.assert_array_equal(first.predict_dist(X).means, again.predict_dist(X).means)
    np.testing.assert_array_equal(first.score_samples(X, y), first.score_samples(X, y))
    np.testing.assert_array_equal(first.sample(X, 3, random_state=5), again.sample(X, 3, random_state=5))
    assert not np.array_equal(first.sample(X), first.sample(X))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(first.predict_dist(X).means, other.predict_dist(X).means)


def test_data_and_draws_of_the_same_seed_are_independent():
    # x comes from the first uniforms of seed 0; with one stream for all, so would the choice of the arm.
    problem = make_cross(1000, random_state=0)
    draws = JointGMMRegressor(2, random_state=0).fit(problem.X, problem.y).sample(problem.X, random_state=0)[:, 0]
    on_rising_arm = np.sign(draws) == np.sign(problem.X[:, 0])
    assert 0.4 < on_rising_arm.mean() < 0.6


def test_pickling_and_cloning_keep_everything(model, data):
    X, y = data
    model.fit(X, y)
    back = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(back.score_samples(X, y), model.score_samples(X, y))
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_it_works_inside_scikit_learn(model, data):
    X, y = data
    piped = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    assert np.isfinite(piped.score(X, y))
    assert np.isfinite(cross_val_score(model, X, y, cv=3)).all()
    two_arms = make_cross(400, random_state=0)  # which one normal cannot describe
    search = GridSearchCV(model, {"n_components": [1, 4]}, cv=2).fit(two_arms.X, two_arms.y)
    assert search.best_params_["n_components"] == 4


@pytest.mark.trap(57)
def test_a_refit_forgets_the_first_and_a_failed_fit_leaves_nothing(model, data):
    X, y = data
    model.fit(X, y)
    model.fit(np.column_stack([X, X**2, -X]), y)
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="y"):
        model.fit(X, np.full(len(y), np.nan))
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.trap(57)
def test_a_refit_without_names_forgets_the_names(model, data):
    X, y = data
    model.fit(pd.DataFrame(X, columns=["wind"]), y)
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")
    np.testing.assert_array_equal(model.predict(X), clone(model).fit(X, y).predict(X))


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_generators_are_taken_as_seeds_and_advanced(model, data, make):
    X, y = data
    first, again = (clone(model).set_params(random_state=make(3)).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    shared = make(3)
    model.set_params(random_state=shared).fit(X, y)
    assert not np.array_equal(model.fit(X, y).predict_dist(X).means, first)


@pytest.mark.trap("T25")
def test_a_weight_of_zero_is_an_absent_row_and_only_ratios_count(model, data):
    X, y = data
    weight = np.ones(len(y))
    weight[::5] = 0
    kept = weight > 0
    absent = clone(model).fit(X[kept], y[kept])
    weighted = clone(model).fit(X, y, weight)
    np.testing.assert_allclose(weighted.predict(X), absent.predict(X), rtol=1e-10)
    np.testing.assert_allclose(clone(model).fit(X, y, 8 * weight).predict(X), absent.predict(X), rtol=1e-10)


def test_own_validation_rows_replace_the_random_part(data):
    X, y = data
    own = {"X_val": X[300:], "y_val": y[300:]}
    model = MDNRegressor(random_state=0, max_iter=40).fit(X[:300], y[:300], **own)
    shifted = MDNRegressor(random_state=0, max_iter=40).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:] + 5)
    assert model.history_["validation_nll"] != shifted.history_["validation_nll"]
    swept = JointGMMRegressor(random_state=0).fit(X[:300], y[:300], **own)
    assert max(swept.selection_["score"]) == swept.selection_["score"][swept.selection_["n_components"].index(
        swept.predict_dist(X[:1]).n_components)]  # fmt: skip
    for half in ({"X_val": X}, {"y_val": y}):
        with pytest.raises(ValueError, match="both X_val and y_val"):
            clone(model).fit(X, y, **half)


def test_small_tables_choose_their_steps_by_folds_and_tiny_ones_a_line(data):
    X, y = data
    small = MDNRegressor(random_state=0).fit(X[:120], y[:120])
    assert "of 5 folds" in small.outcome_
    assert np.isfinite(small.score(X, y))
    line = MDNRegressor(random_state=0, fallback=None).fit(np.arange(12.0)[:, None], 3.0 * np.arange(12) + 1)
    assert "linear mean" in line.outcome_
    assert line.predict_dist([[5.0]]).n_components == 1
    # Ridge with a unit prior on 12 rows shrinks the slope by 1/13.
    assert line.predict([[5.0]])[0] == pytest.approx(16.0, abs=0.6)


def test_outcomes_are_told_and_bad_ones_warned_of(data):
    X, y = data
    with pytest.warns(ConvergenceWarning, match=r"Reached max_iter \(1 epochs"):
        model = MDNRegressor(max_iter=1, random_state=0).fit(X, y)
    assert not model.converged_
    with pytest.warns(ConvergenceWarning, match="reached max_iter"):
        JointGMMRegressor(8, max_iter=2, random_state=0).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="Diverged"):
        MDNRegressor(solver="rmsprop", learning_rate_init=1e9, scale_bounds=None, random_state=0).fit(X, y)


@pytest.mark.trap(51)
@pytest.mark.parametrize(
    ("name", "kernel"), [("MDN", "condensity.engines.operation"), ("GMM", "condensity.em.joint.fit_gmm")]
)
def test_ctrl_c_leaves_nothing_half_fitted_and_the_next_fit_works(monkeypatch, data, name, kernel):
    X, y = data
    model = clone(QUICK[name]).fit(X, y)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kernel, interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert np.isfinite(model.fit(X, y).predict(X)).all()


def test_from_blog_is_the_network_of_the_post():
    plain, regularised = MDNRegressor.from_blog(), MDNRegressor.from_blog(regularised=True, max_iter=7)
    expected = {
        "hidden_layer_sizes": (25, 10),
        "activation": "tanh",
        "n_components": 10,
        "solver": "rmsprop",
        "learning_rate_init": 0.01,
        "batch_size": "full",
        "max_iter": 2000,
        "early_stopping": False,
        "scale_bounds": None,
        "scale_prior": 0.0,
        "weight_decay": 0.0,
        "init": "xavier",
    }
    assert expected.items() <= plain.get_params().items()
    assert regularised.weight_decay > 0
    assert regularised.max_iter == 7


def test_auto_components_follow_the_table():
    problem = make_noisy_wave(5000, random_state=0)
    counts = []
    for n in (400, 5000):
        model = MDNRegressor(max_iter=1, random_state=0).fit(problem.X[:n], problem.y[:n])
        counts.append(model.predict_dist(problem.X[:1]).n_components)
    assert counts == [10, 20]


def test_predicting_many_rows_takes_little_memory_beside_the_mixture():
    X, noise = np.random.default_rng(0).normal(size=(100_000, 2)), np.random.default_rng(1).normal(size=500)
    model = MDNRegressor(4, hidden_layer_sizes=(200, 200), max_iter=2, early_stopping=False, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X[:500], X[:500, 0] + 0.1 * noise)
    tracemalloc.start()
    dist = model.predict_dist(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    mixture = 3 * dist.means.nbytes
    # The hidden layers of all rows at once would take 320 MB; a few copies of the mixture's arrays are made on the way.
    assert peak < 5 * mixture + 48e6
    some = model.predict_dist(X[4000:4200])
    np.testing.assert_allclose(some.logpdf(0.0), dist[4000:4200].logpdf(0.0), rtol=1e-10)
