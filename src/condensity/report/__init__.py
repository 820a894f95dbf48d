"""One self-contained HTML page about fitted models: numbers, slices, and the five charts of each."""

import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from condensity.data.frame import column_labels as feature_names
from condensity.persistence import check_writable, write_atomically
from condensity.report.builder import build_page
from condensity.report.study import DataSet, Fit, Study, most_correlated

__all__ = ["report"]


def report(models, X, y, path, *, names=None):
    """Write one self-contained HTML page about fitted models.

    The page holds, for each model, NLL, components, convergence, largest σ; slices p(y | x) of all models
    on one axes; and the five charts of data, draws, means, weights and scales. Charts run along the feature
    with the largest absolute Spearman correlation with y.

    Parameters
    ----------
    models : fitted estimator, sequence of them, or dict of name to estimator
    X : table or array-like (n, d)
        Rows to score and to draw; give rows that the models have not seen for an honest NLL.
    y : array-like (n,)
    path : path-like
        The file to write; replaced in one step if it exists.
    names : sequence of str, optional
        Names of the models of a sequence; their class names by default. Not with a dict.

    Returns
    -------
    pathlib.Path
        Absolute.

    Raises
    ------
    ValueError
        If there is no model, if two have one name, or if X and y differ in length.
    OSError
        If the file cannot be written; found out before anything is drawn.

    Examples
    --------
    >>> from condensity import MDNRegressor, report
    >>> model = MDNRegressor(random_state=0).fit(X_train, y_train)           # doctest: +SKIP
    >>> report({"MDN": model}, X_test, y_test, "mdn.html")                   # doctest: +SKIP
    """
    named = _name_models(models, names)
    if not hasattr(X, "columns"):
        X = np.asarray(X, dtype=float)
    target = str(getattr(y, "name", None) or "y")
    y = np.asarray(y, dtype=float).reshape(-1)
    if len(X) != y.size:
        raise ValueError(f"X and y must have the same number of rows; got {len(X)} and {y.size}.")
    path = check_writable(path)
    data = DataSet(
        name="data",
        X=X, y=y, X_test=X, y_test=y,
        split=f"{y.size} rows, all of them scored; the models were fitted elsewhere.",
        feature_names=tuple(feature_names(X)),
        target=target,
        along=most_correlated(np.asarray(X, dtype=float), y),
    )  # fmt: skip
    study = Study(data)
    for name, model in named.items():
        study.add(Fit(name, model))
    page = build_page(
        [study], title="Conditional densities", lead=f"p({target} | x) by {', '.join(named)}.", random_state=0
    )
    return write_atomically(path, page.encode("utf-8", errors="replace"))


def _name_models(models: Any, names: Sequence[str] | None) -> dict:
    """Models by name."""
    if isinstance(models, Mapping):
        if names is not None:
            raise ValueError("names belong to a sequence of models; a dict names them itself.")
        named = {str(name): model for name, model in models.items()}
    else:
        listed = [models] if hasattr(models, "predict_dist") else list(models)
        labels = [type(model).__name__ for model in listed] if names is None else [str(name) for name in names]
        if len(set(labels)) < len(listed) or len(labels) != len(listed):
            raise ValueError(f"names must hold one different name for each of the {len(listed)} models; got {labels}.")
        named = dict(zip(labels, listed, strict=True))
    if not named:
        raise ValueError("models is empty; give at least one fitted model.")
    return named


class _CallableModule(types.ModuleType):
    """The public function and this folder share a name, and importing the folder would hide the function."""

    def __call__(self, models, X, y, path, *, names=None):
        return report(models, X, y, path, names=names)


sys.modules[__name__].__class__ = _CallableModule
