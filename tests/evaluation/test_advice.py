"""What findings, warnings and errors recommend exists, and every kind of model that they are said of can follow it."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit

import condensity
from condensity import JointGMMRegressor, MDNRegressor, scores
from condensity.compute import AUTO
from condensity.data.dependence import warn_about_dependence
from condensity.evaluation.comparison import compare_with_joint
from condensity.evaluation.diagnostics import against_steps
from condensity.warning import collected_warnings

N = 90
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}

#: Every kind of model, small.
KINDS = {
    "network": MDNRegressor(2, **SMALL),
    "three networks": MDNRegressor(2, n_members=3, **SMALL),
    "ten networks": MDNRegressor(2, n_members=10, **SMALL),
    "network on a mixture": MDNRegressor(2, init="gmm", **SMALL),
    "network of full covariances": MDNRegressor(2, covariance_type="full", **SMALL),
    "coupled network": MDNRegressor(2, covariance_type="tied", **SMALL),
    "network of the post": MDNRegressor.from_blog(max_iter=3, random_state=0),
    "joint mixture": JointGMMRegressor(3, random_state=0),
    "joint mixture of any size": JointGMMRegressor(random_state=0),
    "joint diagonal mixture": JointGMMRegressor(2, covariance_type="diag", random_state=0),
    "joint normal": JointGMMRegressor(1, random_state=0),
}


def table(outputs=1):
    """Numbers with missing values and a category; targets in (0, 2), rounded to steps of .1."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    kind = rng.choice(["a", "b"], N)
    X = pd.DataFrame({"x": np.where(rng.random(N) < 0.1, np.nan, x), "kind": kind})
    y = 1.0 + 0.3 * np.tanh(x)[:, None] + 0.3 * (kind == "a")[:, None] + 0.1 * rng.normal(size=(N, outputs))
    y = np.round(np.clip(y, 0.1, 1.9), 1)
    return X, y[:, 0] if outputs == 1 else y


def fitted(model, X, y, **options):
    with collected_warnings():
        return clone(model).fit(X, y, **options)


def size_of(model):
    """Components of a fitted model in standardised units, without its fallback."""
    return model.model_.predict(np.zeros((1, model.model_.n_inputs)), compute=AUTO).n_components


@pytest.mark.trap(126)
@pytest.mark.parametrize("kind", KINDS)
def test_advice_against_steps_fits_the_model(kind):
    model, (X, y) = fitted(KINDS[kind], *table()), table()
    size = size_of(model)
    advice = against_steps(model.get_params(), size)
    if "n_members" in advice:
        parameters = dict(re.findall(r"(\w+)=(\d+)", advice))
        changed = fitted(clone(model).set_params(**{name: int(value) for name, value in parameters.items()}), X, y)
        assert size_of(changed) > size
    elif "n_components below" in advice:
        assert size_of(fitted(clone(model).set_params(n_components=size - 1), X, y)) < size
    else:
        assert kind == "ten networks" or size == 1
    with collected_warnings():
        found = {finding.name: finding for finding in model.health_}
    assert not found["steps"].serious or found["steps"].text.endswith(advice)


@pytest.mark.trap(126)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("transform", [None, "log", "auto", (np.sqrt, np.square)], ids=str)
@pytest.mark.parametrize("kind", ["network", "joint mixture"])
def test_the_score_that_is_recommended_for_rounded_targets_takes_every_model(kind, transform, outputs):
    X, y = table(outputs)
    model = fitted(clone(KINDS[kind]).set_params(y_transform=transform), X, y)
    texts = [finding.text for finding in model.health_ if finding.name == "ties" and "grid_proof_score" in finding.text]
    assert len(texts) == outputs
    for j, text in enumerate(texts):
        dist, column = model.predict_dist(X), y if outputs == 1 else y[:, j]
        assert (f"marginal({j})" in text) == (outputs > 1)
        losses = scores.grid_proof_score(dist.marginal(j) if outputs > 1 else dist, column, 0.1)
        assert np.isfinite(losses).all()


@pytest.mark.trap(126)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("transform", [None, "log"])
def test_models_that_are_recommended_in_place_of_a_worse_one_take_its_table(transform, outputs):
    X, y = table(outputs)
    text = compare_with_joint(np.linspace(-2.0, -1.9, N), np.zeros(N), 3).text
    named = re.findall(r"(\w+Regressor)(?:\((\w+)='(\w+)'\))?", text)
    assert [name for name, *_ in named] == ["JointGMMRegressor", "MDNRegressor"]
    for name, parameter, value in named:
        options = {parameter: value, "max_iter": 3} if parameter else {}
        model = fitted(getattr(condensity, name)(y_transform=transform, random_state=0, **options), X, y)
        assert np.isfinite(model.score(X, y))


def dependent_rows(kind, n=300):
    """Standardised rows of the same x, of one identifier, and in an order, that share what x does not explain."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2))
    if kind == "order":
        walk = np.cumsum(rng.normal(size=n))
        return x, (x[:, 0] + walk / walk.std())[:, None]
    label = np.repeat(np.arange(n // 5), 5)
    x = x[label] if kind == "repeated" else np.column_stack([x[:, 0], rng.permutation(n // 5)[label]])
    return x, (0.2 * x[:, 0] + rng.normal(size=n // 5)[label] + 0.1 * rng.normal(size=n))[:, None]


@pytest.mark.trap(126)
@pytest.mark.parametrize("way", ["repeated", "identifier", "order"])
def test_rows_that_belong_together_can_be_kept_apart_as_advised(way):
    x, y = dependent_rows(way)
    with collected_warnings() as notes:
        warn_about_dependence(x, y)
    assert len(notes) == 1
    assert "groups=" in notes[0]
    for kind in ("network", "network on a mixture", "joint mixture of any size"):
        model = fitted(KINDS[kind], x[:, :1], y[:, 0], groups=np.repeat(np.arange(60), 5))
        assert np.isfinite(model.score(x[:, :1], y[:, 0]))
        if "TimeSeriesSplit" in notes[0]:
            assert fitted(clone(model).set_params(cv=TimeSeriesSplit()), x[:, :1], y[:, 0])


# ----------------------------------------------------------------------------------- names in all texts of the source
SOURCE = Path(condensity.__file__).parent


def texts_of(path):
    """Strings of a module that are not docstrings, and the constant parts of formatted ones, joined."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in docs | inside:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def parameters_of_everything():
    """Names of all parameters of all public functions, classes and methods."""
    names = set()
    for info in walk_packages([str(SOURCE)], "condensity."):
        if "__main__" in info.name or "_native" in info.name:
            continue
        for thing in vars(import_module(info.name)).values():
            members = [thing, *vars(thing).values()] if inspect.isclass(thing) else [thing]
            for member in filter(callable, members):
                try:
                    names.update(inspect.signature(member).parameters)
                except (TypeError, ValueError):
                    continue
    return names


def verbs_of_everything():
    classes = (JointGMMRegressor, MDNRegressor, condensity.Mixture, condensity.TransformedMixture)
    return {name for thing in (*classes, scores, condensity) for name in dir(thing)}


@pytest.mark.trap(126)
def test_parameters_and_verbs_in_texts_exist():
    parameters, verbs = parameters_of_everything(), verbs_of_everything()
    sentences = [text for path in SOURCE.rglob("*.py") for text in texts_of(path) if " " in text]
    named = {name for text in sentences for name in re.findall(r"(?<![\w.'\-])([a-z_]{3,})=(?=[\w'\"(,;.… ]|$)", text)}
    assert len(named) > 20
    assert named <= parameters, named - parameters
    called = {name for text in sentences for name in re.findall(r"(?:scores|condensity)\.(\w+)\b(?!\.)", text)}
    assert called <= verbs | {"export", "cli"}, called - verbs
