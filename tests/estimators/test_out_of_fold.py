"""Out-of-fold distributions, and distributions behind scikit-learn's wrappers of targets and ensembles."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import AdaBoostRegressor, BaggingRegressor, StackingRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_predict,
)  # fmt: skip
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

from condensity import (
    JointGMMRegressor,
    Mixture,
    TransformedMixture,
    cross_val_predict_dist,
    predict_dist,
    predict_interval,
    predict_quantiles,
    predict_region,
    scorers,
)  # fmt: skip
from condensity.distributions.gathered import Gathered
from condensity.distributions.transforms import Log

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 2))
Y = X[:, 0] + 0.3 * RNG.normal(size=N)
LEVELS = [0.1, 0.5, 0.9]


def gmm(k=2, **params):
    return JointGMMRegressor(k, random_state=0, support_model=None, fallback=None, **params)


# ------------------------------------------------------------------------------------------------------- out of fold
@pytest.mark.trap("T32")
def test_rows_are_those_of_fits_without_them():
    dist = cross_val_predict_dist(gmm(), X, Y, cv=KFold(4, shuffle=True, random_state=1))
    for train, test in KFold(4, shuffle=True, random_state=1).split(X):
        expected = gmm().fit(X[train], Y[train]).predict_dist(X[test])
        np.testing.assert_array_equal(dist[test].ppf(LEVELS), expected.ppf(LEVELS))
    assert len(dist) == N


@pytest.mark.trap("T32")
def test_scikit_learn_joins_our_folds():
    ours = cross_val_predict_dist(gmm(), X, Y, cv=3)
    np.testing.assert_array_equal(cross_val_predict(gmm(), X, Y, cv=3, method="predict_dist").means, ours.means)
    np.testing.assert_array_equal(
        cross_val_predict(gmm(), X, Y, cv=3, method="predict_quantiles"), ours.ppf([0.05, 0.5, 0.95])
    )
    np.testing.assert_array_equal(cross_val_predict(gmm(), X, Y, cv=3, method="predict_interval"), ours.interval())
    with pytest.raises(ValueError, match="'method' parameter"):  # of others, as before
        cross_val_predict(gmm(), X, Y, method="predict_all")
    with pytest.raises(TypeError):
        np.mean(ours)


def test_folds_of_different_sizes_are_padded_exactly():
    class Grows(JointGMMRegressor):
        def fit(self, X, y):
            return self.set_params(n_components=1 if np.mean(X) > np.mean(X_ALL) else 3) and super().fit(X, y)

    X_ALL = X
    dist = cross_val_predict_dist(Grows(random_state=0, support_model=None, fallback=None), X, Y, cv=4)
    assert {int((row > 0).sum()) for row in dist.weights} == {1, 3}
    for train, test in KFold(4).split(X):
        expected = (
            Grows(random_state=0, support_model=None, fallback=None).fit(X[train], Y[train]).predict_dist(X[test])
        )
        np.testing.assert_array_equal(dist[test].logpdf(Y[test]), expected.logpdf(Y[test]))
        np.testing.assert_allclose(dist[test].crps(Y[test]), expected.crps(Y[test]), rtol=1e-12)


def test_every_splitter_gives_every_row_in_order():
    groups = np.arange(N) % 7
    halves = [(np.arange(60), np.arange(60, N)), (np.arange(60, N), np.arange(60))]
    for cv, labels in [(GroupKFold(3), groups), (LeaveOneGroupOut(), groups), (3, None), (None, None), (halves, None)]:
        dist = cross_val_predict_dist(gmm(1), X, Y, groups=labels, cv=cv)
        assert dist.n_components == 1
        assert np.corrcoef(dist.mean(), Y)[0, 1] > 0.9
    twice = cross_val_predict_dist(gmm(1), X, Y, cv=RepeatedKFold(n_splits=3, n_repeats=2, random_state=0))
    folds = list(RepeatedKFold(n_splits=3, n_repeats=2, random_state=0).split(X))
    parts = [gmm(1).fit(X[a], Y[a]).predict_dist(X[[5]]) for a, b in folds if 5 in b]
    np.testing.assert_allclose(twice[5].logpdf(0.3), Mixture.mix(parts).logpdf(0.3), rtol=1e-12)
    masks = [(~(groups == g), groups == g) for g in range(7)]
    np.testing.assert_array_equal(
        cross_val_predict_dist(gmm(1), X, Y, cv=masks).means,
        cross_val_predict_dist(gmm(1), X, Y, groups=groups, cv=LeaveOneGroupOut()).means,
    )


def test_rows_that_no_fold_holds_out_have_no_mass():
    dist = cross_val_predict_dist(gmm(1), X, Y, cv=TimeSeriesSplit(3))
    np.testing.assert_array_equal(dist.mass, np.arange(N) >= 30)
    assert np.isfinite(dist[dist.mass > 0].mean()).all()
    some = cross_val_predict_dist(gmm(1), X, Y, cv=ShuffleSplit(3, test_size=0.4, random_state=0))
    assert set(some.mass) == {0.0, 1.0}
    counts = sum(np.bincount(test, minlength=N) for _, test in ShuffleSplit(3, test_size=0.4, random_state=0).split(X))
    np.testing.assert_array_equal((some.weights > 0).sum(axis=1), counts)
    with pytest.raises(ValueError, match="cv must hold out rows"):
        cross_val_predict_dist(gmm(1), X, Y, cv=[(np.arange(N), np.array([], dtype=int))])


def test_weights_frames_pipelines_workers_and_several_outputs():
    weight = RNG.uniform(0.5, 2.0, N)
    frame = pd.DataFrame(X, columns=["a", "b"])
    train, test = next(KFold(3).split(X))
    pipe = make_pipeline(StandardScaler(), gmm())
    dist = cross_val_predict_dist(
        pipe, frame, pd.Series(Y, name="price"), cv=3, params={"jointgmmregressor__sample_weight": weight}
    )
    fitted = clone(pipe).fit(frame.iloc[train], Y[train], jointgmmregressor__sample_weight=weight[train])
    np.testing.assert_array_equal(dist[test].mean(), predict_dist(fitted, frame.iloc[test]).mean())
    again = cross_val_predict_dist(
        pipe, frame, Y, cv=3, n_jobs=2, params={"jointgmmregressor__sample_weight": list(weight)}
    )
    np.testing.assert_array_equal(again.means, dist.means)
    both = cross_val_predict_dist(gmm(), X, np.column_stack([Y, -Y + X[:, 1]]), cv=3)
    assert both.n_outputs == 2
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        cross_val_predict_dist(gmm(), X, Y[:-1])


def test_folds_with_transforms_of_their_own_are_gathered():
    y = np.exp(Y)
    dist = cross_val_predict_dist(gmm(y_transform="box-cox"), X, y, cv=3)
    assert isinstance(dist, Gathered)
    train, test = next(KFold(3).split(X))
    expected = gmm(y_transform="box-cox").fit(X[train], y[train]).predict_dist(X[test])
    np.testing.assert_array_equal(dist[test].logpdf(y[test]), expected.logpdf(y[test]))
    np.testing.assert_array_equal(dist.crps(y)[test], expected.crps(y[test]))
    assert isinstance(cross_val_predict_dist(gmm(y_transform="log"), X, y, cv=3), TransformedMixture)
    with pytest.raises(ValueError, match=r"Fit all members with one y_transform"):
        cross_val_predict_dist(
            gmm(y_transform="box-cox"), X, y, cv=RepeatedKFold(n_splits=2, n_repeats=2, random_state=0)
        )


def test_verbs_reach_through_pipelines():
    pipe = make_pipeline(StandardScaler(), gmm()).fit(X, Y)
    dist = predict_dist(pipe, X)
    np.testing.assert_array_equal(predict_quantiles(pipe, X, LEVELS), dist.ppf(LEVELS))
    np.testing.assert_array_equal(predict_interval(pipe, X, 0.8), dist.interval(0.8))
    np.testing.assert_array_equal(predict_region(pipe, X, 0.8)[3], dist.region(0.8)[3])


def test_regions_of_an_estimator(model):
    model.fit(X, Y)
    for ours, expected in zip(model.predict_region(X[:4], 0.7), model.predict_dist(X[:4]).region(0.7), strict=True):
        np.testing.assert_array_equal(ours, expected)


# ------------------------------------------------------------------------------------------------- transformed targets
def falling(y):
    return -np.arcsinh(y)


def unfalling(u):
    return -np.sinh(u)


@pytest.mark.trap("T33")
@pytest.mark.parametrize(
    ("transformer", "y", "forward", "derivative"),
    [
        (FunctionTransformer(np.log, np.exp), np.exp(Y), np.log, lambda y: 1 / y),
        (FunctionTransformer(np.log1p, np.expm1), np.exp(Y), np.log1p, lambda y: 1 / (1 + y)),
        (FunctionTransformer(falling, unfalling), Y, falling, lambda y: 1 / np.hypot(1, y)),
        (FunctionTransformer(logit, expit), expit(Y), logit, lambda y: 1 / (y * (1 - y))),
        (StandardScaler(), 5 + 3 * Y, None, None),
        (MinMaxScaler(), 5 + 3 * Y, None, None),
        (PowerTransformer(), np.cbrt(Y), None, None),
        (FunctionTransformer(), Y, None, None),
    ],
    ids=["log", "log1p", "arsinh, falling", "logit", "standard", "minmax", "yeo-johnson", "identity"],
)  # fmt: skip
def test_distributions_come_back_through_the_transformer(transformer, y, forward, derivative):
    wrapped = TransformedTargetRegressor(gmm(), transformer=transformer, check_inverse=False).fit(X, y)
    dist, inner = predict_dist(wrapped, X), wrapped.regressor_.predict_dist(X)
    u = wrapped.transformer_.transform(y[:, None])[:, 0]
    slope = wrapped.transformer_.transform(y[:, None] * (1 + 1e-6) + 1e-9)[:, 0] - u
    jacobian = np.log(np.abs(slope / (y * 1e-6 + 1e-9))) if derivative is None else np.log(derivative(y))
    np.testing.assert_allclose(dist.logpdf(y), inner.logpdf(u) + jacobian, atol=1e-3 if derivative is None else 1e-7)
    carried = wrapped.transformer_.inverse_transform(inner.median()[:, None])[:, 0]
    np.testing.assert_allclose(dist.median(), carried, rtol=1e-9)
    assert np.isfinite(dist.crps(y)).all()
    linear = forward is None and not isinstance(transformer, PowerTransformer)
    assert isinstance(dist, Mixture) == linear


@pytest.mark.trap("T33")
def test_transformers_without_a_density_are_refused_in_a_sentence():
    for transformer, y, words in [
        (QuantileTransformer(n_quantiles=20), Y, "not strictly monotone"),
        (FunctionTransformer(np.abs, np.abs, check_inverse=False), Y, "not strictly monotone|not undone"),
        (PowerTransformer("box-cox"), 1.2 + 0.3 * Y, "has no y for some"),
    ]:
        wrapped = TransformedTargetRegressor(gmm(), transformer=transformer, check_inverse=False).fit(X, y)
        with pytest.raises(ValueError, match=words) as caught:
            predict_dist(wrapped, X)
        assert "y_transform" in str(caught.value)
    twice = TransformedTargetRegressor(gmm(y_transform="log"), func=np.exp, inverse_func=np.log).fit(X, Y)
    assert np.isfinite(predict_dist(twice, X).logpdf(Y)).all()


# ------------------------------------------------------------------------------------------------------------ ensembles
@pytest.mark.trap("T33")
def test_votes_and_bags_are_mixtures_whose_mean_they_predict():
    vote = VotingRegressor([("a", gmm(1)), ("no", "drop"), ("b", gmm(3))], weights=[3, 9, 1]).fit(X, Y)
    dist = predict_dist(vote, X)
    assert dist.n_components == 4
    np.testing.assert_allclose(dist.mean(), vote.predict(X), rtol=1e-12)
    np.testing.assert_allclose(
        dist.pdf(Y),
        0.75 * gmm(1).fit(X, Y).predict_dist(X).pdf(Y) + 0.25 * gmm(3).fit(X, Y).predict_dist(X).pdf(Y),
        rtol=1e-12,
    )
    frame = pd.DataFrame(X, columns=["a", "b"])
    bag = BaggingRegressor(gmm(1), n_estimators=4, max_features=1, random_state=0).fit(frame, Y)
    dist = predict_dist(bag, frame)
    assert dist.n_components == 4
    np.testing.assert_allclose(dist.mean(), bag.predict(frame), rtol=1e-12)
    nested = VotingRegressor([("bag", bag), ("pipe", make_pipeline(StandardScaler(), gmm(1)))]).fit(X, Y)
    np.testing.assert_allclose(predict_dist(nested, X).mean(), nested.predict(X), rtol=1e-12)
    logs = VotingRegressor([("a", gmm(1, y_transform="log")), ("b", gmm(2, y_transform="log"))]).fit(X, np.exp(Y))
    assert predict_dist(logs, X).transform == Log()


@pytest.mark.trap("T33")
def test_other_ensembles_name_the_way():
    stack = StackingRegressor([("a", Ridge())], final_estimator=gmm(1), cv=2).fit(X, Y)
    with pytest.raises(
        TypeError, match=r"Mixture\.mix; predict_dist\(stack\.final_estimator_, stack\.transform\(X\)\)"
    ):
        predict_dist(stack, X)
    assert len(predict_dist(stack.final_estimator_, stack.transform(X))) == N
    with pytest.raises(TypeError, match=r"AdaBoostRegressor has no distributions .* Mixture\.mix.*y_transform"):
        predict_dist(AdaBoostRegressor(gmm(1), n_estimators=2).fit(X, Y), X)
    mixed = VotingRegressor([("a", gmm(1)), ("b", gmm(1, y_transform="log"))]).fit(X, np.exp(Y))
    with pytest.raises(ValueError, match=r"of one kind.*Fit all members with one y_transform"):
        predict_dist(mixed, X)


# ------------------------------------------------------------------------------------------------------- scorers by name
def test_scorers_are_found_by_name():
    fitted = gmm().fit(X, Y)
    for name in scorers.get_scorer_names():
        scorer = scorers.get_scorer(name)
        assert np.isfinite(scorer(fitted, X, Y))
        assert f".{name}" in repr(scorer)
        assert scorer is not scorers.get_scorer(name)
    assert scorers.get_scorer(scorers.neg_crps) is scorers.neg_crps
    with pytest.raises(ValueError, match=r"one of neg_crps, .*; got 'r2'"):
        scorers.get_scorer("r2")
    with pytest.raises(ValueError, match=r"needs the resolution of y: scorers\.neg_grid_proof_score\(resolution\)"):
        scorers.get_scorer("neg_grid_proof_score")
