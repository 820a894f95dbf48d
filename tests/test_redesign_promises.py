"""Calls that once failed for want of a common distribution, table or state, and must not again."""

import subprocess
import sys
import types
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone

import condensity
from condensity import load, plots
from condensity.persistence import container
from registry import QUICK, TABLES, TARGET

mpl.use("Agg")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
PANDAS = TABLES["pandas"]
FAR = pd.DataFrame({"x": [1e3], "kind": pd.Categorical(["cat"], categories=["cat", "dog", "eel"]), "sparse": [1e3]})


@pytest.fixture(scope="module", params=QUICK)
def logged(request):
    """Every estimator, fitted to the logarithm of y on a table with categories and missing values."""
    return clone(QUICK[request.param]).set_params(n_components=2, y_transform="log").fit(PANDAS, TARGET)


@pytest.fixture(scope="module", params=QUICK)
def plain(request):
    """The same on the scale of y."""
    return clone(QUICK[request.param]).set_params(n_components=2).fit(PANDAS, TARGET)


# ------------------------------------------------------------------------------------------- one type of distribution
def test_charts_take_models_of_another_scale(logged):
    axes = plots.small_multiples(3)[1]
    plots.means_panel(logged, PANDAS, TARGET, ax=axes[0])
    plots.scales_panel(logged, PANDAS, TARGET, ax=axes[1])
    plots.slices_panel({"log": logged}, PANDAS[:1], (0.01, 0.99), ax=axes[2])
    assert all(ax.has_data() for ax in axes[:3])


def test_a_page_takes_tables_and_scales_side_by_side(logged, tmp_path):
    plain = clone(QUICK["GMM"]).set_params(n_components=2).fit(PANDAS, TARGET)
    path = condensity.report.write_report({"log": logged, "plain": plain}, PANDAS, TARGET, tmp_path / "page.html")
    assert "<html" in path.read_text(encoding="utf-8")


def test_predictions_on_another_scale_can_be_mixed(logged):
    one, other = logged.predict_dist(PANDAS[:5]), logged.predict_dist(PANDAS[5:10])
    both = type(one).mix([one, other], weights=[0.25, 0.75])
    expected = np.log(0.25 * one.pdf(0.4) + 0.75 * other.pdf(0.4))
    np.testing.assert_allclose(both.logpdf(0.4), expected, rtol=1e-12)


@pytest.mark.parametrize("verb", ["mean", "std", "var", "entropy"])
def test_an_error_talks_of_the_verb_that_was_called(logged, verb):
    gated = logged.predict_dist(FAR, outside="deficient")
    with pytest.raises(ValueError, match=rf"\b{verb}\b"):
        getattr(gated, verb)()


# --------------------------------------------------------------------------------------------- one notion of a table
def test_charts_take_arrow_tables():
    assert plots.data_panel(
        pa.table({"x": TABLES["NumPy"][:, 0]}), TARGET, ax=plots.small_multiples(1)[1][0]
    ).has_data()


def test_the_command_that_reports_takes_what_the_command_that_fits_takes(tmp_path):
    table = tmp_path / "table.csv"
    PANDAS.assign(y=TARGET).to_csv(table, index=False)
    for command in (["fit", "-o", tmp_path / "m.condensity"], ["report", "--output", tmp_path / "page.html"]):
        code = "import sys; from condensity.cli import main; main()"
        arguments = [command[0], table, "--target", "y", *command[1:]]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------------------------------- warnings
@pytest.mark.parametrize("name", QUICK)
def test_warnings_of_fit_point_at_the_caller(name):
    X = np.column_stack([TABLES["NumPy"], np.ones(len(TARGET))])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clone(QUICK[name]).fit(X, TARGET)
    assert caught
    assert {warning.filename for warning in caught} == {__file__}


# ------------------------------------------------------------------------------------------------- explicit state
def keys(tree):
    """All keys of a nested manifest."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from keys(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from keys(value)


def test_saving_and_loading_predict_nothing(plain, tmp_path, monkeypatch):
    def predict(*_, **__):
        raise AssertionError("a prediction")

    expected = plain.predict(PANDAS)
    with monkeypatch.context() as patch:
        patch.setattr(type(plain.model_), "predict", predict)
        back = load(plain.save(tmp_path / "m"))
    np.testing.assert_array_equal(back.predict(PANDAS), expected)


def test_a_file_holds_named_parts_and_no_private_names(plain, tmp_path):
    manifest, _ = container.read(plain.save(tmp_path / "m"))
    assert not [key for key in keys(manifest) if key.startswith("_")]
    for part in ("params", "encoder", "target", "model", "support", "report"):
        assert part in set(keys(manifest))


def test_a_fitted_estimator_is_five_public_parts(plain):
    for part in ("encoder_", "target_", "model_", "support_", "report_"):
        assert hasattr(plain, part)


# -------------------------------------------------------------------------------------------------------- the package
def test_report_is_a_plain_module():
    assert type(condensity.report) is types.ModuleType
    assert callable(condensity.report.write_report)
