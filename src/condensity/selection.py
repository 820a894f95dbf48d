"""How many components: sweep a list of sizes, score each on held-out rows, stop when it only gets worse."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from condensity.kernels.rng import as_generator
from condensity.splitting import held_out_splits

#: Sizes tried, small to large; each needs `ROWS_PER_COMPONENT` rows a component.
SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48)
ROWS_PER_COMPONENT = 6
#: The sweep ends when a size is this many nats a row worse than the best so far.
GIVE_UP = 0.25


class Selection(NamedTuple):
    """What a sweep came to.

    Attributes
    ----------
    best : int
        The size with the best score.
    table : dict of lists
        'n_components' and 'score' (mean held-out log density, nats a row; larger is better), one entry a size tried.
    """

    best: Any
    table: dict


def candidate_sizes(n, sizes=SIZES) -> list:
    """Those of the sizes that n rows can carry."""
    return [k for k in sizes if k * ROWS_PER_COMPONENT <= n] or [1]


def sweep(held_out_scores, sizes, *, at_once=1, patience=None, ended=lambda: False) -> Selection:
    """Score sizes in order until one falls `GIVE_UP` behind, or patience ends; the best is chosen.

    Parameters
    ----------
    held_out_scores : callable (list of int) -> list of float
        Mean held-out log density with that many components, of `at_once` sizes at a time; larger is better.
    sizes : sequence of int
    at_once : int
        How many sizes can be scored side by side. Changes nothing but the time: what comes after the end is thrown away.
    patience : int, optional
        The sweep ends after so many sizes in a row that are no better than the best before them.
    ended : callable () -> bool, optional
        Whether to try no more sizes.

    Raises
    ------
    ArithmeticError
        For a score that is nan: it would win every comparison.
    """
    table: dict[str, list] = {"n_components": [], "score": []}

    def far_behind(group):
        for size, score in zip(group, held_out_scores(group), strict=True):
            if np.isnan(score):
                raise ArithmeticError(f"the held-out score of {size} components is nan")
            table["n_components"].append(size)
            table["score"].append(float(score))
            best = int(np.argmax(table["score"]))
            if score < table["score"][best] - GIVE_UP or len(table["score"]) - 1 - best == patience:
                return True
        return False

    for first in range(0, len(sizes), at_once):
        if far_behind(list(sizes[first : first + at_once])) or ended():
            break
    return Selection(table["n_components"][int(np.argmax(table["score"]))], table)


def select_n_components(
    estimator, X, y, *, sizes=None, parameter="n_components", validation_fraction=0.15, random_state=None, n_jobs=None
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
        The name of the parameter that is chosen, as for `set_params`; through a pipeline 'mdn__n_components'.
    validation_fraction : float
    random_state : None, int, numpy Generator or RandomState
        Of the split.
    n_jobs : int or None
        Sizes that are tried side by side, as in scikit-learn.

    Returns
    -------
    Selection

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

    def score(size):
        return np.mean(
            [_held_out_score(clone(estimator).set_params(**{parameter: size}), X, y, split) for split in splits]
        )

    return sweep(
        lambda group: Parallel(n_jobs=n_jobs)(delayed(score)(size) for size in group),
        sizes,
        at_once=effective_n_jobs(n_jobs),
    )


def _held_out_score(estimator, X, y, split):
    kept, held_out = split
    (x_kept, y_kept), (x_test, y_test) = (
        (_safe_indexing(X, rows), _safe_indexing(y, rows)) for rows in (kept, held_out)
    )
    return estimator.fit(x_kept, y_kept).score(x_test, y_test)
