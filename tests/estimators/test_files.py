"""Models as files: back to the bit in another process, from every release, refused where anything is wrong (T16, 36, 45–50)."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from condensity import JointGMMRegressor, MDNRegressor, ModelFileError, load
from condensity.datasets.synthetic import make_noisy_wave
from condensity.persistence import container

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
GOLDEN = Path(__file__).parents[1] / "golden"
RNG = np.random.default_rng(0)
PROBLEM = make_noisy_wave(200, random_state=0)
TABLE = pd.DataFrame({
    "x": PROBLEM.X[:, 0],
    "kind": pd.Categorical(RNG.choice(["a", "b", "ü"], 200)),
    "gaps": np.where(RNG.random(200) < 0.2, np.nan, RNG.normal(size=200)),
})  # fmt: skip
BOTH = pd.DataFrame({"u": PROBLEM.y, "v": PROBLEM.y + RNG.normal(size=200)})

FITS = {
    "MDN": lambda: MDNRegressor(3, max_iter=20, random_state=0).fit(PROBLEM.X, PROBLEM.y),
    "MDN table": lambda: MDNRegressor(3, max_iter=20, random_state=0).fit(TABLE, BOTH),
    "MDN ensemble": lambda: MDNRegressor(3, n_members=3, max_iter=10, random_state=0, numeric_encoding="piecewise").fit(
        TABLE, PROBLEM.y
    ),
    "MDN on gmm": lambda: MDNRegressor(3, init="gmm", max_iter=10, random_state=0).fit(PROBLEM.X, BOTH),
    "MDN diag": lambda: MDNRegressor(3, covariance_type="diag", max_iter=10, random_state=0, support_model=None).fit(
        PROBLEM.X, BOTH
    ),
    "MDN tiny": lambda: MDNRegressor(random_state=0).fit(PROBLEM.X[:12], PROBLEM.y[:12]),
    "MDN blog": lambda: MDNRegressor.from_blog(max_iter=5, random_state=0).fit(PROBLEM.X, PROBLEM.y[:, None]),
    "MDN part": lambda: MDNRegressor(3, random_state=0).partial_fit(PROBLEM.X, PROBLEM.y),
    "GMM": lambda: JointGMMRegressor(3, random_state=0).fit(PROBLEM.X, PROBLEM.y),
    "GMM table": lambda: JointGMMRegressor(3, random_state=0).fit(TABLE, BOTH),
    "GMM tied": lambda: JointGMMRegressor("auto", covariance_type="tied", random_state=0).fit(PROBLEM.X, PROBLEM.y),
}  # fmt: skip
INPUTS = {name: TABLE if "table" in name or "ensemble" in name else PROBLEM.X for name in FITS}


def answers(model, X):
    """All that a model says of rows X."""
    dist = model.predict_dist(X)
    found = [dist.log_weights, dist.means, dist.scales, model.predict(X), model.n_iter_, model.outcome_]
    found += [str(finding) for finding in model.health_]
    if model.has_support:
        found += [
            model.support(X),
            model.predict_dist(X, outside="prior").mean(),
            model.predict_dist(X, outside="deficient").mass,
        ]
    if hasattr(model, "joint_"):
        found += [model.joint_.means, model.joint_.covariances, model.joint_.output_names]
    return found


@pytest.fixture(params=FITS, scope="module")
def saved(request, tmp_path_factory):
    model = FITS[request.param]()
    return model, INPUTS[request.param], model.save(tmp_path_factory.mktemp("models") / "m.condensity")


@pytest.mark.trap("T16")
def test_a_model_comes_back_to_the_bit(saved):
    model, X, path = saved
    back = load(path)
    assert type(back) is type(model)
    assert repr(back) == repr(model)
    for before, after in zip(answers(model, X), answers(back, X), strict=True):
        np.testing.assert_array_equal(before, after)
    assert path.read_bytes() == back.save(path).read_bytes()


def test_a_loaded_model_can_be_fitted_again_and_cloned(saved):
    _, X, path = saved
    back = load(path)
    y = PROBLEM.y[: len(X)]
    clone(back).fit(X, y)
    back.fit(X, y)
    assert np.isfinite(back.predict(X)).all()


@pytest.mark.trap("T16")
@pytest.mark.parametrize("name", ["MDN table", "GMM table"])
def test_a_model_comes_back_in_a_fresh_process(name, tmp_path):
    model = FITS[name]()
    path = model.save(tmp_path / "m.condensity")
    TABLE.to_parquet(tmp_path / "table.parquet")
    code = (
        "import sys, numpy, pyarrow.parquet, condensity\n"
        "model = condensity.load(sys.argv[1])\n"
        "numpy.save(sys.argv[3], model.predict(pyarrow.parquet.read_table(sys.argv[2])))"
    )
    subprocess.run(
        [sys.executable, "-c", code, path, tmp_path / "table.parquet", tmp_path / "mean.npy"], check=True, timeout=120
    )
    np.testing.assert_array_equal(np.load(tmp_path / "mean.npy"), model.predict(TABLE))


def test_partial_fit_goes_on_after_loading(tmp_path):
    model = FITS["MDN part"]()
    back = load(model.save(tmp_path / "m"))
    before = back.score(PROBLEM.X, PROBLEM.y)
    for _ in range(5):
        back.partial_fit(PROBLEM.X, PROBLEM.y)
    assert back.score(PROBLEM.X, PROBLEM.y) > before


@pytest.mark.trap(36)
def test_an_unfitted_model_is_not_saved(tmp_path):
    for model in (MDNRegressor(), JointGMMRegressor()):
        with pytest.raises(NotFittedError):
            model.save(tmp_path / "m")


def test_hyper_parameters_of_a_session_are_left_behind(tmp_path):
    model = MDNRegressor(
        3, max_iter=5, callback=lambda progress: False, random_state=np.random.default_rng(0),
        hidden_layer_sizes=np.array([8, 8]), categorical_features=[0], checkpoint=tmp_path / "c",
    ).fit(PROBLEM.X.round(), PROBLEM.y)  # fmt: skip
    back = load(model.save(tmp_path / "m"))
    assert back.callback is None
    assert back.checkpoint is None
    assert back.random_state is None
    np.testing.assert_array_equal(back.predict(PROBLEM.X.round()), model.predict(PROBLEM.X.round()))


# ------------------------------------------------------------------------------------------------ other releases
def golden_files():
    return sorted(GOLDEN.glob("*.condensity"))


@pytest.mark.trap("T16")
@pytest.mark.parametrize("path", golden_files(), ids=lambda path: path.stem)
def test_models_of_every_release_are_read(path):
    """Made by tests/golden/make.py when a format was new; what they predicted then stands in the JSON beside them.

    The tolerance is for other instruction sets: the numbers were made with one.
    """
    expected = json.loads(path.with_suffix(".json").read_text())
    model = load(path)
    X = pd.DataFrame(expected["X"]).astype({"kind": "category"}) if "X" in expected else None
    np.testing.assert_allclose(
        model.predict_quantiles(X, [0.1, 0.5, 0.9]), expected["quantiles"], rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(model.support(X), expected["support"], rtol=1e-6)
    assert model.outcome_ == expected["outcome"]


def test_there_is_a_golden_file_of_every_format():
    versions = {container.read(path)[0]["format_version"] for path in golden_files()}
    assert versions == set(range(1, container.FORMAT_VERSION + 1))


# ------------------------------------------------------------------------------------------------------- hostile
def sealed(path, change):
    """The same file with something changed, and the checksum right again."""
    manifest, tensors = container.read(path)
    change(manifest, tensors)
    path.write_bytes(container.serialize({k: v for k, v in manifest.items() if k != "format_version"}, tensors))
    return path


def state_of(manifest):
    """The fields of the estimator."""
    return manifest["state"]["fields"]


def nodes_of(tree, name):
    """All nodes of a class in a manifest."""
    if isinstance(tree, dict):
        found = [tree["fields"]] if tree.get("$class") == name else []
        return found + [node for value in tree.values() for node in nodes_of(value, name)]
    return [node for value in tree for node in nodes_of(value, name)] if isinstance(tree, list) else []


CHANGES = {
    "class": lambda m, t: m.update({"class": "Evil"}),
    "no class": lambda m, t: m.pop("class"),
    "no state": lambda m, t: m.update({"state": {}}),
    "state of another kind": lambda m, t: m.update({"state": [1]}),
    "no parameters": lambda m, t: state_of(m).update({"params": 3}),
    "unknown parameter": lambda m, t: state_of(m)["params"].update({"shell": "rm"}),
    "wrong parameter": lambda m, t: state_of(m)["params"].update({"n_components": -3}),
    "missing part": lambda m, t: state_of(m).pop("encoder"),
    "part of another kind": lambda m, t: state_of(m).update({"encoder": "text"}),
    "parts exchanged": lambda m, t: state_of(m).update({"encoder": state_of(m)["target"]}),
    "method overwritten": lambda m, t: state_of(m).update({"predict_dist": "text"}),
    "short tensor": lambda m, t: t.update({name: array.ravel()[:1] for name, array in t.items() if array.ndim > 1}),
    "empty tensors": lambda m, t: t.update({name: array[:0] for name, array in t.items() if array.ndim}),
    "integers": lambda m, t: t.update({name: np.zeros(array.shape, dtype=np.int64) for name, array in t.items()}),
    "not finite": lambda m, t: t.update({name: np.full(array.shape, np.nan) for name, array in t.items()}),
    "negative scales": lambda m, t: t.update(
        {name: -np.abs(array) - 1.0 for name, array in t.items() if array.dtype == float}
    ),
    "wrong width": lambda m, t: state_of(m)["encoder"]["fields"]["schema"]["fields"].update({"n_features": 7}),
    "wrong outputs": lambda m, t: state_of(m)["target"]["fields"].update({"shape": {"$tuple": [5]}}),
}


@pytest.mark.trap(49)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["MDN", "MDN table", "GMM"])
def test_files_with_a_right_checksum_and_wrong_content_are_refused(name, change, tmp_path):
    path = sealed(FITS[name]().save(tmp_path / "m"), CHANGES[change])
    with pytest.raises(ModelFileError, match=r"no model|does not know|damaged"):
        load(path)


@pytest.mark.trap(49)
def test_a_network_that_claims_to_be_huge_is_refused_before_it_is_made(tmp_path):
    path = FITS["MDN"]().save(tmp_path / "m")

    def claim(manifest, _):
        for network in nodes_of(manifest, "Network"):
            network["hidden"] = {"$tuple": [2**40, 2**40]}

    with pytest.raises(ModelFileError, match="as many numbers as its layers need"):
        load(sealed(path, claim))
