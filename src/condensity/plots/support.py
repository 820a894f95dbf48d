"""Where there is no data, and the inputs given an output: shading, draws beyond the edges, and reverse slices."""

import numpy as np

from condensity.mixture import Mixture
from condensity.plots.along import look_along
from condensity.plots.style import (
    DATA_COLOUR,
    INK,
    PALETTE,
    QUIET,
    annotate_corner,
    current_axes,
    label_axes,
    model_colours,
    padded_range,
)

#: Rows with a p-value up to this count as outside the data.
OUTSIDE_LEVEL = 0.01

GRID_POINTS, DRAWN_POINTS = 801, 1500


def shade_outside(ax, model, line):
    """Shade the parts of a line through the inputs where a model has seen no data; nothing for models that cannot say.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    model : fitted estimator
    line : Along
    """
    if not getattr(model, "has_support", False):
        return
    outside = model.support(line.rows) <= OUTSIDE_LEVEL
    edges = np.concatenate([line.grid[:1], 0.5 * (line.grid[1:] + line.grid[:-1]), line.grid[-1:]])
    changes = np.flatnonzero(np.diff(np.concatenate([[False], outside, [False]]).astype(int)))
    for first, last in changes.reshape(-1, 2):
        ax.axvspan(edges[first], edges[last], facecolor=QUIET, alpha=0.14, linewidth=0, zorder=0)


def edges_panel(
    model, X, y, *, ax=None, along=0, x_label=None, target="y", outside="ignore", colour=PALETTE[0], random_state=0
):
    """Draws from p(y | x) at x spread evenly over the range of the data and half of it more on either side, over the data.

    Parameters
    ----------
    model : fitted estimator with a support model
    X : table or array-like (n, d)
    y : array-like (n,)
    ax : matplotlib.axes.Axes, optional
    along : int or str, default 0
        The input that varies; the others are held at their medians.
    x_label : str, optional
    target : str, default "y"
    outside : str, default "ignore"
        As in `predict_dist`: 'deficient' draws nothing where nothing is known.
    colour : str
    random_state : int, Generator or None, default 0

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = current_axes(ax)
    line = look_along(X, along, points=DRAWN_POINTS, padding=0.5)
    draws = model.sample(line.rows, 1, random_state=random_state, outside=outside).reshape(len(line.grid), -1)[:, 0]
    shade_outside(ax, model, line)
    step = max(1, len(line.values) // DRAWN_POINTS)
    ax.scatter(
        line.values[::step], np.asarray(y, dtype=float)[::step], s=4, color=DATA_COLOUR, alpha=0.35, linewidths=0
    )
    ax.scatter(line.grid, draws, s=4, color=colour, alpha=0.5, linewidths=0)
    low, high = padded_range(y, 0.12)
    ax.set(xlim=(line.grid[0], line.grid[-1]), ylim=(low, high))
    unknown = np.isnan(draws).mean()
    if unknown:
        annotate_corner(ax, f"{unknown:.0%} of draws: unknown")
    return label_axes(ax, x_label or line.label, target)


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
    top = 0.0
    for name, model in models.items():
        density = _inputs_density(model.predict_inputs([y0]), line)
        ax.plot(line.grid, density, color=colours[name], linewidth=1.6, alpha=0.9, zorder=3, label=name)
        top = max(top, float(density.max()))
    if truth is not None:
        log_joint = truth(line.grid[:, None], np.full(GRID_POINTS, y0))
        density = np.exp(log_joint - log_joint.max())
        density /= np.trapezoid(density, line.grid)
        ax.fill_between(line.grid, density, color=INK, alpha=0.13, linewidth=0, zorder=1, label="truth")
        ax.plot(line.grid, density, color=INK, alpha=0.55, linewidth=0.9, zorder=2)
        top = max(top, float(density.max()))
    ax.set(xlim=(line.grid[0], line.grid[-1]), ylim=(0.0, 1.08 * (top or 1.0)))
    return label_axes(ax, x_label or line.label, "density")


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


def reverse_values(y, count=5):
    """Outputs to ask about: `count` evenly spaced quantiles of y (n,), equal ones once."""
    return [float(value) for value in np.unique(np.quantile(y, (np.arange(count) + 0.5) / count))]
