"""Looking at a model along one input: the others are held at their medians."""

from typing import Any, NamedTuple

import numpy as np

from condensity.plots.style import padded_range

GRID_POINTS = 241


class Along(NamedTuple):
    """A line through the input space.

    Attributes
    ----------
    column : int
        Position of the input that varies.
    label : str
        Its name.
    values : ndarray (n,)
        Its values in the data.
    grid : ndarray (g,)
        Increasing values that span the data's range and a little more.
    rows : table or ndarray (g, d)
        Inputs for a model: the grid in that column, medians elsewhere; a table of X's type if X is a table.
    """

    column: int
    label: str
    values: np.ndarray
    grid: np.ndarray
    rows: Any


def feature_names(X: Any) -> list[str]:
    """Names of the columns of X: its own, else ``x`` for a single column and ``x0, x1, …`` for several."""
    if hasattr(X, "columns"):
        return [str(name) for name in X.columns]
    width = np.shape(X)[1]
    return ["x"] if width == 1 else [f"x{column}" for column in range(width)]


def as_table_like(X, values):
    """The values (g, d) as a table of the type of X, if X is one: a model fitted on names wants them."""
    if not hasattr(X, "columns"):
        return values
    return type(X)({name: values[:, column] for column, name in enumerate(X.columns)})


def rows_along(X, column, grid):
    """Rows (g, d) with the grid (g,) in one column and the medians of X (n, d) in the others."""
    rows = np.tile(np.median(np.asarray(X, dtype=float), axis=0), (np.size(grid), 1))
    rows[:, column] = grid
    return as_table_like(X, rows)


def find_column(X: Any, along: int | str) -> int:
    """Position of the input `along`, given as a position or a name.

    Raises
    ------
    ValueError
        If X has no such column.
    """
    names = feature_names(X)
    if isinstance(along, str):
        if along not in names:
            raise ValueError(f"along must be one of the columns {names}; got {along!r}.")
        return names.index(along)
    if not -len(names) <= along < len(names):
        raise ValueError(f"along must be a position below {len(names)}; got {along!r}.")
    return range(len(names))[along]


def look_along(X: Any, along: int | str = 0, *, points: int = GRID_POINTS, padding: float = 0.05) -> Along:
    """Line through the input space along one column: the data's range, widened by `padding` of itself.

    Parameters
    ----------
    X : table or array-like (n, d)
    along : int or str, default 0
    points : int
        Grid points g.
    padding : float

    Returns
    -------
    Along

    Examples
    --------
    >>> import numpy as np
    >>> line = look_along(np.array([[0.0, 5.0], [10.0, 7.0]]), points=3)
    >>> line.rows
    array([[-0.5,  6. ],
           [ 5. ,  6. ],
           [10.5,  6. ]])
    """
    if not hasattr(X, "columns"):
        X = np.asarray(X, dtype=float)
    column = find_column(X, along)
    values = np.asarray(X, dtype=float)[:, column]
    grid = np.linspace(*padded_range(values, padding), points)
    return Along(column, feature_names(X)[column], values, grid, rows_along(X, column, grid))
