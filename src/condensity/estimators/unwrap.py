"""Distributions through scikit-learn's wrappers: pipelines, searches and the like."""

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from condensity.distributions import Mixture


def predict_dist(fitted: Any, X: Any, **options: Any) -> Mixture:
    """The distribution of y given each row of X, by a fitted estimator or whatever wraps one.

    Parameters
    ----------
    fitted : estimator, Pipeline, search (GridSearchCV and the like) or FrozenEstimator, nested at will
        The last step must be an estimator of condensity. A pipeline's other steps transform X.
    X : as the wrapper's `predict` takes it
    **options
        For the estimator's `predict_dist`, such as `outside`.

    Returns
    -------
    Mixture

    Raises
    ------
    TypeError
        Where there is no estimator with `predict_dist` inside.
    sklearn.exceptions.NotFittedError

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from condensity import JointGMMRegressor, predict_dist
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(200, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), JointGMMRegressor(3, random_state=0)).fit(problem.X, problem.y)
    >>> predict_dist(pipeline, problem.X[:5])
    <Mixture: 5 rows, 3 components, 1 output>
    """
    estimator, X = _innermost(fitted, X)
    return estimator.predict_dist(X, **options)


def _innermost(fitted: Any, X: Any) -> tuple[Any, Any]:
    """The estimator that predicts, and X as it comes to it."""
    if isinstance(fitted, Pipeline):
        check_is_fitted(fitted)
        for _, step in fitted.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        return _innermost(fitted.steps[-1][1], X)
    if hasattr(fitted, "best_estimator_"):
        return _innermost(fitted.best_estimator_, X)
    if hasattr(fitted, "predict_dist"):
        return fitted, X
    if hasattr(fitted, "param_grid") or hasattr(fitted, "param_distributions"):
        check_is_fitted(fitted)
        raise TypeError(
            f"This {type(fitted).__name__} was fitted with refit=False, so it has no best estimator; set refit=True."
        )
    raise TypeError(
        f"{type(fitted).__name__} has no distributions to give: an estimator of condensity is needed, or a Pipeline or search "
        "that ends in one."
    )
