"""Slices: the densities p(y | x₀) or p(x | y₀) of several models on one axes, with the truth where it is given."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from condensity.data import read_numbers
from condensity.data.doors import as_table
from condensity.data.frame import is_frame, take_rows
from condensity.data.typical import occurring_levels
from condensity.estimators.unwrap import predict_dist
from condensity.plots.along import Along, find_column, look_along, rows_along
from condensity.plots.answers import components_of, pick_output
from condensity.plots.style import INK, annotate_corner, current_axes, label_axes, model_colours, padded_range
from condensity.plots.weighted_density import weighted_density

GRID_POINTS = 801

#: A density is cut at this multiple of the truth's peak (or, without a truth, of the models' median peak).
MAX_PEAK = 2.2

Truth = Callable[[Any, np.ndarray], np.ndarray]


def slices_panel(
    models: Mapping[str, Any],
    x0: Any,
    y_range: tuple[float, float],
    *,
    ax: Any = None,
    output: int | str | None = None,
    truth: Truth | None = None,
    target: str = "y",
    colours: Mapping[str, str] | None = None,
) -> Any:
    """Densities p(y | x₀) of all models on one axes.

    Parameters
    ----------
    models : dict of str to fitted estimator, or pipeline or search that ends in one
    x0 : scalar, array-like (d,) or (1, d), or table of one row
        The row at which to cut; `slice_rows` makes some.
    y_range : (float, float)
        Lowest and highest y shown.
    ax : matplotlib.axes.Axes, optional
    output : int or str, optional
        The output that is shown, where several were fitted.
    truth : callable (X (g, d), y (g,)) -> (g,), optional
        The exact log p(y | x), drawn as a filled shape.
    target : str, default "y"
        Name of the output, for the label.
    colours : dict of str to colour, optional
        By model; `model_colours` by default.

    Returns
    -------
    matplotlib.axes.Axes
        Lines carry the models' names as labels, so ``ax.legend()`` works. Peaks far above the truth's are
        cut, and a remark says how high they go.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.plots import slices_panel, small_multiples
    >>> X, y, log_density, *_ = make_cross(200, random_state=0)
    >>> models = {"three": JointGMMRegressor(3, random_state=0).fit(X, y)}
    >>> ax = slices_panel(models, 1.0, (-2.5, 2.5), truth=log_density, ax=small_multiples(1)[1][0])
    >>> ax.get_legend_handles_labels()[1]
    ['three', 'truth']
    """
    ax = current_axes(ax)
    colours = colours or model_colours(models)
    row = x0 if is_frame(x0) else np.asarray(x0).reshape(1, -1)
    peaks = {}
    for name, model in models.items():
        dist = pick_output(predict_dist(model, row), output)
        grid = _fine_grid(dist, y_range)
        density = dist.pdf(grid[None, :])[0]
        peaks[name] = density.max()
        ax.plot(grid, density, color=colours[name], linewidth=1.6, alpha=0.9, zorder=3, label=name)
    reference = float(np.median(list(peaks.values())))
    if truth is not None:
        reference = _draw_truth(ax, truth, row, y_range)
    _set_height(ax, peaks, reference)
    ax.set_xlim(*y_range)
    return label_axes(ax, target, "density")


def slice_rows(
    X: Any, along: int | str = 0, count: int = 5, *, categorical_features: npt.ArrayLike = "from_dtype"
) -> list[tuple[float | str, Any]]:
    """Rows for slices: at evenly spaced quantiles of one column, or at its most frequent levels; typical in the others.

    Parameters
    ----------
    X : table or array-like (n, d)
    along : int or str, default 0
        The column, by position or name.
    count : int
    categorical_features : 'from_dtype' or array-like (c,)
        As estimators take it.

    Returns
    -------
    list of (float or str, table or ndarray (1, d))
        The value x₀ of the column, or the text of the level, and the whole row; equal values come once.

    Examples
    --------
    >>> slice_rows([[0.0, 5.0], [10.0, 7.0]], 0, 1)
    [(5.0, array([[5., 6.]]))]
    """
    X = as_table("X", X)
    column, raw = find_column(X, along), read_numbers("X", X, categorical_features)
    names: Sequence[float | str]
    if column in raw.categories:
        levels = occurring_levels(raw, column)
        chosen = np.sort(np.argsort(-levels.counts, kind="stable")[:count])
        names, cuts = [levels.texts[k] for k in chosen], levels.codes[chosen]
    else:
        values = raw.values[~np.isnan(raw.values[:, column]), column]
        cuts = np.unique(np.quantile(values, (np.arange(count) + 0.5) / count))
        names = cuts.tolist()
    rows = rows_along(X, column, cuts, categorical_features=categorical_features)
    return [(name, take_rows(rows, [k])) for k, name in enumerate(names)]


def slice_range(
    models: Iterable[Any], row: Any, y_range: tuple[float, float], *, output: int | str | None = None
) -> tuple[float, float]:
    """Range of y that holds nearly all the mass of the models at one row, within `y_range`.

    Parameters
    ----------
    models : iterable of fitted estimators
    row : table or ndarray (1, d)
    y_range : (float, float)
        The widest range allowed.
    output : int or str, optional
        The output that is shown, where several were fitted.

    Returns
    -------
    (float, float)
    """
    dists = [pick_output(predict_dist(model, row), output) for model in models]
    tails = np.concatenate([dist.ppf([0.002, 0.998])[0] for dist in dists])
    inside = np.clip(tails, *y_range)
    low, high = padded_range(inside, 0.12)
    return max(low, y_range[0]), min(high, y_range[1])


def inverse_panel(
    models: Mapping[str, Any],
    X: Any,
    y0: float | npt.ArrayLike,
    *,
    ax: Any = None,
    along: int | str = 0,
    truth: Truth | None = None,
    x_label: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> Any:
    """Inverse slices: densities p(x | y₀) of one input given the output.

    Parameters
    ----------
    models : dict of str to fitted estimator with ``predict_inputs(y)``
    X : table or array-like (n, d)
        Its range is shown.
    y0 : float, or array-like (q,) for several outputs
    ax : matplotlib.axes.Axes, optional
    along : int or str, default 0
        The column of numbers whose density is shown; the others are integrated out.
    truth : callable (X (g, 1), y (g,)) -> (g,), optional
        The exact log p(x, y) of a problem with one input, drawn as a filled shape.
    x_label : str, optional
    colours : dict of str to colour, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the column is a category, and where `predict_inputs` does not apply to a model.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.plots import inverse_panel, small_multiples
    >>> X, y, *_ = make_cross(200, random_state=0)
    >>> models = {"three": JointGMMRegressor(3, random_state=0).fit(X, y)}
    >>> inverse_panel(models, X, 1.0, ax=small_multiples(1)[1][0]).get_xlabel()
    'x'
    """
    ax = current_axes(ax)
    line = look_along(X, along, points=GRID_POINTS, padding=0.1)
    if line.levels:
        raise ValueError(f"inverse_panel needs a column of numbers, and {line.label!r} is a category; choose another.")
    colours = colours or model_colours(models)
    peaks = {}
    for name, model in models.items():
        density = _inputs_density(model.predict_inputs(np.atleast_2d(y0)), line)
        ax.plot(line.grid, density, color=colours[name], linewidth=1.6, alpha=0.9, zorder=3, label=name)
        peaks[name] = density.max()
    reference = float(np.median(list(peaks.values())))
    if truth is not None:
        log_joint = truth(line.grid[:, None], np.full(GRID_POINTS, y0))
        density = np.exp(log_joint - log_joint.max())
        reference = _fill_truth(ax, line.grid, density / np.trapezoid(density, line.grid))
    _set_height(ax, peaks, reference)
    ax.set_xlim(line.grid[0], line.grid[-1])
    return label_axes(ax, x_label or line.label, "density")


def inverse_values(y: npt.ArrayLike, count: int = 5) -> list[float]:
    """Outputs for inverse slices: `count` evenly spaced quantiles of y (n,), equal ones once.

    Parameters
    ----------
    y : array-like (n,)
        Without missing values.
    count : int

    Examples
    --------
    >>> inverse_values([0.0, 1.0, 2.0, 3.0, 4.0], 2)
    [1.0, 3.0]
    """
    return [float(value) for value in np.unique(np.quantile(np.asarray(y), (np.arange(count) + 0.5) / count))]


def _inputs_density(dist: Any, line: Along) -> np.ndarray:
    """Density (g,) of the input along the line, from either answer to p(x | y)."""
    if not hasattr(dist, "draws"):
        return _marginal_input(dist, line).pdf(line.grid[None])[0]
    if dist.draws.shape[2] == 1:
        return dist.pdf(line.grid[None])[0]
    return weighted_density(dist.draws[0, :, line.column], np.exp(dist.log_weights[0]), line.grid)


def _marginal_input(dist: Any, line: Along) -> Any:
    """The input of the line among all, which are more than the columns of X where a category became several."""
    if dist.n_outputs == 1:
        return dist
    same = dist.n_outputs == np.shape(line.rows)[1]
    return dist.marginal(line.column if same else line.label)


def _fine_grid(dist: Any, y_range: tuple[float, float]) -> np.ndarray:
    """Points of y (g,), with extra ones around every component, so that no spike is missed."""
    parts = components_of(dist)
    offsets = np.linspace(-4.0, 4.0, 33)
    around = (parts.centers[0, :, None] + parts.widths[0, :, None] * offsets).ravel()
    inside = around[(around > y_range[0]) & (around < y_range[1])]
    return np.unique(np.concatenate([np.linspace(y_range[0], y_range[1], GRID_POINTS), inside]))


def _draw_truth(ax: Any, truth: Truth, row: Any, y_range: tuple[float, float]) -> float:
    """Fill the true density and return its peak."""
    grid = np.linspace(y_range[0], y_range[1], GRID_POINTS)
    return _fill_truth(ax, grid, np.exp(truth(take_rows(row, np.zeros(GRID_POINTS, dtype=int)), grid)))


def _fill_truth(ax: Any, grid: np.ndarray, density: np.ndarray) -> float:
    """Fill a true density (g,) and return its peak."""
    ax.fill_between(grid, density, color=INK, alpha=0.13, linewidth=0, zorder=1, label="truth")
    ax.plot(grid, density, color=INK, alpha=0.55, linewidth=0.9, zorder=2)
    return float(density.max())


def _set_height(ax: Any, peaks: Mapping[str, float], reference: float) -> None:
    """End the density axis at the tallest peak or at MAX_PEAK times the reference; say what is cut."""
    tallest = max(reference, *peaks.values())
    top = min(tallest, MAX_PEAK * reference) or 1.0
    ax.set_ylim(0.0, 1.08 * top)
    if tallest > top:
        name = max(peaks, key=lambda name: peaks[name])
        annotate_corner(ax, f"▲ {name}: {peaks[name]:.3g}")
