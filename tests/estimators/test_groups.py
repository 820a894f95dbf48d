"""Rows that belong together: `groups` of fit, and `cv`, through every split of a fit and through scikit-learn's searches."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from condensity import JointGMMRegressor, MDNRegressor, load
from condensity.data import splitting, warn_about_dependence
from condensity.data.splitting import GroupSplitter

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),  # few patients, few epochs
    pytest.mark.filterwarnings("ignore:Rows seem to belong together"),
]

QUICK = {
    "network": lambda **more: MDNRegressor(3, hidden_layer_sizes=8, max_iter=20, numeric_encoding=None, **more),
    "ensemble": lambda **more: MDNRegressor(
        3, hidden_layer_sizes=8, max_iter=20, numeric_encoding=None, n_members=3, **more
    ),
    "gmm": lambda **more: MDNRegressor(init="gmm", hidden_layer_sizes=8, max_iter=20, numeric_encoding=None, **more),
    "joint": JointGMMRegressor,
}


def panel(n_groups=60, per=40, seed=0):
    """Visits of patients with a common offset: X (n, 4), y (n,), and the patient."""
    rng = np.random.default_rng(seed)
    x, offset = rng.uniform(-2, 2, (n_groups, 4)), rng.normal(size=n_groups)
    g = np.repeat(np.arange(n_groups), per)
    return x[g], (np.sin(x[:, 0]) + offset)[g] + 0.3 * rng.normal(size=len(g)), g


@pytest.fixture
def splits(monkeypatch):
    """All splits that fits make, with the groups of their rows; a split of independent rows is an error."""
    made = []

    def refuse(n, rng):
        raise AssertionError("rows were split without their groups")

    def recorded(verb):
        def split(self, share, rng):
            result = verb(self, share, rng)
            made.extend((self.groups, *pair) for pair in result)
            return result

        return split

    monkeypatch.setattr(splitting, "_permutation", refuse)
    monkeypatch.setattr(GroupSplitter, "held_out", recorded(GroupSplitter.held_out))
    monkeypatch.setattr(GroupSplitter, "folds", recorded(GroupSplitter.folds))
    return made


@pytest.mark.parametrize("make", QUICK.values(), ids=QUICK)
def test_every_split_of_a_fit_is_by_groups(make, splits):
    x, y, g = panel(30, 6)
    order, weight = np.random.default_rng(1).permutation(len(y)), np.ones(len(y))
    x, y, g = x[order], y[order], g[order]
    weight[::7] = 0  # absent rows must not shift the groups of others
    make(random_state=0).fit(x, y, weight, groups=[f"patient {each}" for each in g])
    used = np.unique(g[weight > 0], return_inverse=True)[1]
    assert len(splits) >= 10  # those that choose, and those that calibrate
    for groups, kept, out in splits:
        assert not set(groups[kept]) & set(groups[out])
        if len(groups) == len(used):  # the same partition of the rows that count
            assert len(set(zip(groups, used, strict=True))) == 30


@pytest.mark.parametrize("labels", [pd.Categorical, pd.Series, lambda g: [("ward", each) for each in g.tolist()]])
def test_any_hashable_labels_give_the_same_fit(labels):
    x, y, g = panel(20, 5)
    first, second = (JointGMMRegressor(random_state=0).fit(x, y, groups=groups) for groups in (g, labels(g)))
    assert np.array_equal(first.predict(x), second.predict(x))
    assert np.array_equal(first.support(x), second.support(x))


def test_held_out_scores_are_those_of_whole_groups():
    x, y, g = panel(400, 3)
    model = JointGMMRegressor(random_state=0).fit(x, y, groups=g)
    held_out = np.isfinite(model.report_.validation_log_density)
    assert set(g[held_out]).isdisjoint(g[~held_out])
    assert held_out.mean() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("name", ["network", "joint"])
def test_cv_says_which_rows_are_held_out(name):
    x, y, _ = panel(50, 4)
    cv = TimeSeriesSplit(4)
    model = QUICK[name](random_state=0, cv=cv).fit(x, y)
    tested = np.concatenate([test for _, test in cv.split(x)])
    assert np.array_equal(np.flatnonzero(np.isfinite(model.report_.validation_log_density)), tested)
    pairs = QUICK[name](random_state=0, cv=list(cv.split(x))).fit(x, y)
    assert np.array_equal(pairs.predict(x), model.predict(x))
    weight = np.ones(len(y))
    weight[:20] = 0
    assert np.isfinite(QUICK[name](random_state=0, cv=cv).fit(x, y, weight).score(x, y))


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored by KFold")
def test_a_splitter_gets_the_groups_and_an_int_makes_folds_of_them():
    x, y, g = panel(20, 5)
    models = [JointGMMRegressor(random_state=0, cv=cv).fit(x, y, groups=g) for cv in (GroupKFold(4), 4)]
    assert np.array_equal(models[0].predict(x), models[1].predict(x))
    with pytest.raises(ValueError, match=r"cv has 1 groups on both sides.*GroupKFold"):
        JointGMMRegressor(cv=KFold(3)).fit(x, y, groups=g)


@pytest.mark.parametrize("init", ["gmm", "quantile"])
@pytest.mark.parametrize("n_members", [1, 5])
def test_time_order_serves_every_kind_of_network(init, n_members):
    x, y, _ = panel(40, 5)
    model = MDNRegressor(
        hidden_layer_sizes=8, max_iter=5, init=init, n_members=n_members, cv=TimeSeriesSplit(3), random_state=0
    )
    assert np.isfinite(model.fit(x, y).score(x, y))
    assert 0 <= model.support(x).min() <= 1


def test_mistakes_are_refused_in_words():
    x, y, g = panel(20, 5)
    bad = [
        (None, {"groups": g[:-1]}, r"groups must have shape \(100,\)"),
        (None, {"groups": np.zeros(100)}, "two different labels"),
        (None, {"groups": [None, *g[1:]]}, "groups has no label in 1 of 100 rows, the first of them row 0"),
        (3, {"X_val": x, "y_val": y}, "Give either cv or X_val and y_val"),
        ([(range(50), range(40, 100))], {}, "10 rows on both sides"),
        ([(range(50), [])], {}, "empty side"),
        ([(range(50), [100])], {}, "row numbers"),
        ([], {}, "cv makes no split"),
    ]
    for cv, more, message in bad:
        with pytest.raises(ValueError, match=message):
            JointGMMRegressor(cv=cv).fit(x, y, **more)


def test_scikit_learn_routes_groups_through_a_search_over_a_pipeline():
    x, y, g = panel(24, 5)
    with sklearn.config_context(enable_metadata_routing=True):
        model = JointGMMRegressor(random_state=0).set_fit_request(groups=True)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model),
            {"jointgmmregressor__covariance_type": ["full", "diag"]},
            cv=GroupKFold(3),
        ).fit(x, y, groups=g)
    alone = JointGMMRegressor(
        random_state=0, **{"covariance_type": search.best_params_["jointgmmregressor__covariance_type"]}
    )
    expected = alone.fit(StandardScaler().fit_transform(x), y, groups=g).predict(StandardScaler().fit_transform(x))
    assert np.array_equal(search.predict(x), expected)


def test_a_saved_model_leaves_the_splits_behind(tmp_path):
    x, y, _ = panel(20, 5)
    model = JointGMMRegressor(random_state=0, cv=TimeSeriesSplit(3)).fit(x, y)
    model.save(tmp_path / "model.condensity")
    loaded = load(tmp_path / "model.condensity")
    assert loaded.cv is None
    assert np.array_equal(loaded.predict(x), model.predict(x))


# --------------------------------------------------------------------------------------------------------------- the warning
def messages(x, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_about_dependence(x, y.reshape(len(y), -1), [f"x{j}" for j in range(x.shape[1])])
    return [str(each.message) for each in caught]


def ordinary_tables(seed, n=1000):
    """Independent rows in the forms in which tables come: grids, rounding, categories, sorting, crossed designs."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=(n, 4)), rng.normal(size=n)
    grid, sorted_x = np.round(rng.uniform(-2, 2, (n, 1)) * 5) / 5, x[np.argsort(x[:, 0])]
    level = rng.integers(0, 8, n)
    crossed = np.repeat(np.stack(np.meshgrid(np.arange(6.0), np.arange(6.0)), -1).reshape(-1, 2), 28, axis=0)
    age, by_y = np.column_stack([rng.integers(18, 90, n), noise]), np.argsort(x[:, 1] + noise)
    return {
        "noise": (x, noise),
        "grid": (grid, np.sin(4 * grid[:, 0]) + 0.05 * noise),
        "rounded": (np.round(x, 1), np.sin(2 * x[:, 0]) * x[:, 1] + 0.1 * noise),
        "coarse": (np.round(x), np.round(x[:, 0]) * np.round(x[:, 1]) + 0.1 * noise),
        "categories": (np.column_stack([np.eye(8)[level], x]), 2 * rng.normal(size=8)[level] + 0.1 * noise),
        "sorted by x": (sorted_x, np.sin(3 * sorted_x[:, 0]) + sorted_x[:, 1] * sorted_x[:, 2] + 0.1 * noise),
        "sorted by y": (x[by_y], (x[:, 1] + noise)[by_y]),
        "crossed": (crossed, np.sin(crossed[:, 0]) * np.cos(crossed[:, 1]) + 0.1 * rng.normal(size=len(crossed))),
        "age": (age, np.sin(age[:, 0] / 10) + 0.05 * rng.normal(size=n)),
        "hour": (
            np.column_stack([np.arange(n) % 24, noise]),
            3 * np.sin(np.arange(n) / 24 * 2 * np.pi) + 0.1 * x[:, 0],
        ),
    }


@pytest.mark.parametrize("kind", ordinary_tables(0))
def test_no_false_alarm_on_independent_rows(kind):
    assert [messages(*ordinary_tables(seed)[kind]) for seed in range(10)] == [[]] * 10


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_belong_together_are_warned_of_with_the_remedy(seed):
    rng = np.random.default_rng(seed)
    x, y, g = panel(60, 20, seed)
    order, offset = rng.permutation(len(y)), rng.normal(size=60)
    for rows in (slice(None), order):
        (message,) = messages(x[rows], y[rows])
        assert "have only 60 different x" in message
        assert "groups=" in message
    visits = np.column_stack([rng.normal(size=(len(y), 2)), g])[order]
    (message,) = messages(visits, np.sin(visits[:, 0]) + offset[g[order]] + 0.3 * rng.normal(size=len(y)))
    assert "same value of column 'x2'" in message
    series = np.zeros(1000)
    for t in range(1, 1000):
        series[t] = 0.9 * series[t - 1] + 0.43 * rng.normal()
    x = rng.normal(size=(1000, 3))
    (message,) = messages(x, np.sin(x[:, 0]) + series)
    assert "cv=TimeSeriesSplit()" in message


def test_fit_warns_unless_it_is_told_how_rows_belong_together():
    x, y, g = panel(60, 20)
    with pytest.warns(UserWarning, match="Rows seem to belong together"):
        JointGMMRegressor(1).fit(x, y)
    for cv, more in ((None, {"groups": g}), (3, {}), (None, {"X_val": x[:40], "y_val": y[:40]})):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            JointGMMRegressor(1, cv=cv).fit(x, y, **more)
