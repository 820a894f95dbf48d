"""Slices: the densities p(y | x₀) or p(x | y₀) of several models on one axes, with the truth where it is known."""

import numpy as np

from condensity.distributions import Mixture
from condensity.plots.along import as_table_like, look_along, rows_along
from condensity.plots.style import INK, annotate_corner, current_axes, label_axes, model_colours, padded_range

GRID_POINTS = 801

#: A density is cut at this multiple of the truth's peak (or, without a truth, of the models' median peak).
TALLEST = 2.2


def slices_panel(models, x0, y_range, *, ax=None, truth=None, target="y", colours=None):
    """Densities p(y | x₀) of all models on one axes.

    Parameters
    ----------
    models : dict of str to fitted estimator with ``predict_dist(X)``
    x0 : scalar, array-like (d,) or one-row table (1, d)
        Where to cut.
    y_range : (float, float)
        Lowest and highest y shown.
    ax : matplotlib.axes.Axes, optional
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
    """
    ax = current_axes(ax)
    colours = colours or model_colours(models)
    row = x0 if hasattr(x0, "columns") else np.atleast_1d(np.asarray(x0, dtype=float)).reshape(1, -1)
    peaks = {}
    for name, model in models.items():
        dist = model.predict_dist(row)
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


def slice_rows(X, along, count=5):
    """Where to cut: `count` one-row inputs at evenly spaced quantiles of one column, medians in the others.

    Parameters
    ----------
    X : table or ndarray (n, d)
    along : int
        Position of the column.
    count : int

    Returns
    -------
    list of (float, table or ndarray (1, d))
        The value x₀ of the column and the whole row; equal values come once.
    """
    levels = (np.arange(count) + 0.5) / count
    values = np.unique(np.quantile(np.asarray(X, dtype=float)[:, along], levels))
    return [(float(value), rows_along(X, along, np.array([value]))) for value in values]


def slice_range(models, row, y_range):
    """Range of y where the models see nearly all their mass at one row, within `y_range`.

    Parameters
    ----------
    models : iterable of fitted estimators
    row : table or ndarray (1, d)
    y_range : (float, float)
        The widest range allowed.

    Returns
    -------
    (float, float)
    """
    tails = np.concatenate([model.predict_dist(row).ppf([0.002, 0.998])[0] for model in models])
    inside = np.clip(tails, *y_range)
    low, high = padded_range(inside, 0.12)
    return max(low, y_range[0]), min(high, y_range[1])


def reverse_panel(models, X, y0, *, ax=None, along=0, truth=None, x_label=None, colours=None):
    """Reverse slices: densities p(x | y₀) of one input given an output.

    Parameters
    ----------
    models : dict of str to fitted estimator with ``predict_inputs(y)``
    X : table or array-like (n, d)
        Its range is shown.
    y0 : float
    ax : matplotlib.axes.Axes, optional
    along : int or str, default 0
        The input whose density is shown; the others are integrated out.
    truth : callable (X (g, 1), y (g,)) -> (g,), optional
        The exact log p(x, y) of a problem with one input, drawn as a filled shape.
    x_label : str, optional
    colours : dict of str to colour, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = current_axes(ax)
    line = look_along(X, along, points=GRID_POINTS, padding=0.1)
    colours = colours or model_colours(models)
    peaks = {}
    for name, model in models.items():
        density = _inputs_density(model.predict_inputs([y0]), line)
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


def reverse_values(y, count=5):
    """Outputs to ask about: `count` evenly spaced quantiles of y (n,), equal ones once."""
    return [float(value) for value in np.unique(np.quantile(y, (np.arange(count) + 0.5) / count))]


def _inputs_density(dist, line):
    """Density (g,) of the input along the line, from either answer to p(x | y)."""
    if isinstance(dist, Mixture):
        alone = dist if dist.n_outputs == 1 else dist.marginal(line.column)
        return alone.pdf(line.grid[None])[0]
    if dist.draws.shape[2] == 1:
        return dist.pdf(line.grid[None])[0]
    from scipy.stats import gaussian_kde

    drawn = dist.draws[0, :, line.column]
    if drawn.min() == drawn.max():
        return np.zeros(len(line.grid))
    return gaussian_kde(drawn, weights=np.exp(dist.log_weights[0]))(line.grid)


def _fine_grid(dist, y_range):
    """Points of y (g,), with extra ones around every component, so that no spike is missed."""
    offsets = np.linspace(-4.0, 4.0, 33)
    around = (dist.means[0, :, None] + dist.scales[0, :, None] * offsets).ravel()
    inside = around[(around > y_range[0]) & (around < y_range[1])]
    return np.unique(np.concatenate([np.linspace(y_range[0], y_range[1], GRID_POINTS), inside]))


def _draw_truth(ax, truth, row, y_range):
    """Fill the true density and return its peak."""
    grid = np.linspace(y_range[0], y_range[1], GRID_POINTS)
    inputs = as_table_like(row, np.repeat(np.asarray(row, dtype=float), grid.size, axis=0))
    return _fill_truth(ax, grid, np.exp(truth(inputs, grid)))


def _fill_truth(ax, grid, density):
    """Fill a true density (g,) and return its peak."""
    ax.fill_between(grid, density, color=INK, alpha=0.13, linewidth=0, zorder=1, label="truth")
    ax.plot(grid, density, color=INK, alpha=0.55, linewidth=0.9, zorder=2)
    return float(density.max())


def _set_height(ax, peaks, reference):
    """End the density axis at the tallest peak or at TALLEST times the reference; say what is cut."""
    tallest = max(reference, *peaks.values())
    top = min(tallest, TALLEST * reference) or 1.0
    ax.set_ylim(0.0, 1.08 * top)
    if tallest > top:
        name = max(peaks, key=lambda name: peaks[name])
        annotate_corner(ax, f"▲ {name}: {peaks[name]:.3g}")
