"""The page: self-contained, escaped, written whole; and the numbers on it."""

import base64
import os
import re
import stat
import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.pipeline import make_pipeline

import condensity
from condensity import JointGMMRegressor, MDNRegressor
from condensity.persistence import check_writable, write_atomically
from condensity.report import write_report
from condensity.report.axis import most_correlated
from condensity.report.builder import COLUMNS, build_page
from condensity.report.charts import CHARTS
from condensity.report.study import (
    DataSet,
    Fit,
    Study,
    all_notes,
    collected_warnings,
    fit_model,
    measure,
    split_rows,
)

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{ 7*7 }}"


class Page(HTMLParser):
    """All addresses, texts, pictures and scripts of a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.pictures, self.tags, self.texts, self.handlers = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in {"src", "href", "srcset", "action", "poster", "data"}:
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
        if tag == "img":
            self.pictures.append(dict(attributes))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(self.texts)


def problem(n=60, d=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X[:, -1] + 0.5 * rng.normal(size=n)


def fitted(X, y, n_components=2):
    return JointGMMRegressor(n_components=n_components, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def page_and_study():
    """A page about a data set whose every name is hostile and whose truth is known."""
    X, y = problem()
    X = pd.DataFrame(X, columns=[f"a{HOSTILE}", f"b{HOSTILE}"])
    data = DataSet(
        HOSTILE, X, y, X, y, f"Split of {HOSTILE}.", (f"y{HOSTILE}",), 1,
        log_density=lambda X, y: -2.0 * (y - X.iloc[:, 1].to_numpy()) ** 2 - 0.2, conditional_entropy=0.7,
        notes=(f"note {HOSTILE}",),
    )  # fmt: skip
    study = Study(data)
    study.add(Fit(f"m{HOSTILE}", fitted(X, y), 1.25, (f"warned {HOSTILE}",)))
    study.add(Fit("plain", fitted(X, y, 3)))
    return build_page([study], title=f"t{HOSTILE}", lead=HOSTILE, random_state=11), study


def test_the_page_refers_to_nothing_outside(page_and_study):
    text, _ = page_and_study
    page = Page(text)
    assert page.addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert not re.search(r"url\(\s*['\"]?(?!data:)", text)
    assert "@import" not in text
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert "default-src 'none'" in text


def test_names_from_the_user_are_escaped(page_and_study):
    text, study = page_and_study
    page = Page(text)
    assert page.tags.count("script") == 1
    assert not page.handlers
    assert "<img src=x" not in text
    assert HOSTILE in page.text
    # The enlarged one, five slices, five reverse slices; five charts and two views beyond the edges for each model.
    assert len(page.pictures) == 1 + 5 + 5 + 7 * len(study.fits)
    assert "Inverse slices." in page.text


def test_models_without_support_are_asked_nothing_of_inputs():
    X, y = problem(d=1)
    study = Study(DataSet("plain", X, y, X, y, "All."))
    study.add(Fit("no support", JointGMMRegressor(2, support_model=None, random_state=0).fit(X, y)))
    page = Page(build_page([study], title="t", lead="l", random_state=0))
    assert len(page.pictures) == 1 + 5 + 5
    assert "Inverse slices." not in page.text


def test_the_truth_of_odd_sets_is_a_joint_density():
    from condensity.cli.demo import odd_data_sets
    from condensity.datasets.synthetic import ODD_SETS

    for data in odd_data_sets(100, 0):
        log_joint = data.log_joint_density(data.X, data.y)
        exact = ODD_SETS[data.name](100, random_state=0).log_input_density(data.X) + data.log_density(data.X, data.y)
        np.testing.assert_allclose(log_joint, exact)
        assert np.isneginf(data.log_joint_density(np.array([[100.0]]), np.zeros(1))[0]) or data.name in (
            "ring",
            "inverse wave",
        )


def test_the_script_is_the_one_that_the_page_allows(page_and_study):
    import hashlib

    text, _ = page_and_study
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL).group(1)
    allowed = re.search(r"script-src 'sha256-([^']+)'", text).group(1)
    assert allowed == base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@pytest.mark.trap(129)
def test_every_number_of_the_table_has_its_head_for_narrow_screens(page_and_study):
    text, _ = page_and_study
    heads = re.findall(r'<td data-head="([^"]+)"', text)
    assert heads == [*COLUMNS[2:]] * 2
    assert "@media (max-width: 700px)" in text


def test_every_picture_is_a_png_with_a_text(page_and_study):
    pictures = [picture for picture in Page(page_and_study[0]).pictures if picture.get("src")]
    for picture in pictures:
        assert base64.b64decode(picture["src"].split(",", 1)[1])[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(picture["alt"]) > 20


def test_the_page_says_what_the_numbers_are(page_and_study):
    text, study = page_and_study
    words = " ".join(Page(text).text.split())
    for phrase in (
        "in nats and in the data's own units",
        "held at typical values",
        "Split of",
        "random_state = 11",
    ):
        assert phrase in words
    assert f"condensity {condensity.__version__}" in words
    measures = study.measures[0]
    assert f"{measures.nll:.3f} ± {measures.nll_error:.3f}" in words
    assert f"{measures.nll - 0.7:.3f}" in words
    assert "1.25" in words


def test_measures_are_those_of_the_model():
    X, y = problem()
    model = fitted(X, y)
    measures = measure(model, DataSet("d", X, y, X[:20], y[:20], "", along=1, conditional_entropy=0.1))
    scores = model.score_samples(X[:20], y[:20])
    assert measures.nll == pytest.approx(-scores.mean())
    assert measures.nll_error == pytest.approx(scores.std(ddof=1) / np.sqrt(20))
    assert measures.excess == pytest.approx(measures.nll - 0.1)
    assert measures.components == model.predict_dist(X).n_components
    assert measures.largest_scale >= model.predict_dist(X).scales.max()
    assert measures.converged is model.converged_


def test_the_largest_scale_finds_a_spike_between_the_rows():
    class Spiked:
        def predict_dist(self, X):
            x = np.asarray(X)[:, :1]
            scales = np.hstack([np.ones_like(x), 1.0 + 1e5 * np.exp(-1e5 * (x - 0.5) ** 2)])
            return condensity.Mixture(weights=np.tile([1.0, 0.0], (len(x), 1)), means=0 * scales, scales=scales)

        def score_samples(self, X, y):
            return self.predict_dist(X).logpdf(y)

    X = np.array([[0.0], [1.0]])
    measures = measure(Spiked(), DataSet("d", X, np.zeros(2), X, np.zeros(2), ""))
    assert measures.largest_scale == pytest.approx(1e5, rel=0.05)
    assert measures.converged is None


def test_warnings_become_notes_that_come_once():
    class Warner:
        def fit(self, X, y):
            for _ in range(3):
                warnings.warn("spread\nover lines", RuntimeWarning, stacklevel=2)
            warnings.warn("once", UserWarning, stacklevel=2)

    fit = fit_model("w", Warner(), None, None)
    assert fit.notes == ("RuntimeWarning: spread over lines (3 times)", "UserWarning: once")
    with collected_warnings() as notes:
        pass
    assert notes == []


def test_a_failing_fit_names_the_model():
    class Failing:
        def fit(self, X, y):
            raise ValueError("n_components is 40, n is 3.")

    with pytest.raises(ValueError, match=r"joint GMM: n_components is 40"):
        fit_model("joint GMM", Failing(), None, None)


def test_notes_name_set_and_model():
    X, y = problem()
    study = Study(DataSet("set", X, y, X, y, "", notes=("odd",)))
    study.add(Fit("model", fitted(X, y), None, ("slow",)))
    assert all_notes([study])[:2] == ["set: odd", "set, model: slow"]


def test_most_correlated_is_by_ranks_and_passes_over_constants():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    X = np.column_stack([np.ones(200), y + rng.normal(size=200), -np.exp(9 * y), rng.normal(size=200)])
    assert most_correlated(X, y) == 2
    assert most_correlated(X, np.zeros(200)) == 0


def test_split_keeps_every_row_once():
    train, test = split_rows(101, 3)
    assert (len(train), len(test)) == (81, 20)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(101))
    np.testing.assert_array_equal(test, split_rows(101, 3)[1])


@pytest.mark.parametrize("as_frame", [False, True])
def test_report_of_fitted_models(tmp_path, as_frame):
    X, y = problem()
    if as_frame:
        X, y = pd.DataFrame(X, columns=["größe", "wärme"]), pd.Series(y, name="ertrag")
    models = {"two": fitted(X, y), "three": fitted(X, y, 3)}
    path = write_report(models, X, y, tmp_path / "page.html")
    assert path == (tmp_path / "page.html").resolve()
    words = Page(path.read_text(encoding="utf-8")).text
    assert "fitted elsewhere" in words
    assert "NLL − H*" not in words
    assert ("wärme" in words and "ertrag" in words) if as_frame else "x1" in words


def test_the_function_and_the_module_have_different_names():
    assert type(condensity.report) is type(condensity)
    assert condensity.write_report is write_report


@pytest.mark.parametrize(
    ("models", "names", "message"),
    [
        ({}, None, "empty"),
        ([], None, "empty"),
        ([1, 2], ["a"], "one different name"),
        ([1, 2], None, "one different name"),
        ({"a": 1}, ["a"], "dict names"),
    ],
)
def test_report_refuses_models_without_names(models, names, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_report(models, *problem(), tmp_path / "p.html", names=names)


def test_report_refuses_lengths_that_differ(tmp_path):
    X, y = problem()
    with pytest.raises(ValueError, match="same number of rows; got 60 and 59"):
        write_report(fitted(X, y), X, y[:-1], tmp_path / "p.html")


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr(os, "fdopen", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    write_atomically(path, "größe".encode())
    assert path.read_text(encoding="utf-8") == "größe"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_page_has_ordinary_permissions(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    written = write_atomically(tmp_path / "page.html", b"x")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_paths_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="does not exist"):
        check_writable(tmp_path / "missing" / "p.html")
    with pytest.raises(OSError, match="not a regular file"):
        check_writable(tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        check_writable("/dev/null")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_directories_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="cannot write into the directory"):
        check_writable(tmp_path / "p.html")


# ---------------------------------------------------------------- every kind of table, target and model


def homes(n=60):
    """Numbers with missing values and a category, as in the README, and a positive price."""
    rng = np.random.default_rng(0)
    size = rng.uniform(40, 160, n)
    table = pd.DataFrame({"size": size, "rooms": size / 30 + rng.normal(size=n)}).mask(rng.random((n, 2)) < 0.2)
    table["town"] = pd.Categorical(rng.choice(["Aa", "Bé", "Cy"], n))
    return table, pd.Series(np.exp(0.01 * size + 0.2 * rng.normal(size=n)), name="price")


def network(**options):
    return MDNRegressor(n_components=2, hidden_layer_sizes=(4,), max_iter=3, random_state=0, **options)


def fit_quietly(model, X, y):
    with collected_warnings():  # it stops long before it has converged
        return model.fit(X, y)


@pytest.fixture(scope="module")
def homes_page(tmp_path_factory):
    X, y = homes()
    models = {
        "log network": fit_quietly(network(y_transform="log"), X, y),
        "joint": fit_quietly(JointGMMRegressor(2, random_state=0), X, y),
        "pipeline": fit_quietly(make_pipeline("passthrough", network()), X, y),
    }
    y = y.where(np.arange(len(y)) % 10 > 0)
    path = write_report(models, X, y, tmp_path_factory.mktemp("page") / "homes.html", sample_weight=np.ones(len(y)))
    return Page(path.read_text(encoding="utf-8")), models, X, y


def test_a_page_of_a_table_with_categories_missing_values_and_a_transform(homes_page):
    page, models, X, y = homes_page
    words = " ".join(page.text.split())
    known = y.notna().to_numpy()
    for model in models.values():
        nll = -condensity.predict_dist(model, X[known]).logpdf(y[known].to_numpy()).mean()
        assert f"{nll:.3f} ±" in words
    assert "6 of 60 rows have no value of y, and are left out." in words
    assert "The charts show price along size" in words
    assert "Inverse slices leave out log network: predict_inputs needs X to be numbers alone" in words
    # The enlarged one, five slices, five inverse slices; five charts of each, and two beyond the edges with a support model.
    assert len(page.pictures) == 1 + 5 + 5 + 3 * 5 + 2 * 2


def test_a_page_along_a_category(tmp_path):
    X, y = homes()
    model = fit_quietly(network(y_transform="log"), X, y)
    page = Page(write_report(model, pa.table(X), y, tmp_path / "p.html", along="town").read_text(encoding="utf-8"))
    assert "The charts show price along town" in page.text
    assert "town = Bé" in page.text
    assert len(page.pictures) == 1 + 3 + 5
    assert "Beyond the edges" not in page.text


@pytest.mark.parametrize("as_frame", [True, False])
def test_several_targets_have_a_section_each(tmp_path, as_frame):
    X, y = problem()
    targets = np.column_stack([y, y**2])
    targets = pl.DataFrame(targets, schema=["a", "b"]) if as_frame else targets
    model = JointGMMRegressor(2, random_state=0).fit(X, targets)
    page = Page(write_report(model, X, targets, tmp_path / "p.html").read_text(encoding="utf-8"))
    words = " ".join(page.text.split())
    names = ("a", "b") if as_frame else ("y0", "y1")
    dist = model.predict_dist(X)
    losses = [-dist.logpdf(np.column_stack([y, y**2])), -dist.marginal(0).logpdf(y), -dist.marginal(1).logpdf(y**2)]
    assert all(f"{loss.mean():.3f} ±" in words for loss in losses)
    assert all(f"data: {name}" in words for name in names)
    assert len(page.pictures) == 1 + 2 * (5 + 5 + 2)
    assert words.count(model.outcome_) == 1
    with pytest.raises(ValueError, match="m has 2 targets, and y has 1 columns"):
        write_report({"m": model}, X, y, tmp_path / "p.html")


def test_weights_are_those_of_the_mean():
    X, y = problem()
    model, weight = fitted(X, y), np.arange(20.0)
    measures = measure(model, DataSet("d", X, y, X[:20], y[:20], "", weight_test=weight))
    assert measures.nll == pytest.approx(-model.score(X[:20], y[:20], weight))
    even = measure(model, DataSet("d", X, y, X[:20], y[:20], "", weight_test=np.full(20, 2.0)))
    plain = measure(model, DataSet("d", X, y, X[:20], y[:20], ""))
    assert (even.nll, even.nll_error) == pytest.approx((plain.nll, plain.nll_error * np.sqrt(19 / 20)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_weight": np.zeros(60)}, "positive in at least one row"),
        ({"along": "z"}, "along must be one of"),
        ({"y": np.full(60, np.nan)}, "y has no value in any of 60 rows"),
        ({"y": np.full(60, np.inf)}, "Input y contains inf"),
        ({"X": np.zeros(60)}, r"X must have shape \(n, d\)"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path, arguments, message):
    X, y = problem()
    with pytest.raises(ValueError, match=message):
        write_report(fitted(X, y), **{"X": X, "y": y, "path": tmp_path / "p.html", **arguments})


def test_charts_have_different_keys_and_a_help_each():
    assert len({chart.key for chart in CHARTS}) == len(CHARTS)
    assert all(chart.help.endswith(".") and chart.title for chart in CHARTS)


def test_the_axis_is_a_column_of_numbers_where_there_is_one():
    X, y = homes()
    assert most_correlated(X, y.to_numpy()) == 0
    assert most_correlated(X[["town", "rooms"]], y.to_numpy()) == 1
    assert most_correlated(X[["town"]], y.to_numpy()) == 0
