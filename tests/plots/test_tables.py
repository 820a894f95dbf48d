"""Every chart for every estimator, every kind of table and every transform; or a sentence that says why not."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from condensity import JointGMMRegressor, MDNRegressor
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
from condensity.plots.along import look_along
from condensity.plots.slices import slice_range

N = 80


def columns(seed=0):
    """Numbers with missing values, whole numbers, and a category with missing values; y depends on all, and is in (0, 1)."""
    rng = np.random.default_rng(seed)
    size, rooms, town = rng.normal(80.0, 20.0, N), rng.integers(1, 6, N), rng.integers(0, 3, N)
    y = 1.0 / (1.0 + np.exp(-0.02 * (size - 80.0) - 0.3 * (rooms - 3) - 0.5 * town + 0.2 * rng.normal(size=N)))
    sizes = [None if i % 11 == 0 else float(value) for i, value in enumerate(size)]
    towns = [None if i % 13 == 0 else ("Aa", "Bé", "Cy $x$")[k] for i, k in enumerate(town)]
    return {"size": sizes, "rooms": rooms.tolist(), "town": towns}, y


X, Y = columns()
COMPLETE = {"size": [80.0 if value is None else value for value in X["size"]], "rooms": [float(r) for r in X["rooms"]]}
TABLES = {
    "pandas": pd.DataFrame(X).astype({"town": "category"}),
    "polars": pl.DataFrame(X),
    "arrow": pa.table(X),
    "objects": np.array(list(zip(*X.values(), strict=True)), dtype=object),
    "numbers": np.column_stack(list(COMPLETE.values())),
}
TRANSFORMS = {
    "none": None,
    "log": "log",
    "logit": "logit",
    "functions": (np.sqrt, np.square),
}


def estimator(kind, table="pandas", **options):
    categories = [2] if table == "objects" else "from_dtype"
    options = {"random_state": 0, "categorical_features": categories, **options}
    if kind == "joint":
        return JointGMMRegressor(2, max_iter=5, **options)
    return MDNRegressor(n_components=2, hidden_layer_sizes=(4,), max_iter=3, **options)


def fit(kind, table="pandas", y=Y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops long before it has converged
        return estimator(kind, table, **options).fit(TABLES[table], y)


def draw_all(model, X, y, along, **view):
    """All charts of one model, drawn; edges where the column is of numbers."""
    figure, axes = small_multiples(7)
    data_panel(X, y, ax=axes[0], along=along, categorical_features=model.categorical_features, **view)
    for draw, ax in zip((samples_panel, means_panel, scales_panel), axes[1:], strict=False):
        draw(model, X, y, ax=ax, along=along, **view)
    weights_panel(model, X, ax=axes[4], along=along, **view)
    line = look_along(X, along, categorical_features=model.categorical_features)
    if not line.levels:
        edges_panel(model, X, y, ax=axes[5], along=along, outside="deficient", **view)
    for _, row in slice_rows(X, along, 3, categorical_features=model.categorical_features):
        y_range = slice_range([model], row, (0.0, 1.0), **view)
        slices_panel({"m": model}, row, y_range, ax=axes[6], **view)
    figure.canvas.draw()
    return axes


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("kind", ["joint", "network"])
def test_every_chart_takes_what_the_model_takes(kind, table):
    model = fit(kind, table)
    for along in range(np.shape(TABLES[table])[1]):
        axes = draw_all(model, TABLES[table], Y, along)
        assert all(ax.lines for ax in axes[6:])


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("kind", ["joint", "network"])
def test_every_chart_takes_every_transform(kind, transform):
    model = fit(kind, y_transform=TRANSFORMS[transform])
    axes = draw_all(model, TABLES["pandas"], Y, "size")
    curve = axes[6].lines[-1].get_xydata()
    dist = model.predict_dist(slice_rows(TABLES["pandas"], "size", 3)[-1][1])
    np.testing.assert_allclose(curve[:, 1], dist.pdf(curve[None, :, 0])[0])


def test_component_charts_of_a_transformed_target_are_in_data_units():
    model = fit("joint", y_transform="log")
    axes = draw_all(model, TABLES["pandas"], Y, "size")
    centers = np.array([segment[:, 1] for segment in axes[2].collections[-1].get_segments()])
    line = look_along(TABLES["pandas"], "size")
    base = model.predict_dist(line.rows).base
    assert centers.min() == pytest.approx(np.exp(base.means.min()))
    assert centers.max() == pytest.approx(np.exp(base.means.max()))


@pytest.mark.parametrize("kind", ["joint", "network"])
@pytest.mark.parametrize("names", [True, False])
def test_one_of_several_outputs_is_drawn(kind, names):
    y = np.column_stack([Y, 1.0 - 0.5 * Y + 0.01 * np.arange(N) / N])
    y = pd.DataFrame(y, columns=["first", "second"]) if names else y
    model = fit(kind, "numbers", y)
    output = "second" if names else 1
    axes = draw_all(model, TABLES["numbers"], y, 0, output=output)
    assert axes[0].get_ylabel() == ("second" if names else "y1")
    means = model.predict_dist(look_along(TABLES["numbers"], 0).rows).means[:, :, 1]
    heights = np.array([segment[:, 1] for segment in axes[2].collections[-1].get_segments()])
    assert (heights.min(), heights.max()) == pytest.approx((means.min(), means.max()))
    for draw in (samples_panel, means_panel, scales_panel):
        with pytest.raises(ValueError, match=r"2 outputs.*output="):
            draw(model, TABLES["numbers"], y, ax=axes[0])
    with pytest.raises(ValueError, match="output must be one of"):
        weights_panel(model, TABLES["numbers"], ax=axes[0], output="third")


@pytest.mark.parametrize("table", ["pandas", "polars", "arrow", "objects"])
def test_levels_are_positions_on_the_axis_with_their_names(table):
    model = fit("joint", table)
    _, axes = small_multiples(2)
    samples_panel(model, TABLES[table], Y, ax=axes[0], along=2)
    means_panel(model, TABLES[table], ax=axes[1], along=2)
    for ax in axes:
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["Aa", "Bé", "Cy $x$", "(missing)"]
        assert ax.get_xlim() == (-0.5, 3.5)
    x = axes[0].collections[0].get_offsets()[:, 0]
    towns = [("Aa", "Bé", "Cy $x$", None).index(town) for town in X["town"]]
    assert np.abs(x - towns).max() <= 0.4
    pieces = axes[1].collections[-1].get_segments()
    assert all(np.round(piece[0, 0]) == np.round(piece[1, 0]) for piece in pieces)  # no line joins two levels
    assert len(pieces) == 4 * model.predict_dist(TABLES[table]).n_components


def test_rows_without_a_value_on_the_x_axis_are_counted():
    (ax,) = small_multiples(1)[1]
    data_panel(TABLES["polars"], Y, ax=ax, along="size")
    missing = sum(value is None for value in X["size"])
    assert ax.texts[0].get_text() == f"{missing} of {N} rows: no size"


def test_charts_that_do_not_apply_say_why():
    model = fit("network")
    (ax,) = small_multiples(1)[1]
    with pytest.raises(ValueError, match="edges_panel needs a column of numbers, and 'town' is a category"):
        edges_panel(model, TABLES["pandas"], Y, ax=ax, along="town")
    with pytest.raises(ValueError, match="inverse_panel needs a column of numbers, and 'town' is a category"):
        inverse_panel({"m": model}, TABLES["pandas"], 0.5, ax=ax, along="town")
    with pytest.raises(ValueError, match="predict_inputs needs X to be numbers alone"):
        inverse_panel({"m": model}, TABLES["pandas"], 0.5, ax=ax, along="size")
    with pytest.raises(ValueError, match="column 'empty' has no value"):
        data_panel(pd.DataFrame({"empty": [np.nan, np.nan]}), [1.0, 2.0], ax=ax)
    with pytest.raises(ValueError, match=r"X must have shape \(n, d\)"):
        data_panel([1.0, 2.0], [1.0, 2.0], ax=ax)


def test_inverse_slices_of_a_joint_mixture_with_categories():
    model = fit("joint")
    (ax,) = small_multiples(1)[1]
    inverse_panel({"joint": model}, TABLES["pandas"], 0.5, ax=ax, along="size")
    grid, density = ax.lines[0].get_data()
    np.testing.assert_allclose(density, model.predict_inputs([0.5]).marginal("size").pdf(grid[None])[0])


def test_pipelines_are_drawn_along_the_columns_that_they_take():
    table = TABLES["numbers"]
    with pytest.warns(ConvergenceWarning):
        model = make_pipeline("passthrough", estimator("joint")).fit(table, Y)
    _, axes = small_multiples(2)
    samples_panel(model, table, Y, ax=axes[0])
    means_panel(model, table, Y, ax=axes[1])
    assert axes[1].collections
