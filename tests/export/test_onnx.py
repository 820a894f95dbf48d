"""ONNX graphs answer as the models that they were made from."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import make_noisy_wave
from condensity.export import to_onnx

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 250
WAVE = make_noisy_wave(N, random_state=0)
PLAIN = np.column_stack([WAVE.X[:, 0], RNG.normal(1e6, 1.0, N)])
DECADES = np.column_stack([np.exp(4 * WAVE.X[:, 0]), np.sinh(6 * np.random.default_rng(1).normal(size=N))])
BOTH = np.column_stack([WAVE.y, 1e3 * WAVE.y + RNG.normal(size=N)])
TABLE = pd.DataFrame({
    "x": WAVE.X[:, 0],
    "kind": pd.Categorical(RNG.choice(["a", "b", "ü"], N)),
    "gaps": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N)),
    "yes": pd.Categorical(RNG.choice(["no", "yes"], N)),
})  # fmt: skip
TABLE.loc[::9, "kind"] = None
COMPLETE = TABLE.assign(gaps=TABLE["gaps"].fillna(0.5))

FITS = {
    "MDN": (MDNRegressor(3), PLAIN, WAVE.y),
    "MDN one input": (MDNRegressor(3, activation="tanh"), WAVE.X, WAVE.y),
    "MDN piecewise": (MDNRegressor(3, numeric_encoding="piecewise"), PLAIN, WAVE.y),
    "MDN ensemble": (MDNRegressor(3, n_members=3, activation="relu"), PLAIN, WAVE.y),
    "MDN full": (MDNRegressor(3), PLAIN, np.column_stack([BOTH, RNG.normal(size=N)])),
    "MDN diag": (MDNRegressor(3, covariance_type="diag"), PLAIN, BOTH),
    "MDN on gmm": (MDNRegressor(3, init="gmm"), PLAIN, BOTH),
    "MDN blog": (MDNRegressor.from_blog(), WAVE.X, WAVE.y),
    "MDN log": (MDNRegressor(3, y_transform="log"), PLAIN, np.exp(WAVE.y)),
    "MDN log1p": (MDNRegressor(3, y_transform="log1p"), PLAIN, np.exp(WAVE.y)),
    "MDN logit": (MDNRegressor(3, y_transform="logit"), PLAIN, expit(WAVE.y)),
    "MDN logit full": (MDNRegressor(3, y_transform="logit"), PLAIN, expit(BOTH / [1.0, 1e3])),
    "MDN auto": (MDNRegressor(3, y_transform="auto"), PLAIN, np.exp(3 * WAVE.y)),
    "MDN tiny": (MDNRegressor(), PLAIN[:15], BOTH[:15]),
    "MDN decades": (MDNRegressor(3), DECADES, WAVE.y),
    "MDN table": (MDNRegressor(3), TABLE, WAVE.y),
    "GMM": (JointGMMRegressor(4), PLAIN, WAVE.y),
    "GMM full": (JointGMMRegressor(4, y_transform="log"), PLAIN, np.exp(BOTH / 100)),
    "GMM logit": (JointGMMRegressor(4, y_transform="logit"), PLAIN, expit(WAVE.y)),
    "GMM auto": (JointGMMRegressor(4, y_transform="auto"), PLAIN, BOTH),
    "GMM diag": (JointGMMRegressor(4, covariance_type="diag"), PLAIN, BOTH),
    "GMM decades": (JointGMMRegressor(3), DECADES, WAVE.y),
    "GMM table": (JointGMMRegressor(3), COMPLETE, WAVE.y),
}  # fmt: skip


def feeds(X):
    if not isinstance(X, pd.DataFrame):
        return {"X": X}
    texts = [name for name in X if X[name].dtype == "category"]
    numbers = X[[name for name in X if name not in texts]].to_numpy(float)
    return {
        "X": numbers,
        **{name: X[name].astype(object).where(X[name].notna(), "").to_numpy(object) for name in texts},
    }


def run(proto, X):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, feeds(X)), strict=True))


@pytest.fixture(params=FITS)
def exported(request):
    model, X, y = FITS[request.param]
    model.set_params(random_state=0, **({"max_iter": 20} if isinstance(model, MDNRegressor) else {})).fit(X, y)
    return model, X, to_onnx(model)


def test_graphs_are_equal_to_predictions(exported):
    model, X, proto = exported
    for rows in (X, X[:1], X[:7]):
        found, dist = run(proto, rows), model.predict_dist(rows)
        base = getattr(dist, "base", dist)
        n, k, q = len(rows), base.n_components, base.n_outputs
        np.testing.assert_allclose(np.exp(found["log_weights"]), base.weights, atol=1e-6)
        np.testing.assert_allclose(
            found["means"], base.means.reshape(n, k, q), rtol=2e-6, atol=2e-6 * np.abs(base.means).max()
        )
        if "factors" in found:
            covariances = np.einsum("nkij,nklj->nkil", found["factors"], found["factors"])
            np.testing.assert_allclose(
                covariances, base.covariances, rtol=1e-5, atol=1e-6 * np.abs(base.covariances).max()
            )
        else:
            np.testing.assert_allclose(found["scales"], base.scales.reshape(n, k, q), rtol=1e-5)
        np.testing.assert_allclose(
            found["mean"], model.predict(rows).reshape(n, q), rtol=1e-5, atol=1e-5 * np.abs(base.means).max()
        )
        if model.has_support:
            rank = 1.01 * model.support_.min_p_value  # a tie may fall on either side
            np.testing.assert_allclose(found["support"], model.support(rows), atol=rank)


def test_far_and_unseen_rows_too(exported):
    model, X, proto = exported
    if isinstance(X, pd.DataFrame):
        rows = X.head(3).assign(kind=pd.Categorical(["zebra"] * 3))
        if model.has_support:
            np.testing.assert_allclose(run(proto, rows)["support"], model.support_.min_p_value)
        if isinstance(model, JointGMMRegressor):  # it integrates the level out; the graph takes an average one
            assert np.isfinite(run(proto, rows)["mean"]).all()
            return
        with pytest.warns(UserWarning, match="zebra"):
            expected = model.predict(rows)
    else:
        rows = X[:3] * 1e3
        expected = model.predict(rows)
    np.testing.assert_allclose(run(proto, rows)["mean"].reshape(expected.shape), expected, rtol=1e-4)


def test_metadata_say_what_goes_in_and_out():
    model = MDNRegressor(2, max_iter=3, random_state=0).fit(TABLE, pd.Series(WAVE.y, name="price"))
    (entry,) = to_onnx(model).metadata_props
    assert json.loads(entry.value) == {
        "model": "MDNRegressor",
        "numbers": ["x", "gaps"],
        "categories": {"kind": ["a", "b", "ü"], "yes": ["no", "yes"]},
        "outputs": ["price"],
        "y_transform": None,
    }


def test_files_and_refusals(tmp_path):
    model = MDNRegressor(2, max_iter=3, random_state=0).fit(PLAIN, WAVE.y)
    proto = to_onnx(model, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == proto.SerializeToString()
    with pytest.raises(OSError, match="cannot write"):
        to_onnx(model, tmp_path)
    with pytest.raises(NotFittedError):
        to_onnx(MDNRegressor())


@pytest.mark.parametrize("model", [MDNRegressor(2, max_iter=3), JointGMMRegressor(2)])
def test_functions_are_refused_in_one_sentence(model):
    model = clone(model).set_params(y_transform=(np.cbrt, lambda u: u**3)).fit(PLAIN, WAVE.y)
    with pytest.raises(
        ValueError, match=r"knows y_transform=None, 'log', 'log1p' and 'logit'; this model has 'functions'\.$"
    ):
        to_onnx(model)
