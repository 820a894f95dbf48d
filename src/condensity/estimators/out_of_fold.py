"""Out-of-fold distributions: every row predicted by models that were fitted without it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

from condensity._sklearn_compat import safe_indexing
from condensity.distributions import Distribution
from condensity.estimators.unwrap import predict_dist

#: Log g of rows that no fold holds out: exp of it is 0.
LOG_NOTHING = -1e4


def cross_val_predict_dist(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    params: dict[str, Any] | None = None,
    outside: str = "ignore",
) -> Distribution:
    """The distribution of y given each row of X, by fits that held the row out: as `cross_val_predict`, for distributions.

    Parameters
    ----------
    estimator : estimator of condensity, or a wrapper of scikit-learn around one, such as a Pipeline
        Cloned for every fold; see `predict_dist` for wrappers.
    X : array-like or data frame (n, d)
    y : array-like (n,) or (n, q)
    groups : array-like (n,), optional
        For the splitter. An estimator that shall keep groups together in its own splits too takes them in `params`.
    cv : int, splitter of scikit-learn, iterable of (train, test), or None
        As in scikit-learn; None is five folds.
    n_jobs : int or None
        Folds that are fitted at the same time, as in scikit-learn.
    params : dict, optional
        Of `fit`, such as ``{"sample_weight": w}`` or, through a pipeline, ``{"mdn__sample_weight": w}``; values with n rows are
        split as X is.
    outside : {'ignore', 'deficient', 'prior', 'warn', 'raise'}
        As for `predict_dist`, by the support of each fold.

    Returns
    -------
    Distribution
        n rows, in the order of X. Rows that several folds hold out (repeated splits) are mixtures of their predictions; rows that
        none does (the first of a TimeSeriesSplit) have mass 0. Where the y_transform of folds learned different numbers, it is of
        the kind `Gathered`, which has the verbs of all.

    Raises
    ------
    ValueError
        For lengths that differ, for a `cv` without test rows, and where rows held out repeatedly had different transforms.

    Examples
    --------
    >>> from condensity import JointGMMRegressor, cross_val_predict_dist
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(200, random_state=0)
    >>> dist = cross_val_predict_dist(JointGMMRegressor(3, random_state=0), problem.X, problem.y, cv=3)
    >>> len(dist), dist.ppf([0.1, 0.9]).shape
    (200, (200, 2))
    """
    X, y, groups = indexable(X, y, groups)
    n = len(y) if hasattr(y, "__len__") else y.shape[0]
    splits = list(check_cv(cv, y).split(X, y, groups))
    if not sum(len(_positions(test, n)) for _, test in splits):
        raise ValueError(f"cv must hold out rows; {cv!r} holds out none.")
    fit_params = {} if params is None else params
    parts = Parallel(n_jobs=n_jobs)(
        delayed(_predict_fold)(clone(estimator), X, y, _positions(train, n), _positions(test, n), fit_params, outside)
        for train, test in splits
    )
    rows = np.concatenate([_positions(test, n) for _, test in splits])
    return _in_order(Distribution.concatenate([part for part in parts if part is not None]), rows, n)


def _predict_fold(
    estimator: Any, X: Any, y: Any, train: np.ndarray, test: np.ndarray, params: dict[str, Any], outside: str
) -> Distribution | None:
    """Distributions of the rows at test (t,), by a fit to those at train (f,); None without test rows."""
    if not len(test):
        return None
    n = len(train) and (len(y) if hasattr(y, "__len__") else y.shape[0])
    own = {name: safe_indexing(value, train) if _has_rows(value, n) else value for name, value in params.items()}
    fitted = estimator.fit(safe_indexing(X, train), safe_indexing(y, train), **own)
    return predict_dist(fitted, safe_indexing(X, test), outside=outside)


def _in_order(dist: Distribution, rows: np.ndarray, n: int) -> Distribution:
    """Predictions of rows (r,) of a table of n, one for each row of the table."""
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=n)
    first = np.cumsum(counts) - counts
    if (counts == 1).all():
        return dist[order]
    times = np.arange(counts.max())
    # Where a row is held out less often than others, some prediction stands in, with weight 0.
    place = np.where(times < counts[:, None], first[:, None] + times, 0)
    shares: npt.NDArray[Any] = np.where(
        times < np.maximum(counts, 1)[:, None], 1.0 / np.maximum(counts, 1)[:, None], 0.0
    )
    mixed = (
        Distribution.mix([dist[order[place[:, j]]] for j in times], shares)
        if len(times) > 1
        else dist[order[place[:, 0]]]
    )
    return mixed if counts.all() else mixed.gated(np.where(counts > 0, 0.0, LOG_NOTHING))


def _positions(rows: Any, n: int) -> np.ndarray:
    """Positions of the rows of a split of n, which may be a mask."""
    return np.arange(n)[np.asarray(rows)]


def _has_rows(value: Any, n: int) -> bool:
    """Whether a parameter of `fit` has a value for each of n rows."""
    shape = getattr(value, "shape", None)
    length = shape[0] if shape else len(value) if isinstance(value, (list, tuple)) else None
    return length == n
