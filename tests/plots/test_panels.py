"""The charts: what they draw, in what frame, and that matplotlib's global state stays as it was."""

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection

from condensity import JointGMMRegressor, MDNRegressor, Mixture
from condensity.plots import (
    data_panel,
    edges_panel,
    inverse_panel,
    means_panel,
    model_colours,
    samples_panel,
    scales_panel,
    slice_rows,
    slices_panel,
    small_multiples,
    weights_panel,
)
from condensity.plots.along import look_along
from condensity.plots.layers import FAINTEST
from condensity.plots.slices import slice_range
from condensity.plots.style import MAX_LABEL, component_colours, label_axes, padded_range, shorten


class FixedModel:
    """K components whose weights, means and scales are given as functions of the first column of X (n, d)."""

    def __init__(self, log_weight, mean, scale, n_components):
        self.functions = log_weight, mean, scale
        self.k = np.arange(n_components)

    def predict_dist(self, X):
        x = np.asarray(X, dtype=float)[:, :1]
        log_weights, means, scales = (np.broadcast_to(f(x, self.k), (len(x), self.k.size)) for f in self.functions)
        log_weights = log_weights - np.log(np.exp(log_weights).sum(axis=1, keepdims=True))
        return Mixture(log_weights=log_weights, means=means, scales=scales)

    def sample(self, X, n_samples=1, *, random_state=None):
        return self.predict_dist(X).sample(n_samples, random_state=random_state)


def waves(n_components, tilt=1.0):
    return FixedModel(
        lambda x, k: tilt * np.sin(x + k),
        lambda x, k: np.cos(x + k) + 0.1 * k,
        lambda x, k: 0.2 + 0.01 * k + 0 * x,
        n_components,
    )


@pytest.fixture
def ax():
    return small_multiples(1)[1][0]


def table(n=200, d=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 3, (n, d))
    return X, X[:, 0] + rng.normal(size=n)


def draw_all(model, X, y, ax, **view):
    data_panel(X, y, ax=ax, **view)
    samples_panel(model, X, y, ax=ax, **view)
    means_panel(model, X, y, ax=ax, **view)
    weights_panel(model, X, ax=ax, **view)
    scales_panel(model, X, y, ax=ax, **view)


@pytest.mark.parametrize("n_components", [1, 40])
@pytest.mark.parametrize(("d", "along"), [(1, 0), (3, 2)])
def test_every_panel_draws_for_one_and_many_components_and_features(n_components, d, along):
    X, y = table(d=d)
    model = waves(n_components)
    figure, axes = small_multiples(5)
    panels = [
        data_panel(X, y, ax=axes[0], along=along),
        samples_panel(model, X, y, ax=axes[1], along=along),
        means_panel(model, X, y, ax=axes[2], along=along),
        weights_panel(model, X, ax=axes[3], along=along),
        scales_panel(model, X, y, ax=axes[4], along=along),
    ]
    assert panels == axes
    figure.canvas.print_png(io.BytesIO())
    low, high = padded_range(X[:, along], 0.05)
    for panel in panels:
        assert panel.get_xlim() == pytest.approx((low, high))


@pytest.fixture(scope="module")
def joint():
    X, y = table(300, d=2)
    return JointGMMRegressor(1, random_state=0).fit(X, y), X, y


def test_charts_are_grey_where_a_model_has_seen_no_data(joint):
    model, X, y = joint
    _, axes = small_multiples(4)
    for ax, draw in zip(axes, (samples_panel, means_panel, scales_panel, weights_panel), strict=True):
        draw(model, *((X,) if draw is weights_panel else (X, y)), ax=ax)
    edges_panel(model, X, y, ax=axes[0])
    for ax in axes:
        grey = [patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches]
        for box in grey:
            middle = np.array([[0.5 * (box.x0 + box.x1), np.median(X[:, 1])]])
            assert model.support(middle)[0] <= 0.01
    assert len(axes[0].patches) >= 2  # both sides of the widened range
    _, (plain,) = small_multiples(1)
    means_panel(waves(2), X, ax=plain)
    assert not plain.patches


def test_gated_draws_beyond_the_edges_are_left_out(joint):
    model, X, y = joint
    _, (free, gated) = small_multiples(2)
    edges_panel(model, X, y, ax=free)
    edges_panel(model, X, y, ax=gated, outside="deficient")
    inside = model.in_support(
        np.column_stack([gated.collections[-1].get_offsets()[:, 0], np.full(1500, np.median(X[:, 1]))])
    )
    drawn = ~np.ma.getmaskarray(np.ma.masked_invalid(gated.collections[-1].get_offsets()))[:, 1]
    assert drawn[inside].mean() > 0.8
    assert drawn[~inside].mean() < 0.05
    assert "left out" in gated.texts[0].get_text()
    assert not free.texts


def test_inverse_slices_show_the_marginal_of_one_input(joint, ax):
    """A joint mixture's closed form and a network's weighted draws, each with area one, beside the truth of a normal."""
    model, X, y = joint
    network = MDNRegressor(random_state=0).fit(X, y)
    inverse_panel({"joint": model, "network": network}, X, 0.5, ax=ax, along=0)
    lines = {line.get_label(): line.get_data() for line in ax.lines}
    for grid, density in lines.values():
        assert np.trapezoid(density, grid) == pytest.approx(
            1.0, abs=0.08
        )  # kernels and components spill over the frame
    expected = model.predict_inputs([0.5]).marginal(0).pdf(lines["joint"][0][None])[0]
    np.testing.assert_allclose(lines["joint"][1], expected)
    one = MDNRegressor(random_state=0).fit(X[:, :1], y)
    truth = lambda X, y: -0.5 * (X[:, 0] - y) ** 2  # noqa: E731
    inverse_panel({"one": one}, X[:, :1], 0.5, ax=ax, truth=truth)
    assert ax.lines[-1].get_ydata().max() > 0


def component_lines(ax):
    return next(c for c in ax.collections if isinstance(c, LineCollection))


def test_width_and_opacity_follow_the_weight_and_an_unused_component_stays_visible(ax):
    spiked = FixedModel(
        lambda x, k: np.where(k == 0, 0.0, -60.0) + 0 * x,
        lambda x, k: 0.0 * x + k,
        lambda x, k: np.where(k == 0, 0.5, 400.0) + 0 * x,
        2,
    )
    X, y = table()
    lines = component_lines(scales_panel(spiked, X, y, ax=ax))
    heights = np.array([segment[0, 1] for segment in lines.get_segments()])
    width = np.asarray(lines.get_linewidths())
    # The distance from white is the opacity times that of the component's own colour.
    ink = (1 - lines.get_colors()[:, :3]) / (1 - component_colours(np.array([[0.0, 1.0]])))[(heights > 100).astype(int)]
    assert ink[heights > 100] == pytest.approx(FAINTEST, abs=1e-6)
    assert ink[heights < 1] == pytest.approx(1.0)
    assert width[heights > 100].max() < 0.5 * width[heights < 1].min()
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[1] > 400


def test_a_component_has_one_colour_in_all_three_charts():
    X, y = table()
    model = waves(6, tilt=0.0)  # equal weights, so no colour fades
    _, axes = small_multiples(3)
    means_panel(model, X, y, ax=axes[0])
    weights_panel(model, X, ax=axes[1])
    scales_panel(model, X, y, ax=axes[2])
    shades = [{tuple(colour) for colour in component_lines(ax).get_colors()[:, :3].round(9)} for ax in axes]
    assert shades[0] == shades[1] == shades[2]
    assert len(shades[0]) == 6


def test_samples_lie_at_the_x_of_the_data_and_are_reproducible():
    X, y = table(d=3)
    _, axes = small_multiples(2)
    clouds = []
    for ax in axes:
        samples_panel(waves(4), X, y, ax=ax, along=1, random_state=7)
        clouds.append([c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)])
    (data, draws), (_, again) = clouds
    np.testing.assert_array_equal(data[:, 0], X[:, 1])
    np.testing.assert_array_equal(draws[:, 0], X[:, 1])
    np.testing.assert_array_equal(draws, again)


def test_components_that_leave_the_frame_are_counted(ax):
    far = FixedModel(lambda x, k: 0 * x + 0 * k, lambda x, k: 1e6 * k + 0 * x, lambda x, k: 1.0 + 0 * x + 0 * k, 3)
    X, y = table()
    means_panel(far, X, y, ax=ax)
    assert ax.get_ylim()[1] < 10
    assert any("2 of 3" in text.get_text() for text in ax.texts)


def test_along_takes_a_name_and_keeps_the_table_type_and_medians():
    frame = pd.DataFrame({"width": [1.0, 2.0, 9.0], "größe $": [4.0, 5.0, 6.0]})
    line = look_along(frame, "größe $", points=5)
    assert line.column == 1
    assert list(line.rows.columns) == ["width", "größe $"]
    assert set(line.rows["width"]) == {2.0}
    with pytest.raises(ValueError, match="one of the columns"):
        look_along(frame, "depth")
    with pytest.raises(ValueError, match="position below 2"):
        look_along(frame, 2)


def test_labels_are_never_parsed_as_mathematics(ax):
    frame = pd.DataFrame({"$\\frac{$": np.arange(5.0)})
    data_panel(frame, np.arange(5.0), ax=ax, target="a$b$c_{")
    ax.figure.canvas.print_png(io.BytesIO())
    assert ax.get_xlabel() == "$\\frac{$"


def test_long_and_odd_names_become_one_short_line():
    assert shorten("a\nb") == "a b"
    assert len(shorten("x" * 500)) == MAX_LABEL
    assert shorten("first" + "x" * 500 + "last").endswith("last")


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 3.0], (0.8, 3.2)), ([5.0, 5.0], (2.5, 7.5)), ([0.0], (-1.0, 1.0)), ([np.nan], (0.0, 1.0))],
)
def test_padded_range_is_never_empty(values, expected):
    assert padded_range(values, 0.1) == pytest.approx(expected)


def test_constant_data_still_has_a_frame(ax):
    X = np.zeros((10, 1))
    draw_all(waves(2), X, np.full(10, 3.0), ax)
    assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


def test_slices_show_every_model_and_the_truth(ax):
    def truth(X, y):
        return -0.5 * (y - X[:, 0]) ** 2 - 0.5 * np.log(2 * np.pi)

    models = {"one": waves(1), "many": waves(40)}
    slices_panel(models, 0.5, (-4.0, 4.0), ax=ax, truth=truth)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["one", "many", "truth"]
    assert ax.get_lines()[0].get_color() == model_colours(models)["one"]
    curve = ax.get_lines()[0].get_xydata()
    np.testing.assert_allclose(curve[:, 1], models["one"].predict_dist([[0.5]]).pdf(curve[None, :, 0])[0], rtol=1e-12)


def test_a_needle_is_drawn_at_full_height_and_cut_with_a_remark(ax):
    needle = FixedModel(
        lambda x, k: 0 * x + 0 * k, lambda x, k: 0.12345 + 0 * x + 0 * k, lambda x, k: 1e-6 + 0 * x + 0 * k, 1
    )
    slices_panel({"wide": waves(3), "wider": waves(4), "needle": needle}, 0.0, (-3.0, 3.0), ax=ax)
    needle_line = ax.get_lines()[2].get_ydata()
    assert needle_line.max() == pytest.approx(1 / (1e-6 * np.sqrt(2 * np.pi)), rel=1e-6)
    assert ax.get_ylim()[1] < 10
    assert any("needle" in text.get_text() for text in ax.texts)


def test_slice_rows_are_at_quantiles_and_come_once():
    X, _ = table(d=2)
    rows = slice_rows(X, 1, 5)
    assert [value for value, _ in rows] == pytest.approx(np.quantile(X[:, 1], [0.1, 0.3, 0.5, 0.7, 0.9]))
    assert all(row.shape == (1, 2) and row[0, 0] == np.median(X[:, 0]) for _, row in rows)
    assert len(slice_rows(np.ones((9, 1)), 0)) == 1


def test_slice_range_holds_the_mass_and_stays_inside():
    low, high = slice_range([waves(2)], np.array([[0.0]]), (0.5, 50.0))
    tails = waves(2).predict_dist([[0.0]]).ppf([0.002, 0.998])[0]
    assert low == 0.5
    assert tails[1] < high < 50.0


def test_small_multiples_are_laid_out_in_rows():
    figure, axes = small_multiples(7, columns=3)
    corners = {(round(ax.get_position().x0, 6), round(ax.get_position().y0, 6)) for ax in axes}
    assert len(corners) == 7
    assert len({y for _, y in corners}) == 3
    assert all(ax.get_position().x0 >= 0 and ax.get_position().x1 <= 1 for ax in axes)
    assert figure.get_size_inches() == pytest.approx((3 * 2.9, 3 * 2.3))


def test_global_state_of_matplotlib_is_untouched():
    """In a fresh process, since another test may have chosen a backend before."""
    code = """
import sys, numpy as np, matplotlib
before = dict(matplotlib.rcParams.copy())
from condensity import JointGMMRegressor, MDNRegressor, Mixture
from condensity.plots import data_panel, small_multiples
X = np.arange(9.0)[:, None]
figure, (ax,) = small_multiples(1)
data_panel(X, X[:, 0], ax=ax)
figure.canvas.draw()
assert "matplotlib.pyplot" not in sys.modules
assert dict(matplotlib.rcParams.copy()) == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_without_axes_the_current_ones_are_used(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    matplotlib.use("agg")
    from matplotlib import pyplot

    figure = pyplot.figure()
    try:
        ax = data_panel(*table())
        assert ax is pyplot.gca()
    finally:
        pyplot.close(figure)


def test_ticks_of_extreme_scales_stay_short(ax):
    ax.set_yscale("log")
    ax.set_ylim(1e28, 1e32)
    label_axes(ax, "x", "y")
    ax.figure.canvas.draw()
    assert "$10^{30}$" in [label.get_text() for label in ax.get_yticklabels()]
    assert ax.yaxis.get_major_formatter()(0.02) == "0.02"
    assert ax.yaxis.get_major_formatter()(5e-31) == r"$5{\cdot}10^{-31}$"


def test_short_log_axes_have_several_ticks(ax):
    ax.set_yscale("log")
    ax.set_ylim(0.3, 8.0)
    label_axes(ax, "x", "y")
    inside = [tick for tick in ax.get_yticks() if 0.3 <= tick <= 8.0]
    assert inside == pytest.approx([0.5, 1.0, 2.0, 5.0])
