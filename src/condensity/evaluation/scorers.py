"""The scores of `condensity.evaluation.scores` as scikit-learn's scorers: for `cross_val_score`, `GridSearchCV` and the like.

    cross_val_score(MDNRegressor(), X, y, scoring=scorers.neg_crps)

All are minus a mean loss, so that larger is better, and see through pipelines and searches.
"""

from functools import partial

from condensity._sklearn_compat import BaseScorer
from condensity.data import read_target
from condensity.estimators.unwrap import predict_dist
from condensity.evaluation import scores


class DensityScorer(BaseScorer):
    """Minus the mean of a proper score: a callable (estimator, X, y, sample_weight=None) -> float.

    Parameters
    ----------
    loss : callable (mixture, y) -> (n,) or (n, m)
        A function of `condensity.evaluation.scores`, or another of its kind.
    name : str
    """

    def __init__(self, loss, name):
        super().__init__(loss, -1, {}, "predict_dist")
        self.name = name

    def _score(self, method_caller, estimator, X, y_true, sample_weight=None):
        loss = self._score_func(predict_dist(estimator, X), read_target("y", y_true))
        return -float(scores.mean(loss if loss.ndim == 1 else loss.mean(axis=1), sample_weight=sample_weight))

    def __repr__(self):
        return f"<condensity.evaluation.scorers.{self.name}>"


neg_log_score = DensityScorer(scores.log_score, "neg_log_score")
neg_crps = DensityScorer(scores.crps, "neg_crps")
neg_energy_score = DensityScorer(scores.energy_score, "neg_energy_score")


def neg_pinball(levels=(0.05, 0.5, 0.95)):
    """Scorer of minus the pinball loss, the mean over levels (m,) in (0, 1)."""
    return DensityScorer(partial(scores.pinball, levels=levels), f"neg_pinball({levels!r})")


def neg_interval_score(level=0.9):
    """Scorer of minus the interval score of the central interval of this level."""
    return DensityScorer(partial(scores.interval_score, level=level), f"neg_interval_score({level!r})")


def neg_grid_proof_score(resolution):
    """Scorer of minus the log score of cells of y of this width, which narrow peaks on a rounded y cannot win."""
    return DensityScorer(
        partial(scores.grid_proof_score, resolution=resolution), f"neg_grid_proof_score({resolution!r})"
    )


__all__ = [
    "DensityScorer",
    "neg_crps",
    "neg_energy_score",
    "neg_grid_proof_score",
    "neg_interval_score",
    "neg_log_score",
    "neg_pinball",
]
