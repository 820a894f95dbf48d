"""The page about models that are fitted already."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from condensity._sklearn_compat import check_sample_weight
from condensity.data import read_target, require_finite
from condensity.data.columns import target_names
from condensity.data.doors import as_table, open_table
from condensity.data.frame import take_rows
from condensity.estimators.unwrap import predict_dist
from condensity.persistence import check_writable, write_atomically
from condensity.plots.answers import categories_of
from condensity.report.axis import column_for_axis
from condensity.report.builder import build_page
from condensity.report.study import DataSet, Fit, studies_of


def write_report(
    models: Any,
    X: Any,
    y: Any,
    path: str | PathLike[str],
    *,
    names: Sequence[str] | None = None,
    sample_weight: npt.ArrayLike | None = None,
    along: int | str | None = None,
    random_state: int = 0,
) -> Path:
    """Write one self-contained HTML page about fitted models.

    The page holds, for each model, its NLL, components, convergence and largest σ; slices p(y | x) and p(x | y) of all models;
    and charts of data, draws, means, weights and scales, and of draws beyond the data. With several targets there is a section
    for all together, with numbers, and one for each, with charts.

    Parameters
    ----------
    models : fitted estimator, sequence of them, or dict of name to estimator
        Pipelines and searches that end in an estimator of condensity too.
    X : table or array-like (n, d)
        Rows to score and to draw, of whatever the models take: categories, missing values, any library. Rows that the models
        were not fitted to give an honest NLL.
    y : table or array-like (n,) or (n, q)
        Rows with missing values are left out; a note on the page says how many.
    path : path-like
        The file to write; replaced in one step if it exists.
    names : sequence of str, optional
        Names of the models of a sequence; their class names by default. Not with a dict.
    sample_weight : array-like (n,), optional
        Weights of the rows in the NLL.
    along : int or str, optional
        The column on the x axis of the charts; by default the column of numbers with the largest absolute Spearman correlation
        with y.
    random_state : int, default 0
        Seed of the draws that are shown.

    Returns
    -------
    pathlib.Path
        Absolute.

    Raises
    ------
    ValueError
        If there is no model, if two have one name, if X and y differ in length, or if a model has another number of targets.
    sklearn.exceptions.NotFittedError
    OSError
        If the file cannot be written; raised before anything is drawn.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from condensity import JointGMMRegressor, write_report
    >>> from condensity.datasets.synthetic import make_cross
    >>> X, y, *_ = make_cross(200, random_state=0)
    >>> model = JointGMMRegressor(3, random_state=0).fit(X[:150], y[:150])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report({"joint GMM": model}, X[150:], y[150:], pathlib.Path(folder) / "cross.html")
    ...     path.name
    'cross.html'
    """
    named = name_models(models, names)
    path = check_writable(path)
    data = evaluation_set(named, as_table("X", X), y, sample_weight, along)
    studies = studies_of(data, [Fit(name, model) for name, model in named.items()], along=along)
    page = build_page(
        studies,
        title="Conditional densities",
        lead=f"p({data.target} | x) by {', '.join(named)}.",
        random_state=random_state,
    )
    return write_atomically(path, page.encode("utf-8", errors="replace"))


def evaluation_set(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    sample_weight: npt.ArrayLike | None = None,
    along: int | str | None = None,
    name: str = "data",
) -> DataSet:
    """All rows of a table with a value of y, to score models that were fitted elsewhere.

    Parameters
    ----------
    models : mapping of str to fitted estimator
    X : table or ndarray (n, d)
    y : table or array-like (n,) or (n, q)
        In data units; rows with NaN are left out.
    sample_weight : array-like (n,), optional
    along : int or str, optional
        Position or name of the column on the x axis.
    name : str
        Of the data set.

    Raises
    ------
    ValueError
        As `write_report`.
    """
    targets, values = read_targets(y)
    if len(X) != len(values):
        raise ValueError(f"X and y must have the same number of rows; got {len(X)} and {len(values)}.")
    X, values, weight, _, notes = with_targets(X, values, read_weights(sample_weight, values))
    for label, model in models.items():
        _require_outputs(label, predict_dist(model, take_rows(X, [0])), len(targets))
    categories = next((c for c in map(categories_of, models.values()) if not isinstance(c, str)), "from_dtype")
    return DataSet(
        name,
        X=X, y=values, X_test=X, y_test=values,
        split=f"{len(values)} rows, all of them scored; the models were fitted elsewhere.",
        targets=targets,
        along=column_for_axis(X, values if values.ndim == 1 else values[:, 0], categories, along),
        categories=categories,
        notes=notes,
        weight=weight, weight_test=weight,
    )  # fmt: skip


def read_targets(y: Any) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values, (n,) for one target or (n, q) for several, of y from any library; NaN where a value is missing.

    Parameters
    ----------
    y : table, series or array-like (n,) or (n, q)

    Examples
    --------
    >>> import pandas as pd
    >>> read_targets(pd.Series([1.0, 2.0], name="price"))
    (('price',), array([1., 2.]))
    """
    y = open_table("y", y)
    values = np.asarray(read_target("y", y), dtype=float)
    values = values.reshape(len(values), -1)
    require_finite("y", values, missing_allowed=True)
    q = values.shape[1]
    names = target_names(y) or (("y",) if q == 1 else tuple(f"y{j}" for j in range(q)))
    return names, values[:, 0] if q == 1 else values


def read_weights(sample_weight: Any, y: np.ndarray) -> np.ndarray | None:
    """Weights (n,) of the rows of y (n,) or (n, q), of any library; None where there are none.

    Parameters
    ----------
    sample_weight : array-like (n,) or None
        Not negative.
    y : ndarray (n,) or (n, q)

    Raises
    ------
    ValueError
        For weights that are negative, missing or infinite, and where all are 0.
    """
    if sample_weight is None:
        return None
    weight = np.asarray(read_target("sample_weight", sample_weight), dtype=float)
    if not weight.any():
        raise ValueError(f"sample_weight must be positive in at least one row; it is 0 in all {len(weight)}.")
    return check_sample_weight(weight.reshape(len(weight)), y, dtype=np.float64, ensure_non_negative=True)


def with_targets(
    X: Any, y: np.ndarray, weight: np.ndarray | None, groups: Sequence[Any] | None = None
) -> tuple[Any, np.ndarray, np.ndarray | None, Sequence[Any] | None, tuple[str, ...]]:
    """Rows that have all values of y (n,) or (n, q), and a note on the others.

    Parameters
    ----------
    X : table or ndarray (n, d)
    y : ndarray (n,) or (n, q)
        NaN where a value is missing.
    weight : ndarray (n,) or None
    groups : sequence (n,) or None
        Labels of rows that belong together.

    Raises
    ------
    ValueError
        If there is no such row.
    """
    missing = np.isnan(y.reshape(len(y), -1)).any(axis=1)
    if missing.all():
        raise ValueError(f"y has no value in any of {len(y)} rows; there is nothing to score.")
    if not missing.any():
        return X, y, weight, groups, ()
    rows = np.flatnonzero(~missing)
    note = f"{int(missing.sum())} of {len(y)} rows have no value of y, and are left out."
    labels = None if groups is None else [groups[i] for i in rows.tolist()]
    return take_rows(X, rows), y[rows], None if weight is None else weight[rows], labels, (note,)


def _require_outputs(name: str, dist: Any, q: int) -> None:
    if dist.n_outputs != q:
        raise ValueError(
            f"{name} has {dist.n_outputs} targets, and y has {q} columns; give those that it was fitted to."
        )


def name_models(models: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """Models by name.

    Parameters
    ----------
    models : estimator, sequence of them, or mapping of name to estimator
    names : sequence of str or None

    Raises
    ------
    ValueError
        If there is none, or names do not fit.
    """
    if isinstance(models, Mapping):
        if names is not None:
            raise ValueError("names belong to a sequence of models; a dict names them itself.")
        named = {str(name): model for name, model in models.items()}
    else:
        listed = [models] if hasattr(models, "fit") or hasattr(models, "predict_dist") else list(models)
        labels = [type(model).__name__ for model in listed] if names is None else [str(name) for name in names]
        if len(set(labels)) < len(listed) or len(labels) != len(listed):
            raise ValueError(f"names must hold one different name for each of the {len(listed)} models; got {labels}.")
        named = dict(zip(labels, listed, strict=True))
    if not named:
        raise ValueError("models is empty; give at least one fitted model.")
    return named
