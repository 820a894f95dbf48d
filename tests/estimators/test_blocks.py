"""Verbs of a few numbers per row work in blocks: the same bits as at once, in memory that distributions do not fill."""

import tracemalloc

import numpy as np
import pytest

from condensity import JointGMMRegressor, MDNRegressor
from condensity.estimators import blocks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(n, q=1, *, gaps=False, seed=0):
    """X (n, 3) and positive y (n,) or (n, q)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    y = np.exp(0.3 * (np.sin(2 * x[:, :1] + np.arange(q)) + 0.3 * rng.normal(size=(n, q))))
    if gaps:
        x[rng.random(x.shape) < 0.2] = np.nan
    return x, y[:, 0] if q == 1 else y


MODELS = {
    "network": (MDNRegressor(3, hidden_layer_sizes=8, max_iter=2), {}),
    "log of y": (MDNRegressor(3, hidden_layer_sizes=8, max_iter=2, y_transform="log"), {}),
    "three networks of two outputs": (MDNRegressor(2, hidden_layer_sizes=8, max_iter=2, n_members=3), {"q": 2}),
    "from a mixture": (MDNRegressor(3, hidden_layer_sizes=8, max_iter=2, init="gmm"), {}),
    "joint": (JointGMMRegressor(4), {}),
    "joint with gaps": (JointGMMRegressor(3), {"gaps": True}),
    "joint with gaps of two outputs": (JointGMMRegressor(2), {"gaps": True, "q": 2}),
}


def verbs(model, x, y):
    """Results of every verb with a few numbers per row."""
    results = [model.predict(x), model.score_samples(x, y), model.score_samples(x), model.support(x)]
    if y.ndim == 1:
        results += [model.predict_quantiles(x, [0.1, 0.5, 0.6]), model.predict_interval(x)]
    if isinstance(model, MDNRegressor):
        results += list(model.predict_variance_parts(x))
    else:
        results.append(model.score_joint(x, y))
    return results


@pytest.mark.trap("T39", 143)
@pytest.mark.parametrize("name", MODELS)
def test_blocks_give_the_bits_of_all_rows_at_once(name, monkeypatch):
    model, options = MODELS[name]
    model.set_params(random_state=0).fit(*table(400, **options))
    x, y = table(5001, **options, seed=1)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2**17)
    in_blocks = verbs(model, x, y)
    monkeypatch.setattr(blocks, "MAX_ROWS_AT_ONCE", 10**9)
    for found, expected in zip(in_blocks, verbs(model, x, y), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.trap(144)
@pytest.mark.parametrize("name", ["three networks of two outputs", "joint with gaps of two outputs"])
def test_memory_is_that_of_inputs_and_result(name):
    model, options = MODELS[name]
    model.set_params(random_state=0).fit(*table(400, **options))
    x, y = table(60_000, **options, seed=1)
    model.predict(x[:1000])
    for verb in (lambda: model.predict(x), lambda: model.score(x, y), lambda: model.support(x)):
        tracemalloc.start()
        result = verb()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < np.asarray(result).nbytes + x.nbytes + y.nbytes + 64 * 2**20


def test_rows_of_one_pattern_are_next_to_each_other_and_none_is_left_out():
    x, _ = table(1000, gaps=True)
    found = list(blocks.blocks_of(x, 64))
    assert np.array_equal(np.sort(np.concatenate(found)), np.arange(1000))
    patterns = [len(np.unique(np.isnan(x[rows]), axis=0)) for rows in found]
    assert max(patterns) < 8


def test_few_rows_are_one_call():
    calls = []
    blocks.in_blocks(lambda rows: calls.append(rows) or np.zeros(100), np.zeros((100, 2)), lambda: 1 / 0)
    assert calls == [slice(None)]
