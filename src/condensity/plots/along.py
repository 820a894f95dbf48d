"""A line through the input space along one column: the others are held at their medians and modes."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from condensity.data import RawTable, read_numbers
from condensity.data.doors import as_table
from condensity.data.frame import column_labels, replace_columns
from condensity.data.typical import column_of_levels, occurring_levels, typical_rows
from condensity.plots.style import padded_range

GRID_POINTS = 241

#: Half the width that a level of a category has on its axis, where levels are 1 apart.
LEVEL_REACH = 0.4


class Along(NamedTuple):
    """A line through the input space.

    Attributes
    ----------
    column : int
        Position of the column that varies.
    label : str
        Its name.
    values : ndarray (n,)
        Its values in the data, in data units, NaN where they are missing; of a category the position of the level on the axis,
        spread so that dots do not cover each other.
    grid : ndarray (g,)
        Increasing values that span the range of the data and a little more. Of a category both ends of each level, with NaN
        between levels, where lines break.
    rows : table or ndarray (g, d)
        Inputs for a model, of the library of X: the grid in that column, medians of numbers and modes of categories elsewhere.
    levels : tuple of str
        Of a category; empty for numbers.
    """

    column: int
    label: str
    values: np.ndarray
    grid: np.ndarray
    rows: Any
    levels: tuple[str, ...] = ()

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the axis."""
        return (-0.5, len(self.levels) - 0.5) if self.levels else (float(self.grid[0]), float(self.grid[-1]))

    @property
    def spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Interval of the axis that every grid point stands for: lower and upper ends, (g,) each."""
        if self.levels:
            level = np.repeat(np.arange(len(self.levels)), 3)
            return level - 0.5, level + 0.5
        middle = 0.5 * (self.grid[1:] + self.grid[:-1])
        return np.append(self.grid[:1], middle), np.append(middle, self.grid[-1:])


def rows_along(X: Any, column: int, grid: npt.ArrayLike, *, categorical_features: npt.ArrayLike = "from_dtype") -> Any:
    """Typical rows of X, of its library, with the grid (g,) in one column.

    Parameters
    ----------
    X : table or array-like (n, d)
    column : int
        Position of the column.
    grid : array-like (g,)
        Numbers; of a category codes of its levels, NaN where it is missing.
    categorical_features : 'from_dtype' or array-like (c,)
        As estimators take it.

    Returns
    -------
    table or ndarray (g, d)

    Examples
    --------
    >>> rows_along([[0.0, 5.0], [10.0, 7.0]], 0, [1.0, 2.0])
    array([[1., 6.],
           [2., 6.]])
    """
    X = as_table("X", X)
    return _rows_along(X, read_numbers("X", X, categorical_features), column, np.asarray(grid, dtype=float))


def _rows_along(X: Any, raw: RawTable, column: int, grid: np.ndarray) -> Any:
    values = column_of_levels(X, raw, column, grid) if column in raw.categories else grid
    return replace_columns(typical_rows(X, raw, len(grid)), {column: values})


def find_column(X: Any, along: int | str) -> int:
    """Position of the column `along`, given as a position or a name.

    Parameters
    ----------
    X : table or ndarray (n, d)
    along : int or str

    Raises
    ------
    ValueError
        If X has no such column.

    Examples
    --------
    >>> find_column(np.zeros((5, 3)), -1), find_column(np.zeros((5, 3)), "x1")
    (2, 1)
    """
    names = column_labels(X)
    if isinstance(along, str):
        if along not in names:
            raise ValueError(f"along must be one of the columns {names}; got {along!r}.")
        return names.index(along)
    if not -len(names) <= along < len(names):
        raise ValueError(f"along must be a position below {len(names)}; got {along!r}.")
    return range(len(names))[along]


def look_along(
    X: Any,
    along: int | str = 0,
    *,
    points: int = GRID_POINTS,
    padding: float = 0.05,
    categorical_features: npt.ArrayLike = "from_dtype",
) -> Along:
    """Line through the input space along one column: the range of the data, widened by `padding` of itself, or all levels.

    Parameters
    ----------
    X : table or array-like (n, d)
    along : int or str, default 0
    points : int
        Grid points g of a column of numbers.
    padding : float
    categorical_features : 'from_dtype' or array-like (c,)
        As estimators take it.

    Returns
    -------
    Along

    Raises
    ------
    ValueError
        If X has no such column, or no value in it.

    Examples
    --------
    >>> line = look_along(np.array([[0.0, 5.0], [10.0, 7.0]]), points=3)
    >>> line.rows
    array([[-0.5,  6. ],
           [ 5. ,  6. ],
           [10.5,  6. ]])
    """
    X = as_table("X", X)
    column, raw = find_column(X, along), read_numbers("X", X, categorical_features)
    label, values = column_labels(X)[column], raw.values[:, column]
    if np.isnan(values).all():
        raise ValueError(f"column {label!r} has no value in any row; choose another column with along=.")
    if column in raw.categories:
        return _along_levels(X, raw, column, label)
    grid = np.linspace(*padded_range(values, padding), points)
    return Along(column, label, values, grid, _rows_along(X, raw, column, grid))


def _along_levels(X: Any, raw: RawTable, column: int, label: str) -> Along:
    levels, values = occurring_levels(raw, column), raw.values[:, column]
    level = np.arange(float(len(levels.texts)))
    grid = np.column_stack([level - LEVEL_REACH, level + LEVEL_REACH, np.full(len(level), np.nan)]).ravel()
    # Multiples of the golden ratio fill an interval evenly.
    spread = LEVEL_REACH * (2.0 * (np.arange(len(values)) * 0.618033988749895 % 1.0) - 1.0)
    positions = np.where(np.isnan(values), level[-1], values) + spread
    return Along(column, label, positions, grid, _rows_along(X, raw, column, np.repeat(levels.codes, 3)), levels.texts)
