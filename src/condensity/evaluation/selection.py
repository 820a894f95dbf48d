"""Number of components for any estimator: a sweep over sizes, each scored on held-out rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from condensity._sklearn_compat import safe_indexing
from condensity.data.splitting import RowSplit, held_out_splits
from condensity.em.sweep import Selection, candidate_sizes, sweep
from condensity.random import as_generator

__all__ = ["Selection", "candidate_sizes", "select_n_components", "sweep"]


def select_n_components(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    *,
    sizes: Sequence[int] | None = None,
    parameter: str = "n_components",
    validation_fraction: float = 0.15,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> Selection:
    """Choose a size for any estimator by the `score` of held-out rows: for densities, their mean log density.

    One random part is held out; below 300 rows, every row once, in five folds.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Cloned for every fit. Its score must be on the scale of nats a row for the sweep to end at the right place.
    X : array-like or data frame (n, d)
    y : array-like (n,) or (n, q)
    sizes : sequence of int, optional
        Tried in this order; default: those of 1, 2, 4, … 48 that n rows can carry.
    parameter : str
        Name of the parameter that is chosen, as for `set_params`; through a pipeline 'mdn__n_components'.
    validation_fraction : float
        Share of the rows that is held out, in (0, 1).
    random_state : None, int, numpy Generator or RandomState
        Of the split.
    n_jobs : int or None
        Sizes that are tried at the same time, as in scikit-learn.

    Returns
    -------
    Selection
        The best size, and the score of each.

    Raises
    ------
    ValueError
        For no sizes, and whatever `fit` and `score` refuse.

    Examples
    --------
    >>> from condensity import MDNRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.selection import select_n_components
    >>> problem = make_cross(400, random_state=0)
    >>> select_n_components(MDNRegressor(random_state=0), problem.X, problem.y, sizes=[1, 4], random_state=0).best
    4
    """
    from joblib import Parallel, delayed, effective_n_jobs

    n = len(X) if hasattr(X, "__len__") else X.shape[0]
    splits = held_out_splits(n, validation_fraction, as_generator(random_state, "select"))
    sizes = candidate_sizes(min(len(kept) for kept, _ in splits)) if sizes is None else list(sizes)
    if not sizes:
        raise ValueError("sizes must hold at least one size; it is empty.")

    def score(size: int) -> np.floating:
        return np.mean(
            [_held_out_score(clone(estimator).set_params(**{parameter: size}), X, y, split) for split in splits]
        )

    return sweep(
        lambda group: Parallel(n_jobs=n_jobs)(delayed(score)(size) for size in group),
        sizes,
        at_once=effective_n_jobs(n_jobs),
    )


def _held_out_score(estimator: Any, X: Any, y: Any, split: RowSplit) -> float:
    kept, held_out = split
    (x_kept, y_kept), (x_test, y_test) = ((safe_indexing(X, rows), safe_indexing(y, rows)) for rows in (kept, held_out))
    return estimator.fit(x_kept, y_kept).score(x_test, y_test)
