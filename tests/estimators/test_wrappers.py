"""scikit-learn's wrappers around our estimators: pipelines, searches, scorers, callbacks, routing, pickles, processes."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from condensity import JointGMMRegressor, MDNRegressor, predict_dist, scorers, scores
from condensity.datasets.synthetic import make_noisy_wave
from registry import QUICK

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
PROBLEM = make_noisy_wave(300, random_state=0)
X, Y = PROBLEM.X, PROBLEM.y
FRAME = pd.DataFrame({"wind": X[:, 0], "place": pd.Categorical(np.random.default_rng(0).choice(["n", "s"], 300))})


# --------------------------------------------------------------------------------------------------- predict_dist
def test_distributions_come_through_pipelines_and_searches(model):
    scaler = StandardScaler().fit(X)
    expected = clone(model).fit(scaler.transform(X), Y).predict_dist(scaler.transform(X)).mean()
    pipeline = Pipeline([("nothing", "passthrough"), ("scale", StandardScaler()), ("model", model)]).fit(X, Y)
    np.testing.assert_array_equal(predict_dist(pipeline, X).mean(), expected)
    search = GridSearchCV(pipeline, {"model__support_model": ["auto", None]}, cv=2).fit(X, Y)
    np.testing.assert_array_equal(predict_dist(search, X).mean(), expected)
    np.testing.assert_array_equal(
        predict_dist(make_pipeline("passthrough", search.best_estimator_), X).mean(), expected
    )
    assert predict_dist(pipeline, X, outside="deficient").mass.max() <= 1.0


def test_what_has_no_distribution_says_so(model):
    with pytest.raises(TypeError, match="LinearRegression has no distributions to give"):
        predict_dist(LinearRegression().fit(X, Y), X)
    with pytest.raises(TypeError, match=r"was fitted with refit=False.*set refit=True"):
        predict_dist(GridSearchCV(model, {"support_model": [None]}, cv=2, refit=False).fit(X, Y), X)
    for unfitted in (model, make_pipeline(StandardScaler(), model), GridSearchCV(model, {"support_model": [None]})):
        with pytest.raises(NotFittedError):
            predict_dist(unfitted, X)


def test_columns_are_encoded_upstream_or_here(model):
    encoded = ColumnTransformer([("place", OneHotEncoder(), ["place"])], remainder="passthrough")
    encoded.set_output(transform="pandas")
    encoded.set_params(place__sparse_output=False)
    pipeline = make_pipeline(encoded, clone(model)).fit(FRAME, Y)
    assert pipeline[-1].feature_names_in_[0] == "place__place_n"
    assert np.isfinite(pipeline.score(FRAME, Y))
    assert np.isfinite(clone(model).fit(FRAME, Y).score(FRAME, Y))


# -------------------------------------------------------------------------------------------------------- scorers
SCORERS = {
    "neg_log_score": (scorers.neg_log_score, scores.log_score),
    "neg_crps": (scorers.neg_crps, scores.crps),
    "neg_energy_score": (scorers.neg_energy_score, scores.energy_score),
    "neg_pinball": (scorers.neg_pinball([0.1, 0.9]), lambda dist, y: scores.pinball(dist, y, [0.1, 0.9]).mean(axis=1)),
    "neg_interval_score": (scorers.neg_interval_score(0.8), lambda dist, y: scores.interval_score(dist, y, 0.8)),
    "neg_grid_proof_score": (scorers.neg_grid_proof_score(0.1), lambda dist, y: scores.grid_proof_score(dist, y, 0.1)),
}


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_are_minus_the_mean_loss(model, name):
    scorer, loss = SCORERS[name]
    pipeline = make_pipeline(StandardScaler(), model).fit(X, Y)
    weight = np.arange(300.0)
    losses = loss(predict_dist(pipeline, X), Y)
    assert scorer(pipeline, X, Y) == pytest.approx(-losses.mean(), rel=1e-12)
    assert scorer(pipeline, X, Y, sample_weight=weight) == pytest.approx(-np.average(losses, weights=weight), rel=1e-12)
    assert repr(scorer).startswith(f"<condensity.evaluation.scorers.{name}")
    assert pickle.loads(pickle.dumps(scorer))(pipeline, X, Y) == scorer(pipeline, X, Y)


def test_scorers_serve_cross_validation_and_searches(model):
    found = cross_validate(model, X, Y, cv=3, scoring={"crps": scorers.neg_crps, "log": scorers.neg_log_score})
    plain = cross_val_score(model, X, Y, cv=3)
    np.testing.assert_allclose(found["test_log"], plain, rtol=1e-12)
    assert (found["test_crps"] < 0).all()
    search = RandomizedSearchCV(
        model, {"n_components": [1, 3]}, n_iter=2, cv=2, scoring=scorers.neg_pinball(), random_state=0
    ).fit(X, Y)
    assert search.best_params_["n_components"] == 3
    assert cross_val_predict(model, X, Y, cv=3).shape == Y.shape


def test_scorers_take_several_outputs():
    both = np.column_stack([Y, -Y])
    model = clone(QUICK["GMM"]).fit(X, both)
    assert scorers.neg_energy_score(model, X, pd.DataFrame(both)) < 0


# ------------------------------------------------------------------------------------------- weights, copies, workers
def test_sample_weight_is_routed(model):
    weight = np.where(X[:, 0] > 0, 1.0, 0.2)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(model).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scale = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scale, routed).fit(X, Y, sample_weight=weight)
        scorer = clone_scorer(scorers.neg_crps).set_score_request(sample_weight=True)
        found = cross_validate(pipeline, X, Y, cv=2, scoring=scorer, params={"sample_weight": weight})
        unweighted = cross_validate(
            make_pipeline(StandardScaler(), model), X, Y, cv=2, scoring=scorers.neg_crps, params={}
        )
    scaled = StandardScaler().fit_transform(X)
    expected = clone(model).fit(scaled, Y, sample_weight=weight).predict(scaled)
    np.testing.assert_array_equal(pipeline.predict(X), expected)
    assert (found["test_score"] != unweighted["test_score"]).all()


REPEATED = pytest.mark.filterwarnings("ignore:Only .* rows are distinct:UserWarning")  # they are, on purpose


def clone_scorer(scorer):
    return pickle.loads(pickle.dumps(scorer))


@REPEATED
def test_integer_weights_are_repeated_rows(model):
    """What `check_sample_weight_equivalence` asks, where chance does not come in: a start and rows held out of one's own."""
    rng = np.random.default_rng(0)
    times = rng.integers(0, 4, 300)
    if isinstance(model, JointGMMRegressor):
        # One component has one optimum, whatever the start; a prior counts as so many rows, and weights say nothing of how many.
        model = JointGMMRegressor(1, covariance_prior=0.0, support_model=None, fallback=None, random_state=0)
        weighted, repeated = (
            clone(model).fit(X, Y, times),
            clone(model).fit(np.repeat(X, times, axis=0), np.repeat(Y, times)),
        )
        np.testing.assert_allclose(weighted.score_samples(X, Y), repeated.score_samples(X, Y), rtol=1e-9)
        return
    # Full batches, no rows held out, no bound that looks at ties: the same loss, followed along the same path.
    model = MDNRegressor(
        2, hidden_layer_sizes=(5,), early_stopping=False, batch_size="full", max_iter=40, solver="adam", engine="reference",
        numeric_encoding=None, scale_prior=0.0, scale_bounds=None, support_model=None, fallback=None, init="xavier",
        random_state=0,
    )  # fmt: skip
    repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(Y, times))
    weighted = clone(model).fit(X, Y, times)
    np.testing.assert_allclose(weighted.score_samples(X, Y), repeated.score_samples(X, Y), rtol=1e-5, atol=1e-6)


@REPEATED
def test_on_the_default_path_weights_count_as_repeated_rows_do_on_average():
    """Held-out rows and starts differ, so fits do too: their mean scores on fresh rows agree within the spread over seeds."""
    fresh = make_noisy_wave(2000, random_state=1)
    times = np.random.default_rng(0).integers(1, 4, 300)
    gaps = []
    for seed in range(8):
        model = MDNRegressor(n_components=3, support_model=None, random_state=seed)
        weighted = clone(model).fit(X, Y, times).score(fresh.X, fresh.y)
        repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(Y, times)).score(fresh.X, fresh.y)
        gaps.append(weighted - repeated)
    # Repeated rows are in both parts of the split, which only makes that fit stop later.
    assert abs(np.mean(gaps)) < 0.05


def test_models_travel_between_processes(model):
    model.fit(FRAME, Y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.score_samples(FRAME, Y), model.score_samples(FRAME, Y))
    parts = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(model.predict)(FRAME[i::2]) for i in range(2))
    for i, part in enumerate(parts):  # the same rows: matrix products round rows by their place in a batch
        np.testing.assert_array_equal(part, model.predict(FRAME[i::2]))


def test_a_notebook_shows_the_model(model):
    assert "MDNRegressor" in model._repr_html_() or "JointGMMRegressor" in model._repr_html_()
    assert repr(clone(model)) == repr(model)


# ------------------------------------------------------------------------------------------------------ callbacks
class Recorder:
    """As `sklearn.callback.FitCallback`."""

    def __init__(self, stop_after=None):
        self.events, self.stop_after = [], stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.events.append(f"end {context.task_name}")
        return self.stop_after is not None and len(self.events) > self.stop_after


def test_scikit_learns_callbacks_see_a_fit(model):
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    recorder = Recorder()
    model.set_callbacks(recorder).fit(X, Y)
    assert recorder.events[:2] == ["setup", "begin fit"]
    assert recorder.events[-2:] == ["end fit", "teardown"]
    inside = [event for event in recorder.events[2:-2] if event.startswith("begin")]
    assert len(recorder.events) == 4 + 2 * len(inside)
    with pytest.raises(ValueError, match="minimum of 2"):
        model.fit(X[:1], Y[:1])
    assert recorder.events[-1] == "teardown"


def test_scikit_learns_callbacks_can_end_a_fit():
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    model = MDNRegressor(random_state=0, max_iter=100_000, n_iter_no_change=10_000).set_callbacks(
        Recorder(stop_after=6)
    )
    model.fit(X, Y)
    assert "stopped" in model.outcome_.lower() or "callback" in model.outcome_.lower()
    assert np.isfinite(model.score(X, Y))
