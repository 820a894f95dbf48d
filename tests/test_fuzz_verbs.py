"""Any table, any question: an answer of the right shape or an error in words, never another exception (hypothesis)."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.exceptions import NotFittedError

from condensity import JointGMMRegressor, MDNRegressor, Mixture, TransformedMixture
from condensity.distributions.transforms import Log, Logit

#: What may be raised for a bad table or a bad question.
SPOKEN = (ValueError, TypeError, NotFittedError)
QUICK = {
    "MDN": MDNRegressor(2, hidden_layer_sizes=(4,), max_iter=2, random_state=0),
    "GMM": JointGMMRegressor(2, max_iter=5, random_state=0),
}
calm = settings(
    deadline=None,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

numbers = st.one_of(
    st.floats(-1e3, 1e3), st.floats(), st.sampled_from([0.0, -0.0, 1e-320, 1e308, 1e39, 5e-324])
)  # fmt: skip
odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2)
)


@st.composite
def tables(draw):
    """A table of numbers, categories, text and worse, and its targets."""
    n = draw(st.integers(0, 40))
    kinds = draw(
        st.lists(st.sampled_from(["number", "gap", "category", "text", "bool", "odd", "constant"]), max_size=4)
    )
    columns = {}
    for j, kind in enumerate(kinds):
        if kind == "number":
            values = draw(arrays.arrays(float, n, elements=st.floats(-1e3, 1e3)))
        elif kind == "gap":
            values = draw(arrays.arrays(float, n, elements=numbers))
        elif kind in ("category", "text"):
            texts = draw(st.lists(st.sampled_from(["a", "b", "ü", "", None]), min_size=n, max_size=n))
            values = pd.Series(texts, dtype="category" if kind == "category" else object)
        elif kind == "bool":
            values = draw(arrays.arrays(bool, n))
        elif kind == "odd":
            values = pd.Series(draw(st.lists(odd, min_size=n, max_size=n)), dtype=object)
        else:
            values = np.ones(n)
        columns[draw(st.sampled_from(["x", "y", "", "</script>"])) + str(j)] = values
    frame = pd.DataFrame(columns, index=range(n))
    q = draw(st.sampled_from([1, 1, 2]))
    y = draw(
        arrays.arrays(float, (n, q), elements=draw(st.sampled_from([st.floats(-10, 10), st.floats(0.1, 10), numbers])))
    )
    return frame, y[:, 0] if q == 1 and draw(st.booleans()) else y


def spoken(ask, *, shape=None):
    """The answer, or None where the question was refused in words."""
    try:
        answer = ask()
    except SPOKEN as error:
        words = str(error)
    else:
        if shape is not None:
            assert np.shape(answer)[: len(shape)] == shape
        return answer
    assert len(words) > 10, words
    return None


@pytest.mark.parametrize("name", QUICK)
@calm
@given(table=tables(), fresh=tables(), transform=st.sampled_from([None, "log", "logit", "auto"]))
def test_every_verb_answers_or_speaks(name, table, fresh, transform):
    (X, y), (other, other_y) = table, fresh
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = spoken(
            lambda: QUICK[name].__class__(**{**QUICK[name].get_params(), "y_transform": transform}).fit(X, y)
        )
        if model is None:
            return
        n = len(X)
        for rows in (X, other):
            m = (len(rows),)
            spoken(lambda rows=rows: model.predict(rows), shape=m)
            spoken(lambda rows=rows: model.predict_quantiles(rows, [0.1, 0.9]), shape=m)
            spoken(lambda rows=rows: model.predict_interval(rows), shape=(*m, 2))
            spoken(lambda rows=rows: model.sample(rows, 2, random_state=0), shape=(*m, 2))
            spoken(lambda rows=rows: model.support(rows), shape=m)
            spoken(lambda rows=rows: model.in_support(rows, 0.1), shape=m)
            spoken(lambda rows=rows: model.score_inputs(rows), shape=m)
            for outside in ("deficient", "prior", "warn"):
                spoken(lambda rows=rows, outside=outside: len(model.predict_dist(rows, outside=outside)))
        spoken(lambda: model.score_samples(X, y), shape=(n,))
        spoken(lambda: model.score(other, other_y))
        spoken(lambda: model.score_joint(X, y), shape=(n,))
        spoken(lambda: model.sample_joint(3, random_state=0))
        spoken(lambda: model.predict_inputs(np.atleast_2d(y)[:2]))
        assert isinstance(model.health_, list)


@st.composite
def mixtures(draw):
    """n rows, K components, one output, any scale."""
    n, k = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    weights = draw(arrays.arrays(float, (n, k), elements=st.floats(0.01, 1.0)))
    means = draw(arrays.arrays(float, (n, k), elements=st.floats(-1e6, 1e6)))
    scales = draw(arrays.arrays(float, (n, k), elements=st.floats(1e-6, 1e6)))
    return Mixture(weights=weights / weights.sum(axis=1, keepdims=True), means=means, scales=scales)


@calm
@given(
    dist=mixtures(),
    y=arrays.arrays(float, (1, 3), elements=numbers),
    p=st.lists(st.floats(0, 1), min_size=1, max_size=3),
)
def test_every_verb_of_a_mixture_answers_for_any_point(dist, y, p):
    n = len(dist)
    for verb in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"):
        values = spoken(lambda verb=verb: getattr(dist, verb)(y), shape=(n, 3))
        assert values is None or not np.isnan(values[:, ~np.isnan(y[0])]).any()
    with np.errstate(over="ignore", invalid="ignore"):
        spoken(lambda: dist.crps(y), shape=(n, 3))
    quantiles = spoken(lambda: dist.ppf(p), shape=(n, len(p)))
    assert quantiles is None or not np.isnan(quantiles).any()
    assert (dist.interval(0.5)[:, 0] <= dist.interval(0.5)[:, 1]).all()


@calm
@given(dist=mixtures(), y=arrays.arrays(float, (1, 3), elements=numbers), transform=st.sampled_from([Log(), Logit()]))
def test_every_verb_of_a_transformed_mixture_answers_for_any_point(dist, y, transform):
    moved = TransformedMixture(dist, transform)
    for verb in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"):
        values = getattr(moved, verb)(y)
        assert values.shape == (len(dist), 3)
        assert not np.isnan(values[:, ~np.isnan(y[0])]).any()
    assert not np.isnan(moved.ppf([0.0, 0.3, 1.0])).any()
