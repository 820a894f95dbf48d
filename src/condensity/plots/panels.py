"""The five charts of the founding blog post, each on one matplotlib axes.

Every function takes an axes (`ax=None` means pyplot's current one), draws in data units and returns it.
Inputs with several columns are seen along one of them, `along` (position or name): charts of components hold
the others at their medians, charts of data use the rows as they are. Where the model knows that it has seen no data, the
ground is grey. In the charts of components line width
and opacity follow the weight π_k(x): a wild component that nobody uses is seen, and seen to be unused.

References
----------
Warmerdam (2017), "Feed Forward Posteriors".
"""

import numpy as np

from condensity.plots.along import look_along
from condensity.plots.style import (
    DATA_COLOUR,
    INK,
    PALETTE,
    QUIET,
    annotate_corner,
    component_colours,
    current_axes,
    label_axes,
    padded_range,
)

#: Points drawn at most; more only blacken the paper.
MOST_POINTS = 2000

#: Draws beyond the edges, and p-values up to which a row counts as outside the data.
EDGE_POINTS, OUTSIDE_LEVEL = 1500, 0.01

#: Share of the heaviest component's weight above which a component counts as in use at x.
IN_USE = 0.05

FAINTEST, THINNEST, THICKEST = 0.16, 0.7, 2.6


def data_panel(X, y, *, ax=None, along=0, x_label=None, target="y"):
    """The data: y against x.

    Parameters
    ----------
    X : table or array-like (n, d)
    y : array-like (n,)
    ax : matplotlib.axes.Axes, optional
    along : int or str, default 0
    x_label : str, optional
        In place of the column's name.
    target : str, default "y"
        Name of the output, for the label.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = current_axes(ax)
    line = look_along(X, along)
    _scatter(ax, line.values, y, color=INK, alpha=0.35)
    _frame_data(ax, line, y)
    return label_axes(ax, x_label or line.label, target)


def samples_panel(model, X, y, *, ax=None, along=0, x_label=None, target="y", colour=PALETTE[0], random_state=0):
    """The data, faint, and over it one draw from p(y | x) for each row, at the same x.

    Where the model is good the two clouds cannot be told apart.

    Parameters
    ----------
    model : fitted estimator with ``sample(X, n_samples, random_state=)``
    X, y, ax, along, x_label, target
        As for `data_panel`. Draws use the rows of X as they are, not medians.
    colour : str
        Colour of the draws.
    random_state : int, Generator or None, default 0

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = current_axes(ax)
    line = look_along(X, along)
    draws = np.asarray(model.sample(X, 1, random_state=random_state)).reshape(len(line.values), -1)[:, 0]
    _scatter(ax, line.values, y, color=DATA_COLOUR, alpha=0.35)
    _scatter(ax, line.values, draws, color=colour, alpha=0.4)
    low, high = _frame_data(ax, line, y)
    shade_outside(ax, model, line)
    outside = np.count_nonzero(~((draws >= low) & (draws <= high)))
    if outside:
        annotate_corner(ax, f"{outside} of {draws.size} draws out of frame")
    return label_axes(ax, x_label or line.label, target)


def means_panel(model, X, y=None, *, ax=None, along=0, x_label=None):
    """The component means μ_k(x), framed by the data where y is given.

    Parameters
    ----------
    model : fitted estimator with ``predict_dist(X)``
    X : table or array-like (n, d)
    y : array-like (n,), optional
        Drawn faintly; without it the components in use set the frame.
    ax : matplotlib.axes.Axes, optional
    along : int or str, default 0
    x_label : str, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = current_axes(ax)
    line = look_along(X, along)
    dist = model.predict_dist(line.rows)
    used = dist.means[_relative_weights(dist) > IN_USE]
    if y is None:
        low, high = padded_range(used)
        ax.set(xlim=(line.grid[0], line.grid[-1]), ylim=(low, high))
    else:
        _scatter(ax, line.values, y, color=DATA_COLOUR, alpha=0.18)
        low, high = _frame_data(ax, line, y)
    shade_outside(ax, model, line)
    _component_lines(ax, line.grid, dist, dist.means)
    leaving = np.count_nonzero(((dist.means < low) | (dist.means > high)).any(axis=0))
    if leaving:
        annotate_corner(ax, f"{leaving} of {dist.n_components} leave the frame")
    return label_axes(ax, x_label or line.label, "mean μₖ(x)")


def weights_panel(model, X, *, ax=None, along=0, x_label=None):
    """The component weights π_k(x), from 0. Parameters and result as for `means_panel`."""
    ax = current_axes(ax)
    line = look_along(X, along)
    dist = model.predict_dist(line.rows)
    shade_outside(ax, model, line)
    _component_lines(ax, line.grid, dist, dist.weights)
    top = min(1.02, 1.15 * float(dist.weights.max()))  # 40 equal weights would lie on the floor of a unit axis
    ax.set(xlim=(line.grid[0], line.grid[-1]), ylim=(-0.02 * top, top))
    return label_axes(ax, x_label or line.label, "weight πₖ(x)")


def scales_panel(model, X, y=None, *, ax=None, along=0, x_label=None):
    """The component scales σ_k(x), logarithmic; with y, a dotted line marks the standard deviation of y.

    Parameters and result as for `means_panel`. A component far above the dotted line is wider than the data
    can justify; it does harm only where its line is strong.
    """
    ax = current_axes(ax)
    line = look_along(X, along)
    dist = model.predict_dist(line.rows)
    shade_outside(ax, model, line)
    _component_lines(ax, line.grid, dist, dist.scales)
    spread = 0.0 if y is None else float(np.std(np.asarray(y, dtype=float)))
    finite = dist.scales[np.isfinite(dist.scales) & (dist.scales > 0)]
    shown = np.append(finite, spread) if spread > 0 else finite
    ax.set_yscale("log")
    ax.set(xlim=(line.grid[0], line.grid[-1]), ylim=_log_limits(shown))
    if spread > 0:
        ax.axhline(spread, color=QUIET, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        ax.text(1.0, spread, "sd(y)", transform=ax.get_yaxis_transform(), ha="right", va="center",
                fontsize=7.5, color=QUIET, bbox=ground, zorder=9)  # fmt: skip
    return label_axes(ax, x_label or line.label, "scale σₖ(x)")


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
    line = look_along(X, along, points=EDGE_POINTS, padding=0.5)
    draws = model.sample(line.rows, 1, random_state=random_state, outside=outside).reshape(len(line.grid), -1)[:, 0]
    shade_outside(ax, model, line)
    _scatter(ax, line.values, y, color=DATA_COLOUR, alpha=0.35)
    _scatter(ax, line.grid, draws, color=colour, alpha=0.5)
    _frame_data(ax, line, y)
    unknown = np.isnan(draws).mean()
    if unknown:
        annotate_corner(ax, f"{unknown:.0%} of draws: unknown")
    return label_axes(ax, x_label or line.label, target)


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


def _scatter(ax, x, y, *, color, alpha):
    """Dots, at most MOST_POINTS of them: an even selection of the rows, the same for every layer."""
    step = max(1, -(-len(x) // MOST_POINTS))
    size = float(np.clip(3000 / max(len(x) // step, 1), 3.0, 18.0))
    ax.scatter(
        np.asarray(x)[::step],
        np.asarray(y, dtype=float)[::step],
        s=size,
        color=color,
        alpha=alpha,
        linewidths=0,
        zorder=2,
    )


def _frame_data(ax, line, y):
    """Limits from the data, so that all charts of one data set share a frame; returns those of y."""
    low, high = padded_range(y, 0.12)
    ax.set(xlim=(line.grid[0], line.grid[-1]), ylim=(low, high))
    return low, high


def _relative_weights(dist):
    """Weights (g, K) over the heaviest at the same x: of 40 none is near 1, yet some carry the density."""
    return np.exp(dist.log_weights - dist.log_weights.max(axis=1, keepdims=True))


def _log_limits(values):
    """Limits of a logarithmic axis around positive values: over a decade, so that a flat line looks flat."""
    if values.size == 0:
        return 0.1, 10.0
    low, high = np.log10(values.min()), np.log10(values.max())
    margin = max(0.06 * (high - low), 0.5 * (1.3 - (high - low)))
    return 10.0 ** max(low - margin, -300.0), 10.0 ** min(high + margin, 300.0)


def _component_lines(ax, grid, dist, heights):
    """K lines through heights (g, K); width and opacity of a piece follow the root of its relative weight.

    The root keeps a component of a tenth of the weight visible, FAINTEST one of no weight at all.
    """
    from matplotlib.collections import LineCollection

    points = np.stack([np.broadcast_to(grid[:, None], heights.shape), heights], axis=-1)
    pieces = np.stack([points[:-1], points[1:]], axis=2)  # (g − 1, K, 2, 2)
    root = np.sqrt(_relative_weights(dist))
    strength = 0.5 * (root[:-1] + root[1:])
    # Colours are mixed with the white ground rather than made transparent: pieces overlap where they join,
    # and transparent ones would show every joint.
    opacity = FAINTEST + (1.0 - FAINTEST) * strength[..., None]
    colours = 1.0 - opacity * (1.0 - component_colours(dist.means))
    order = np.argsort(strength, axis=None, kind="stable")  # strong pieces are drawn last, on top
    drawable = order[np.isfinite(pieces).all(axis=(2, 3)).ravel()[order]]
    ax.add_collection(
        LineCollection(
            pieces.reshape(-1, 2, 2)[drawable],
            colors=colours.reshape(-1, 3)[drawable],
            linewidths=(THINNEST + (THICKEST - THINNEST) * strength).ravel()[drawable],
            capstyle="round",
            zorder=3,
        )
    )
