"""A warning names the line of the user's code that led to it."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import condensity
from condensity import JointGMMRegressor, MDNRegressor
from condensity.warning import warn_user

X = np.random.default_rng(0).normal(size=(120, 2))
X[:, 1] = 1.0
Y = X[:, 0] ** 2 + 0.1 * np.random.default_rng(1).normal(size=120)
FEW = {"n_components": 2, "max_iter": 3, "support_model": None}  # too few iterations: a ConvergenceWarning too


def caught(call):
    """Warnings of a call, with their place: (category, message, file, line)."""
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        call()
    assert records
    return records


def line_of(text):
    """The number of the only line of this file that ends with a text."""
    (number,) = (
        i for i, line in enumerate(Path(__file__).read_text().splitlines(), 1) if line.rstrip().endswith("  # " + text)
    )
    return number


def fit_directly():
    JointGMMRegressor(**FEW).fit(X, Y)  # fit directly


def fit_network():
    MDNRegressor(n_components=1, max_iter=5, support_model=None).fit(X, Y)  # fit network


def fit_clone():
    clone(JointGMMRegressor(**FEW)).fit(X, Y)  # fit clone


def fit_pipeline():
    make_pipeline(StandardScaler(), JointGMMRegressor(**FEW)).fit(X, Y)  # fit pipeline


def fit_search():
    search = GridSearchCV(JointGMMRegressor(**FEW), {"n_components": [1, 2]}, cv=2)
    search.fit(X, Y)  # fit search


def fit_search_of_pipeline():
    pipeline = make_pipeline(StandardScaler(), JointGMMRegressor(**FEW))
    GridSearchCV(pipeline, {"jointgmmregressor__n_components": [1, 2]}, cv=2).fit(X, Y)  # fit search of pipeline


def cross_validate():
    cross_val_score(JointGMMRegressor(**FEW), X, Y, cv=2)  # cross validate


def fit_inside_a_wrapper():
    TransformedTargetRegressor(JointGMMRegressor(**FEW)).fit(X, Y)  # fit inside a wrapper


CALLS = [
    fit_directly,
    fit_network,
    fit_clone,
    fit_pipeline,
    fit_search,
    fit_search_of_pipeline,
    cross_validate,
    fit_inside_a_wrapper,
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_warnings_of_fit_name_the_file_and_line_of_the_caller(call):
    records = caught(call)
    expected = line_of(call.__name__.replace("_", " "))
    assert {(record.filename, record.lineno) for record in records} == {(__file__, expected)}
    assert any("is constant in column" in str(record.message) for record in records)


def test_the_category_is_kept():
    records = caught(fit_directly)
    assert ConvergenceWarning in {record.category for record in records}


def test_warnings_of_predictions_name_the_caller():
    model = JointGMMRegressor(n_components=2).fit(X[:, :1], Y)

    def predict():
        model.predict_dist(np.full((1, 1), 1e3), outside="warn")  # predict
        condensity.predict_dist(make_pipeline(model), np.full((1, 1), 1e3), outside="warn")  # unwrap

    lines = [record.lineno for record in caught(predict)]
    assert lines == [line_of("predict"), line_of("unwrap")]


def test_an_equal_warning_comes_once_a_line():
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("default")
        for _ in range(3):
            warn_user("one line")
        warn_user("one line")
    assert len(records) == 2


def test_plumbing_is_skipped():
    @functools.singledispatch
    def dispatched(_):
        warn_user("from below", RuntimeWarning)  # from below

    (record,) = caught(lambda: dispatched(0))
    assert (record.lineno, record.category) == (line_of("from below"), RuntimeWarning)


@pytest.mark.trap(133)
@pytest.mark.parametrize("way", ["search", "cross_val_score", "cross_val_predict"])
def test_unknown_levels_are_told_once_in_a_search_and_every_time_elsewhere(way):
    """Folds lack rare levels, each another one: a search said so 26 times."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=60), "town": [f"rare {i}" if i % 6 == 0 else "Aa" for i in range(60)]})
    y = X["size"] + 0.1 * rng.normal(size=60)
    model = JointGMMRegressor(1, random_state=0, fallback=None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if way == "search":
            GridSearchCV(model, {"covariance_prior": [0.1, 1.0]}, cv=3).fit(X, y)
        elif way == "cross_val_score":
            cross_val_score(model, X, y, cv=3)
        else:
            cross_val_predict(model, X, y, cv=3)
    assert sum("not there in fit" in str(warning.message) for warning in caught) == 1
    fitted = model.fit(X[:30], y[:30])
    for _ in range(2):
        with pytest.warns(UserWarning, match="not there in fit"):
            fitted.predict(X[30:])
