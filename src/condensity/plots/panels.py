"""Charts of one model along one column: the five of the founding blog post, and draws beyond the data.

Every function takes a matplotlib axes (`ax=None` means pyplot's current one), draws in data units and returns it. X may be a
pandas, polars or Arrow table or an array, with categories and missing values: whatever the model takes. Charts run along one
column, `along` (position or name): those of components hold the others at their medians and modes, those of data use the rows
as they are. Where several outputs were fitted, `output` chooses one. The ground is grey where the model has no training data.
In the charts of components line width and opacity follow the weight πₖ(x): a wide component without weight looks faint.

References
----------
Warmerdam (2017), "Feed Forward Posteriors".
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from condensity.estimators.unwrap import predict_dist
from condensity.plots.along import Along, look_along
from condensity.plots.answers import categories_of, components_of, pick_target, position_of, relative_weights
from condensity.plots.layers import component_lines, frame_data, log_limits, mark_spread, remark, scatter, undrawn
from condensity.plots.style import (
    DATA_COLOUR,
    INK,
    PALETTE,
    QUIET,
    current_axes,
    label_axes,
    label_levels,
    padded_range,
)

#: Draws beyond the edges, and p-values up to which a row counts as outside the data.
EDGE_POINTS, OUTSIDE_LEVEL = 1500, 0.01

#: Share of the heaviest component's weight above which a component counts as in use at x.
IN_USE = 0.05


def data_panel(
    X: Any,
    y: Any,
    *,
    ax: Any = None,
    along: int | str = 0,
    output: int | str | None = None,
    x_label: str | None = None,
    target: str | None = None,
    categorical_features: npt.ArrayLike = "from_dtype",
) -> Any:
    """The data: y against one column of X.

    Parameters
    ----------
    X : table or array-like (n, d)
        Rows without a value in the column are left out; a remark says how many.
    y : table or array-like (n,) or (n, q)
    ax : matplotlib.axes.Axes, optional
    along : int or str, default 0
        The column on the x axis.
    output : int or str, optional
        The column of y that is drawn, where it has several.
    x_label, target : str, optional
        Labels in place of the names of the column and of y.
    categorical_features : 'from_dtype' or array-like (c,)
        As estimators take it.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        For a column that X does not have or that has no value.

    Examples
    --------
    >>> import pandas as pd
    >>> from condensity.plots import data_panel, small_multiples
    >>> homes = pd.DataFrame({"town": ["Aa", "Bé", "Aa"], "size": [50.0, 80.0, 65.0]})
    >>> ax = data_panel(homes, [120.0, 200.0, 150.0], along="town", target="price", ax=small_multiples(1)[1][0])
    >>> ax.get_xlabel(), ax.get_ylabel(), [tick.get_text() for tick in ax.get_xticklabels()]
    ('town', 'price', ['Aa', 'Bé'])
    """
    ax = current_axes(ax)
    line = look_along(X, along, categorical_features=categorical_features)
    data = pick_target(y, output)
    scatter(ax, line.values, data.values, color=INK, alpha=0.35)
    frame_data(ax, line, data.values)
    remark(ax, undrawn(line))
    return _label(ax, line, x_label, target or data.name)


def samples_panel(
    model: Any,
    X: Any,
    y: Any,
    *,
    ax: Any = None,
    along: int | str = 0,
    output: int | str | None = None,
    x_label: str | None = None,
    target: str | None = None,
    colour: str = PALETTE[0],
    random_state: int | np.random.Generator | None = 0,
) -> Any:
    """The data, faint, and over it one draw from p(y | x) for each row, at the same x.

    Where the model is good the two clouds cannot be told apart.

    Parameters
    ----------
    model : fitted estimator, or a pipeline or search that ends in one
    X, y, ax, along, output, x_label, target
        As for `data_panel`. Draws use the rows of X as they are, not medians.
    colour : str
        Colour of the draws.
    random_state : int, Generator or None, default 0

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.plots import samples_panel, small_multiples
    >>> X, y, *_ = make_cross(200, random_state=0)
    >>> model = JointGMMRegressor(3, random_state=0).fit(X, y)
    >>> samples_panel(model, X, y, ax=small_multiples(1)[1][0]).get_ylabel()
    'y'
    """
    ax = current_axes(ax)
    line = look_along(X, along, categorical_features=categories_of(model))
    data = pick_target(y, output)
    dist = predict_dist(model, X)
    draws = dist.sample(1, random_state=random_state).reshape(len(line.values), -1)[:, position_of(dist, output)]
    scatter(ax, line.values, data.values, color=DATA_COLOUR, alpha=0.35)
    scatter(ax, line.values, draws, color=colour, alpha=0.4)
    low, high = frame_data(ax, line, data.values)
    shade_outside(ax, model, line)
    outside = np.count_nonzero(~((draws >= low) & (draws <= high)))
    remark(ax, undrawn(line), f"{outside} of {draws.size} draws out of frame" if outside else "")
    return _label(ax, line, x_label, target or data.name)


def means_panel(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    ax: Any = None,
    along: int | str = 0,
    output: int | str | None = None,
    x_label: str | None = None,
) -> Any:
    """The component means μₖ(x), framed by the data where y is given; with a transformed target, the components' medians.

    Parameters
    ----------
    model : fitted estimator, or a pipeline or search that ends in one
    X : table or array-like (n, d)
    y : table or array-like (n,) or (n, q), optional
        Drawn faintly; without it the components in use set the frame.
    ax, along, output, x_label
        As for `data_panel`.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.plots import means_panel, small_multiples
    >>> X, y, *_ = make_cross(200, random_state=0)
    >>> model = JointGMMRegressor(3, random_state=0).fit(X, y)
    >>> means_panel(model, X, y, ax=small_multiples(1)[1][0]).get_ylabel()
    'mean μₖ(x)'
    """
    ax = current_axes(ax)
    line = look_along(X, along, categorical_features=categories_of(model))
    parts = components_of(predict_dist(model, line.rows), output)
    if y is None:
        low, high = padded_range(parts.centers[relative_weights(parts) > IN_USE])
        ax.set(xlim=line.limits, ylim=(low, high))
    else:
        values = pick_target(y, output).values
        scatter(ax, line.values, values, color=DATA_COLOUR, alpha=0.18)
        low, high = frame_data(ax, line, values)
    shade_outside(ax, model, line)
    component_lines(ax, line.grid, parts, parts.centers)
    leaving = np.count_nonzero(((parts.centers < low) | (parts.centers > high)).any(axis=0))
    remark(ax, f"{leaving} of {parts.centers.shape[1]} leave the frame" if leaving else "")
    return _label(ax, line, x_label, "mean μₖ(x)")


def weights_panel(
    model: Any,
    X: Any,
    *,
    ax: Any = None,
    along: int | str = 0,
    output: int | str | None = None,
    x_label: str | None = None,
) -> Any:
    """The component weights πₖ(x), from 0.

    Parameters
    ----------
    model : fitted estimator, or a pipeline or search that ends in one
    X : table or array-like (n, d)
    ax, along, output, x_label
        As for `data_panel`.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.plots import weights_panel, small_multiples
    >>> X, y, *_ = make_cross(200, random_state=0)
    >>> model = JointGMMRegressor(3, random_state=0).fit(X, y)
    >>> weights_panel(model, X, ax=small_multiples(1)[1][0]).get_ylabel()
    'weight πₖ(x)'
    """
    ax = current_axes(ax)
    line = look_along(X, along, categorical_features=categories_of(model))
    parts = components_of(predict_dist(model, line.rows), output)
    shade_outside(ax, model, line)
    component_lines(ax, line.grid, parts, parts.weights)
    top = min(1.02, 1.15 * float(parts.weights.max()))  # 40 equal weights would lie on the floor of a unit axis
    ax.set(xlim=line.limits, ylim=(-0.02 * top, top))
    return _label(ax, line, x_label, "weight πₖ(x)")


def scales_panel(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    ax: Any = None,
    along: int | str = 0,
    output: int | str | None = None,
    x_label: str | None = None,
) -> Any:
    """The component scales σₖ(x), logarithmic; with y, a dotted line marks the standard deviation of y.

    A component far above the dotted line is wider than the data can justify; it does harm only where its line is strong. With
    a transformed target σₖ is half the distance between the component's 16 % and 84 % quantiles.

    Parameters
    ----------
    model : fitted estimator, or a pipeline or search that ends in one
    X : table or array-like (n, d)
    y : table or array-like (n,) or (n, q), optional
    ax, along, output, x_label
        As for `data_panel`.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.plots import scales_panel, small_multiples
    >>> X, y, *_ = make_cross(200, random_state=0)
    >>> model = JointGMMRegressor(3, random_state=0).fit(X, y)
    >>> scales_panel(model, X, y, ax=small_multiples(1)[1][0]).get_yscale()
    'log'
    """
    ax = current_axes(ax)
    line = look_along(X, along, categorical_features=categories_of(model))
    parts = components_of(predict_dist(model, line.rows), output)
    shade_outside(ax, model, line)
    component_lines(ax, line.grid, parts, parts.widths)
    spread = 0.0 if y is None else float(np.nanstd(pick_target(y, output).values))
    finite = parts.widths[np.isfinite(parts.widths) & (parts.widths > 0)]
    shown = np.append(finite, spread) if spread > 0 else finite
    ax.set_yscale("log")
    ax.set(xlim=line.limits, ylim=log_limits(shown))
    if spread > 0:
        mark_spread(ax, spread)
    return _label(ax, line, x_label, "scale σₖ(x)")


def edges_panel(
    model: Any,
    X: Any,
    y: Any,
    *,
    ax: Any = None,
    along: int | str = 0,
    output: int | str | None = None,
    x_label: str | None = None,
    target: str | None = None,
    outside: str = "ignore",
    colour: str = PALETTE[0],
    random_state: int | np.random.Generator | None = 0,
) -> Any:
    """Draws from p(y | x) at x spread evenly over the range of the data and half of it more on either side, over the data.

    Parameters
    ----------
    model : fitted estimator with a support model
    X, y, ax, output, x_label, target
        As for `data_panel`.
    along : int or str, default 0
        The column of numbers that varies; the others are held at their medians and modes.
    outside : str, default "ignore"
        As in `predict_dist`: 'deficient' leaves out draws in proportion to the missing mass.
    colour : str
    random_state : int, Generator or None, default 0

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the column is a category.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.plots import edges_panel, small_multiples
    >>> X, y, *_ = make_cross(200, random_state=0)
    >>> model = JointGMMRegressor(3, random_state=0).fit(X, y)
    >>> ax = edges_panel(model, X, y, outside="deficient", ax=small_multiples(1)[1][0])
    """
    ax = current_axes(ax)
    categories = categories_of(model)
    line = look_along(X, along, points=EDGE_POINTS, padding=0.5, categorical_features=categories)
    if line.levels:
        raise ValueError(f"edges_panel needs a column of numbers, and {line.label!r} is a category; choose another.")
    dist = predict_dist(model, line.rows, outside=outside)
    draws = dist.sample(1, random_state=random_state).reshape(len(line.grid), -1)[:, position_of(dist, output)]
    data = pick_target(y, output)
    shade_outside(ax, model, line)
    scatter(ax, line.values, data.values, color=DATA_COLOUR, alpha=0.35)
    scatter(ax, line.grid, draws, color=colour, alpha=0.5)
    frame_data(ax, line, data.values)
    unknown = np.isnan(draws).mean()
    remark(ax, f"{unknown:.0%} of draws left out" if unknown else "")
    return _label(ax, line, x_label, target or data.name)


def shade_outside(ax: Any, model: Any, line: Along) -> None:
    """Shade the parts of a line through the inputs where a model has no training data; nothing for models without support.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    model : fitted estimator
    line : Along
    """
    if not getattr(model, "has_support", False):
        return
    outside = model.support(line.rows) <= OUTSIDE_LEVEL
    low, high = line.spans
    changes = np.flatnonzero(np.diff(np.concatenate([[False], outside, [False]]).astype(int)))
    for first, end in changes.reshape(-1, 2):
        ax.axvspan(low[first], high[end - 1], facecolor=QUIET, alpha=0.14, linewidth=0, zorder=0)


def _label(ax: Any, line: Along, x_label: str | None, y_label: str) -> Any:
    label_axes(ax, x_label or line.label, y_label)
    return label_levels(ax, line.levels) if line.levels else ax
