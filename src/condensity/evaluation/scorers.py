"""Scores as scikit-learn's scorers, for `cross_val_score`, `GridSearchCV` and whatever else takes `scoring`.

All are minus a mean loss of `condensity.scores`, so that larger is better, and reach through pipelines and searches.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from condensity._sklearn_compat import BaseScorer
from condensity.data import read_target
from condensity.distributions import Distribution
from condensity.estimators.unwrap import predict_dist
from condensity.evaluation import scores

#: A loss of `condensity.scores`: (dist, y) -> (n,) or (n, m).
Loss = Callable[[Distribution, npt.ArrayLike], np.ndarray]


class DensityScorer(BaseScorer):
    """Minus the mean of a proper score: a callable (estimator, X, y, sample_weight=None) -> float.

    Parameters
    ----------
    loss : callable (dist, y) -> (n,) or (n, m)
        A function of `condensity.scores`, or another of its kind; m losses per row are averaged.
    name : str
        Shown by `repr`.

    Examples
    --------
    >>> from functools import partial
    >>> from condensity import JointGMMRegressor, scores
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.scorers import DensityScorer
    >>> problem = make_cross(300, random_state=0)
    >>> model = JointGMMRegressor(4, random_state=0).fit(problem.X, problem.y)
    >>> scorer = DensityScorer(partial(scores.pinball, levels=0.5), "neg_median_loss")
    >>> scorer(model, problem.X, problem.y) < 0
    True
    """

    def __init__(self, loss: Loss, name: str):
        super().__init__(loss, -1, {}, "predict_dist")
        self.name = name

    def _score(
        self, method_caller: Any, estimator: Any, X: Any, y_true: Any, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        loss = self._score_func(predict_dist(estimator, X), read_target("y", y_true))
        return -float(scores.mean(loss if loss.ndim == 1 else loss.mean(axis=1), sample_weight=sample_weight))

    def __repr__(self) -> str:
        return f"<condensity.evaluation.scorers.{self.name}>"


#: Mean log density, in nats per row.
neg_log_score: DensityScorer = DensityScorer(scores.log_score, "neg_log_score")

#: Minus the mean CRPS, in units of y.
neg_crps: DensityScorer = DensityScorer(scores.crps, "neg_crps")

#: Minus the mean energy score, in units of y.
neg_energy_score: DensityScorer = DensityScorer(scores.energy_score, "neg_energy_score")


def neg_pinball(levels: float | Sequence[float] = (0.05, 0.5, 0.95)) -> DensityScorer:
    """Scorer of minus the pinball loss, in units of y.

    Parameters
    ----------
    levels : float or sequence of float (m,)
        In (0, 1); the losses of all levels are averaged.

    Examples
    --------
    >>> from condensity.scorers import neg_pinball
    >>> neg_pinball([0.1, 0.9])
    <condensity.evaluation.scorers.neg_pinball([0.1, 0.9])>
    """
    return DensityScorer(partial(scores.pinball, levels=levels), f"neg_pinball({levels!r})")


def neg_interval_score(level: float = 0.9) -> DensityScorer:
    """Scorer of minus the interval score of central intervals, in units of y.

    Parameters
    ----------
    level : float
        Of the intervals, in (0, 1).

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from condensity import JointGMMRegressor, scorers
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(300, random_state=0)
    >>> model = JointGMMRegressor(4, random_state=0)
    >>> cross_val_score(model, problem.X, problem.y, cv=3, scoring=scorers.neg_interval_score(0.8)).shape
    (3,)
    """
    return DensityScorer(partial(scores.interval_score, level=level), f"neg_interval_score({level!r})")


def neg_grid_proof_score(resolution: float) -> DensityScorer:
    """Scorer of minus the log score of cells of y, in nats, which narrow peaks on a rounded y do not raise.

    Parameters
    ----------
    resolution : float
        Width of the cells in units of y: the distance between neighbouring values that y can take.

    Examples
    --------
    >>> from condensity.scorers import neg_grid_proof_score
    >>> neg_grid_proof_score(0.5)
    <condensity.evaluation.scorers.neg_grid_proof_score(0.5)>
    """
    return DensityScorer(
        partial(scores.grid_proof_score, resolution=resolution), f"neg_grid_proof_score({resolution!r})"
    )


#: Scorers that need no number of the user's.
BY_NAME: dict[str, DensityScorer] = {
    "neg_crps": neg_crps,
    "neg_energy_score": neg_energy_score,
    "neg_interval_score": neg_interval_score(),
    "neg_log_score": neg_log_score,
    "neg_pinball": neg_pinball(),
}


def get_scorer_names() -> list[str]:
    """Names that `get_scorer` takes, in order, as `sklearn.metrics.get_scorer_names`.

    Examples
    --------
    >>> from condensity.scorers import get_scorer_names
    >>> get_scorer_names()
    ['neg_crps', 'neg_energy_score', 'neg_interval_score', 'neg_log_score', 'neg_pinball']
    """
    return sorted(BY_NAME)


def get_scorer(scoring: str | Callable[..., float]) -> Callable[..., float]:
    """A scorer by its name, for `scoring=` of scikit-learn; as `sklearn.metrics.get_scorer`, which does not have these.

    Parameters
    ----------
    scoring : str or callable
        One of `get_scorer_names()`, pinball and interval scores at their default levels. A callable is given back.

    Returns
    -------
    callable (estimator, X, y, sample_weight=None) -> float
        Larger is better.

    Raises
    ------
    ValueError
        For other names.

    Examples
    --------
    >>> from condensity.scorers import get_scorer
    >>> get_scorer("neg_crps")
    <condensity.evaluation.scorers.neg_crps>
    """
    if callable(scoring):
        return scoring
    if scoring == "neg_grid_proof_score":
        raise ValueError("neg_grid_proof_score needs the resolution of y: scorers.neg_grid_proof_score(resolution).")
    if scoring not in BY_NAME:
        raise ValueError(f"scoring must be one of {', '.join(get_scorer_names())}, or a callable; got {scoring!r}.")
    return deepcopy(BY_NAME[scoring])


__all__ = [
    "DensityScorer",
    "get_scorer",
    "get_scorer_names",
    "neg_crps",
    "neg_energy_score",
    "neg_grid_proof_score",
    "neg_interval_score",
    "neg_log_score",
    "neg_pinball",
]
