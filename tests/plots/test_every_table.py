"""Every chart and the page for categories, several outputs, missing values and dates together: drawn, or why not."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from condensity import JointGMMRegressor, MDNRegressor, write_report
from condensity.plots import (
    data_panel,
    edges_panel,
    inverse_panel,
    means_panel,
    samples_panel,
    scales_panel,
    slice_rows,
    slices_panel,
    small_multiples,
    weights_panel,
)
from condensity.plots.slices import slice_range
from condensity.report import charts, pictures
from condensity.warning import collected_warnings

N = 60
RNG = np.random.default_rng(0)
SIZE, TOWN, NEW = RNG.normal(80.0, 20.0, N), RNG.choice(["Aa", "Bé", "Cy"], N), RNG.random(N) < 0.5
PRICE = np.exp(0.01 * SIZE + 0.3 * (TOWN == "Aa") + 0.1 * RNG.normal(size=N))
RENT = 1.0 / PRICE + 0.1 * RNG.random(N)


def some(values, every):
    """Values as a list, each of some missing."""
    return [None if i % every == 0 else value for i, value in enumerate(values.tolist())]


TABLES = {
    "category": pd.DataFrame({"size": SIZE, "town": pd.Categorical(TOWN)}),
    "text, missing values": pl.DataFrame({"size": some(SIZE, 7), "town": some(TOWN, 9)}),
    "text alone": pd.DataFrame({"town": TOWN}),
    "truth values with missing ones": pd.DataFrame({"size": SIZE, "new": pd.array(some(NEW, 5), dtype="boolean")}),
    "whole numbers with missing ones": pd.DataFrame({"rooms": pd.array(some(RNG.integers(1, 6, N), 5), dtype="Int64")}),
    "categories of numbers": pd.DataFrame({"size": SIZE, "code": pd.Categorical(RNG.integers(0, 4, N))}),
    "constant columns": pd.DataFrame({"size": SIZE, "one": 1.0, "same": "same"}),
}
TARGETS = {
    "one": (PRICE, {}),
    "several": (np.column_stack([PRICE, RENT]), {"output": 1}),
    "one, missing values": (np.where(np.arange(N) % 6 == 0, np.nan, PRICE), {}),
    "several, missing values": (np.column_stack([PRICE, np.where(np.arange(N) % 6 == 0, np.nan, RENT)]), {"output": 1}),
}
MODELS = {
    "joint mixture": JointGMMRegressor(2, max_iter=20, random_state=0),
    "network": MDNRegressor(2, hidden_layer_sizes=(4,), max_iter=3, random_state=0),
}

#: Reasons why a chart is not there.
REASONS = ("needs a column of numbers", "needs X to be numbers alone", "needs X without missing values")


def panels(model, X, y, along, view):
    """Every chart of one model along a column, as a function of axes."""
    given = {"along": along, **view}
    yield lambda ax: data_panel(X, y, ax=ax, **given)
    for panel in (samples_panel, means_panel, scales_panel, edges_panel):
        yield lambda ax, panel=panel: panel(model, X, y, ax=ax, **given)
    yield lambda ax: weights_panel(model, X, ax=ax, **given)
    for _, row in slice_rows(X, along, 2):
        limits = slice_range([model], row, (0.0, 5.0), **view)
        yield lambda ax, row=row, limits=limits: slices_panel({"m": model}, row, limits, ax=ax, **view)
    yield lambda ax: inverse_panel({"m": model}, X, [1.5, 0.7] if view else 1.5, ax=ax, along=along)


def refusal(draw):
    """What a chart says instead of being drawn; nothing where it is."""
    (ax,) = small_multiples(1)[1]
    try:
        assert draw(ax) is ax
    except ValueError as error:
        return str(error)
    return ""


#: The table and targets that have most at once; the others are among the slow tests.
MOST = ("text, missing values", "several, missing values")
CASES = [
    pytest.param(kind, table, y, marks=() if (table, y) == MOST else pytest.mark.slow)
    for kind in MODELS
    for table in TABLES
    for y in TARGETS
]


@pytest.mark.trap(125)
@pytest.mark.parametrize(("kind", "table", "targets"), CASES)
def test_every_chart_and_the_page_take_every_table(kind, table, targets, tmp_path, monkeypatch):
    monkeypatch.setattr(charts, "to_picture", lambda _, *texts: pictures.Picture("data:,", *texts, 1, 1))
    X, (y, view) = TABLES[table], TARGETS[targets]
    known = np.isfinite(y.reshape(N, -1)).all(axis=1) if kind == "network" else np.ones(N, dtype=bool)
    with collected_warnings():
        rows = X.filter(known) if isinstance(X, pl.DataFrame) else X[known]
        model = MODELS[kind].fit(rows, y[known])
        for along in range(X.shape[1]):
            said = [text for draw in panels(model, X, y, along, view) if (text := refusal(draw))]
            assert len(said) <= 2
            assert all(any(reason in text for reason in REASONS) for text in said), said
        page = write_report({"m": model}, X, y, tmp_path / "p.html").read_text(encoding="utf-8")
    assert ">nan" not in page


@pytest.mark.trap(125)
@pytest.mark.parametrize("q", [1, 2])
def test_a_joint_mixture_takes_targets_with_missing_values(q):
    """Their resolution is part of the fallback's marginal, and was NaN."""
    x = np.random.default_rng(1).normal(size=(200, 1))
    y = x + 0.1 * np.random.default_rng(2).normal(size=(200, q))
    gaps = np.where(np.arange(200)[:, None] % 6 == 0, np.nan, y)
    known = JointGMMRegressor(1, random_state=0).fit(x[np.isfinite(gaps).all(axis=1)], y[np.isfinite(gaps).all(axis=1)])
    assert JointGMMRegressor(1, random_state=0).fit(x, gaps).score(x, y) == pytest.approx(known.score(x, y), abs=0.01)


@pytest.mark.trap(125)
def test_dates_are_refused_by_name_in_every_chart(tmp_path):
    X = pd.DataFrame({"size": SIZE, "day": pd.date_range("2020-01-01", periods=N)})
    model = JointGMMRegressor(1).fit(X.assign(day=np.arange(N) % 7), PRICE)
    asked = [
        lambda ax: data_panel(X, PRICE, ax=ax, along="day"),
        lambda ax: samples_panel(model, X, PRICE, ax=ax),
        lambda ax: means_panel(model, X, PRICE, ax=ax),
        lambda ax: slice_rows(X),
        lambda ax: inverse_panel({"m": model}, X, 1.5, ax=ax),
        lambda ax: write_report({"m": model}, X, PRICE, tmp_path / "p.html"),
    ]
    for draw in asked:
        with pytest.raises(ValueError, match="olumn 'day' of X holds dates or durations"):
            draw(small_multiples(1)[1][0])
