"""Layers that several charts draw: dots, component lines, frames and remarks."""

from typing import Any

import numpy as np

from condensity.distributions import ComponentSummary
from condensity.plots.along import Along
from condensity.plots.answers import relative_weights
from condensity.plots.style import QUIET, annotate_corner, component_colours, padded_range

#: Points drawn at most; more only blacken the paper.
MAX_POINTS = 2000

FAINTEST, THINNEST, THICKEST = 0.16, 0.7, 2.6


def undrawn(line: Along) -> str:
    """A remark on rows that have no value in the column of the x axis.

    Parameters
    ----------
    line : Along
    """
    missing = int(np.isnan(line.values).sum())
    return f"{missing} of {line.values.size} rows: no {line.label}" if missing else ""


def remark(ax: Any, *texts: str) -> None:
    """Those of the texts that are not empty, as a quiet remark in the corner.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    *texts : str
    """
    if any(texts):
        annotate_corner(ax, "\n".join(filter(None, texts)))


def mark_spread(ax: Any, spread: float) -> None:
    """A dotted line at the standard deviation of y.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spread : float
        In units of y.
    """
    ax.axhline(spread, color=QUIET, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    ax.text(1.0, spread, "sd(y)", transform=ax.get_yaxis_transform(), ha="right", va="center",
            fontsize=7.5, color=QUIET, bbox=ground, zorder=9)  # fmt: skip


def scatter(ax: Any, x: np.ndarray, y: np.ndarray, *, color: str, alpha: float) -> None:
    """Dots, at most `MAX_POINTS` of them: an even selection of the rows, the same for every layer.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : ndarray (n,)
        In data units; NaN is not drawn.
    color : str
    alpha : float
        Opacity, 0 to 1.
    """
    step = max(1, -(-len(x) // MAX_POINTS))
    size = float(np.clip(3000 / max(len(x) // step, 1), 3.0, 18.0))
    ax.scatter(x[::step], y[::step], s=size, color=color, alpha=alpha, linewidths=0, zorder=2)


def frame_data(ax: Any, line: Along, y: np.ndarray) -> tuple[float, float]:
    """Limits from the data, so that all charts of one data set share a frame; returns those of y (n,).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    line : Along
    y : ndarray (n,)
        In data units.
    """
    low, high = padded_range(y, 0.12)
    ax.set(xlim=line.limits, ylim=(low, high))
    return low, high


def log_limits(values: np.ndarray) -> tuple[float, float]:
    """Limits of a logarithmic axis around positive values of any shape (m, …): over a decade, so that a flat line looks flat."""
    if values.size == 0:
        return 0.1, 10.0
    low, high = np.log10(values.min()), np.log10(values.max())
    margin = max(0.06 * (high - low), 0.5 * (1.3 - (high - low)))
    return 10.0 ** max(low - margin, -300.0), 10.0 ** min(high + margin, 300.0)


def component_lines(ax: Any, grid: np.ndarray, parts: ComponentSummary, heights: np.ndarray) -> None:
    """K lines through heights (g, K); width and opacity of a piece follow the root of its relative weight.

    The root keeps a component of a tenth of the weight visible, `FAINTEST` one of no weight at all.
    Lines break at NaN in the grid (g,).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    grid : ndarray (g,)
    parts : ComponentSummary
        Of one output at the g grid points.
    heights : ndarray (g, K)
    """
    from matplotlib.collections import LineCollection

    points = np.stack([np.broadcast_to(grid[:, None], heights.shape), heights], axis=-1)
    pieces = np.stack([points[:-1], points[1:]], axis=2)  # (g − 1, K, 2, 2)
    root = np.sqrt(relative_weights(parts))
    strength = 0.5 * (root[:-1] + root[1:])
    # Colours are mixed with the white ground rather than made transparent: pieces overlap where they join,
    # and transparent ones would show every joint.
    opacity = FAINTEST + (1.0 - FAINTEST) * strength[..., None]
    colours = 1.0 - opacity * (1.0 - component_colours(parts.centers))
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
