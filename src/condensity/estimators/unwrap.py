"""Distributions through scikit-learn's wrappers: pipelines, searches, transformed targets, votes and bags."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, StackingRegressor, VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from condensity._sklearn_compat import validate_data
from condensity.distributions import Distribution
from condensity.estimators.target_transformers import undo


def predict_dist(fitted: Any, X: Any, **options: Any) -> Distribution:
    """The distribution of y given each row of X, by a fitted estimator or whatever wraps one.

    Parameters
    ----------
    fitted : estimator, or a wrapper of scikit-learn around one, nested at will
        A Pipeline's other steps transform X; of a search, the best estimator answers. A TransformedTargetRegressor carries the
        distribution back through its transformer, which must be monotone. The members of a VotingRegressor, by their weights,
        and of a BaggingRegressor are mixed.
    X : as the wrapper's `predict` takes it
    **options
        For the estimator's `predict_dist`, such as `outside`.

    Returns
    -------
    Distribution
        n rows, in units of y. Its mean is what `predict` of the wrapper gives, but for a TransformedTargetRegressor, which
        transforms the mean instead: that is no mean of y.

    Raises
    ------
    TypeError
        Where there is no estimator with `predict_dist` inside, and where a wrapper's prediction has no distribution.
    ValueError
        For a transformer of the target that is not monotone.
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
    for wrapper, answer in WRAPPERS.items():
        if isinstance(fitted, wrapper):
            check_is_fitted(fitted)
            return answer(fitted, X, options)
    if hasattr(fitted, "best_estimator_"):
        return predict_dist(fitted.best_estimator_, X, **options)
    if hasattr(fitted, "predict_dist"):
        return fitted.predict_dist(X, **options)
    if hasattr(fitted, "param_grid") or hasattr(fitted, "param_distributions"):
        check_is_fitted(fitted)
        raise TypeError(
            f"This {type(fitted).__name__} was fitted with refit=False, so it has no best estimator; set refit=True."
        )
    raise TypeError(
        f"{type(fitted).__name__} has no distributions to give: an estimator of condensity is needed, or a Pipeline, search, "
        "TransformedTargetRegressor, VotingRegressor or BaggingRegressor of them. Mix the distributions of other ensembles with "
        "Mixture.mix, and transform targets with y_transform."
    )


def predict_quantiles(fitted: Any, X: Any, levels: npt.ArrayLike = (0.05, 0.5, 0.95), **options: Any) -> np.ndarray:
    """Conditional quantiles (n, m) in units of y for rows X (n, d) and levels (m,); fitted and options as for `predict_dist`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from condensity import JointGMMRegressor, predict_quantiles
    >>> pipeline = make_pipeline(StandardScaler(), JointGMMRegressor(1)).fit([[0.0], [1.0], [2.0]], [0.0, 1.1, 1.9])
    >>> predict_quantiles(pipeline, [[1.0], [2.0]], levels=[0.1, 0.9]).shape
    (2, 2)
    """
    return predict_dist(fitted, X, **options).ppf(np.atleast_1d(levels))


def predict_interval(fitted: Any, X: Any, level: float = 0.9, **options: Any) -> np.ndarray:
    """Central interval (n, 2) of probability `level` in units of y for rows X (n, d); fitted and options as for `predict_dist`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from condensity import JointGMMRegressor, predict_interval
    >>> pipeline = make_pipeline(StandardScaler(), JointGMMRegressor(1)).fit([[0.0], [1.0], [2.0]], [0.0, 1.1, 1.9])
    >>> predict_interval(pipeline, [[1.0], [2.0]]).shape
    (2, 2)
    """
    return predict_dist(fitted, X, **options).interval(level)


def predict_region(fitted: Any, X: Any, level: float = 0.9, **options: Any) -> list[np.ndarray]:
    """Highest-density region of probability `level` in units of y for rows X (n, d): n arrays (j, 2) of intervals.

    `fitted` and `options` are as for `predict_dist`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from condensity import JointGMMRegressor, predict_region
    >>> pipeline = make_pipeline(StandardScaler(), JointGMMRegressor(1)).fit([[0.0], [1.0], [2.0]], [0.0, 1.1, 1.9])
    >>> predict_region(pipeline, [[1.0]])[0].shape
    (1, 2)
    """
    return predict_dist(fitted, X, **options).region(level)


def _of_pipeline(fitted: Pipeline, X: Any, options: dict[str, Any]) -> Distribution:
    for _, step in fitted.steps[:-1]:
        X = X if step in (None, "passthrough") else step.transform(X)
    return predict_dist(fitted.steps[-1][1], X, **options)


def _of_transformed_target(fitted: TransformedTargetRegressor, X: Any, options: dict[str, Any]) -> Distribution:
    return undo(fitted.transformer_, predict_dist(fitted.regressor_, X, **options))


def _of_vote(fitted: VotingRegressor, X: Any, options: dict[str, Any]) -> Distribution:
    parts = [predict_dist(member, X, **options) for member in fitted.estimators_]
    if fitted.weights is None:
        return Distribution.mix(parts)
    weights = [w for (_, member), w in zip(fitted.estimators, fitted.weights, strict=True) if member != "drop"]
    return Distribution.mix(parts, np.array(weights, dtype=float) / np.sum(weights))


def _of_bag(fitted: BaggingRegressor, X: Any, options: dict[str, Any]) -> Distribution:
    return Distribution.mix([predict_dist(member, part, **options) for member, part in _members(fitted, X)])


def _members(bag: BaggingRegressor, X: Any) -> Iterator[tuple[Any, Any]]:
    """Every member of a bag, with the columns of X that it was fitted to, in an array as in `fit`."""
    rows = validate_data(bag, X, dtype=None, ensure_all_finite=False, reset=False)
    for member, columns in zip(bag.estimators_, bag.estimators_features_, strict=True):
        yield member, rows[:, columns]


def _of_stack(fitted: StackingRegressor, X: Any, options: dict[str, Any]) -> Distribution:
    raise TypeError(
        "StackingRegressor predicts y from the predictions of its members, not from X, so it has no distribution of y given X. "
        "Mix the members' distributions with Mixture.mix; predict_dist(stack.final_estimator_, stack.transform(X)) is that of y "
        "given the members' predictions."
    )


#: Wrapper → its distribution, from (fitted wrapper, X, options).
WRAPPERS: dict[type, Callable[[Any, Any, dict[str, Any]], Distribution]] = {
    Pipeline: _of_pipeline,
    TransformedTargetRegressor: _of_transformed_target,
    VotingRegressor: _of_vote,
    BaggingRegressor: _of_bag,
    StackingRegressor: _of_stack,
}
