"""Style of all charts: colours, tidy axes, small multiples that leave matplotlib's globals alone."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from condensity.plots.glyphs import drawable, families

#: Okabe & Ito (2008), told apart with every common colour blindness; black is for the truth, yellow too pale.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")

INK = "#1f2933"
QUIET = "#7b8794"
RULE = "#cbd2d9"
DATA_COLOUR = "#9aa5b1"

#: Characters of a column's name that are shown; longer names are cut in the middle, where they differ least.
MAX_LABEL = 32

#: Levels of a category that are named on an axis, and characters of all their names together; of one, at least so many.
MAX_LEVEL_LABELS, LEVEL_LETTERS, MIN_LEVEL_LETTERS = 8, 45, 4

#: Inches kept for labels on the left, below, on the right and above.
MARGINS = (0.6, 0.46, 0.08, 0.16)


def model_colours(names: Iterable[str]) -> dict[str, str]:
    """One colour for each model, the same wherever the models come in the same order.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    dict of str to str
        Hexadecimal colours; after the sixth model they repeat.

    Examples
    --------
    >>> model_colours(["MDN", "joint GMM"])
    {'MDN': '#0072B2', 'joint GMM': '#D55E00'}
    """
    return {name: PALETTE[position % len(PALETTE)] for position, name in enumerate(names)}


def component_colours(means: np.ndarray) -> np.ndarray:
    """Colours (K, 3) of K components with means (g, K), dark for low means and light for high ones.

    Parameters
    ----------
    means : ndarray (g, K)
        Means along x; their median over x orders the components, so a component has one colour in all charts.
    """
    from matplotlib import colormaps

    order = np.argsort(np.argsort(np.median(means, axis=0), kind="stable"))
    # The upper end of viridis is a yellow that vanishes on white.
    return colormaps["viridis"](0.85 * (order + 0.5) / order.size)[:, :3]


def current_axes(ax: Any) -> Any:
    """`ax`, or pyplot's current axes if it is None."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.gca()


def shorten(name: object, longest: int = MAX_LABEL) -> str:
    """A name as a label of one line: control characters become spaces, a long middle an ellipsis.

    Parameters
    ----------
    name : object
    longest : int
        Characters.

    Examples
    --------
    >>> shorten("median income of the block", 12)
    'median…block'
    """
    text = drawable("".join(character if character.isprintable() else " " for character in str(name)))
    if len(text) <= longest:
        return text
    tail = longest // 2 - 1
    return f"{text[: longest - tail - 1]}…{text[-tail:]}"


def label_axes(ax: Any, x_label: object, y_label: object) -> Any:
    """Label both axes in quiet colours and remove frames and grids.

    Labels are never parsed as mathematics: a column may be called ``price $ per $``.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x_label, y_label : object
        Shown as text.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator

    for axis, label in ((ax.xaxis, x_label), (ax.yaxis, y_label)):
        axis.label.set(text=shorten(label), color=INK, fontsize=9, parse_math=False, fontfamily=families(str(label)))
    ax.set_facecolor("white")
    ax.tick_params(which="both", labelsize=8, labelcolor=QUIET, color=RULE, length=3, width=0.8, direction="out")
    ax.tick_params(which="minor", length=0, labelleft=False, labelbottom=False)
    for axis, most_ticks in ((ax.xaxis, 5), (ax.yaxis, 5)):
        if axis.get_scale() == "linear":
            axis.set_major_locator(MaxNLocator(most_ticks, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(_scalar_formatter())
            axis.offsetText.set(color=QUIET, fontsize=7.5)
        else:
            low, high = np.sort(axis.get_view_interval())
            is_short = high < 100 * low
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if is_short else (1,), numticks=6))
            axis.set_major_formatter(_log_label)
    for side, spine in ax.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=RULE, linewidth=0.8)
    ax.grid(False)
    return ax


def label_levels(ax: Any, levels: Sequence[str]) -> Any:
    """Name the levels of a category, which lie at 0, 1, … of the x axis: all, or `MAX_LEVEL_LABELS` evenly spaced ones.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    levels : sequence of str
    """
    step = -(-len(levels) // MAX_LEVEL_LABELS)
    longest = max(MIN_LEVEL_LETTERS, LEVEL_LETTERS // -(-len(levels) // step))
    positions = range(0, len(levels), step)
    style = {"parse_math": False, "fontsize": 7, "fontfamily": families("".join(levels[k] for k in positions))}
    ax.set_xticks(positions, [shorten(levels[k], longest) for k in positions], **style)
    return ax


def _scalar_formatter() -> Any:
    """Plain numbers of up to four digits before the point and two behind it; beyond, a common power of ten."""
    from matplotlib.ticker import ScalarFormatter

    formatter = ScalarFormatter(useMathText=True)
    formatter.set_powerlimits((-2, 4))
    return formatter


def _log_label(value: float, _position: object = None) -> str:
    """A tick of a logarithmic axis: a plain number where it is short, else a power of ten."""
    if 1e-4 < value < 1e5:
        return f"{value:g}"
    if not np.isfinite(value):  # a tick beyond the largest number
        return ""
    digit, exponent = f"{value:.0e}".split("e")
    factor = "" if digit == "1" else rf"{digit}{{\cdot}}"
    return f"${factor}10^{{{int(exponent)}}}$"


def annotate_corner(ax: Any, text: str) -> Any:
    """A quiet remark in the upper right corner, on a ground that keeps it legible over lines.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    text : str
    """
    ground = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
    return ax.text(
        0.98,
        0.97,
        drawable(text),
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=7.5,
        fontfamily=families(text),
        color=QUIET,
        bbox=ground,
        zorder=9,
    )


def padded_range(values: ArrayLike, padding: float = 0.05) -> tuple[float, float]:
    """Range of the finite values (m, …), widened on both sides by `padding` times its length; never empty.

    Parameters
    ----------
    values : array-like
        Any shape; (0, 1) where nothing is finite. A single value v gives v ± (|v| / 2 or 1).
    padding : float, default 0.05

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> padded_range([0.0, 10.0]), padded_range([4.0])
    ((-0.5, 10.5), (2.0, 6.0))
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        half = 0.5 * abs(low) or 1.0
        return low - half, high + half
    margin = padding * high - padding * low  # high − low may overflow
    return low - margin, high + margin


def small_multiples(count: int, *, columns: int = 5, width: float = 2.9, height: float = 2.3) -> tuple[Any, list[Any]]:
    """A figure with `count` axes in rows of `columns`, drawn by Agg without touching pyplot or rcParams.

    Parameters
    ----------
    count : int
        Number of axes, at least 1.
    columns : int, default 5
    width, height : float
        Size of one axes with its labels, in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : list of matplotlib.axes.Axes
        `count` of them, row by row.

    Examples
    --------
    >>> figure, axes = small_multiples(3, columns=2)
    >>> len(axes)
    3
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = math.ceil(count / columns)
    size = width * columns, height * rows
    figure = Figure(figsize=size, facecolor="white", edgecolor="white")
    FigureCanvasAgg(figure)
    # Fixed margins rather than a layout engine: neighbours align, and drawing takes half the time.
    left, bottom, right, top = MARGINS
    inner = (width - left - right) / size[0], (height - bottom - top) / size[1]
    axes = []
    for position in range(count):
        row, column = divmod(position, columns)
        corner = (column * width + left) / size[0], ((rows - 1 - row) * height + bottom) / size[1]
        axes.append(figure.add_axes((*corner, *inner)))
    return figure, axes
