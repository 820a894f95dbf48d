"""The column of X on the x axis of the charts."""

from typing import Any

import numpy as np
import numpy.typing as npt

from condensity.data import read_numbers
from condensity.plots.along import find_column


def column_for_axis(X: Any, y: np.ndarray, categories: npt.ArrayLike, along: int | str | None) -> int:
    """Position of the column given or, without one, of the one that y (n,) follows most.

    Parameters
    ----------
    X : table or array-like (n, d)
    y : ndarray (n,)
        Without missing values.
    categories : 'from_dtype' or array-like (c,)
        Columns of X that are categories, as estimators take them.
    along : int, str or None
        Position or name of a column.
    """
    return most_correlated(X, y, categories) if along is None else find_column(X, along)


def most_correlated(X: Any, y: np.ndarray, categories: npt.ArrayLike = "from_dtype") -> int:
    """Position of the column of numbers whose absolute Spearman correlation with y (n,) is largest.

    Rows where a column is missing do not count for it. Constant columns correlate with nothing. Where nothing correlates, the
    first column of numbers; where there is none, the first category that has a value.

    Parameters
    ----------
    X : table or array-like (n, d)
    y : ndarray (n,)
        Without missing values.
    categories : 'from_dtype' or array-like (c,)
        Columns of X that are categories, as estimators take them.

    Examples
    --------
    >>> most_correlated(np.array([[1.0, 5.0], [1.0, 3.0], [2.0, 1.0]]), np.array([0.0, 1.0, 2.0]))
    1
    """
    raw = read_numbers("X", X, categories)
    has_value = ~np.isnan(raw.values).all(axis=0)
    numeric = [j for j in np.flatnonzero(has_value) if j not in raw.categories]
    if not numeric:
        return int(np.argmax(has_value))
    return int(numeric[np.argmax([abs(_spearman(raw.values[:, j], y)) for j in numeric])])


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    present = ~np.isnan(x)
    ranks = rankdata(np.column_stack([x[present], y[present]]), axis=0)
    ranks -= ranks.mean(axis=0)
    spread = np.sqrt((ranks**2).sum(axis=0))
    return float(ranks[:, 0] @ ranks[:, 1] / (spread[0] * spread[1])) if spread.all() else 0.0
