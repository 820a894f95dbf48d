"""Rivals that more than one benchmark compares with."""

import numpy as np
from sklearn.mixture import GaussianMixture

from condensity import Mixture


def condition_mixture(joint: GaussianMixture, X: np.ndarray) -> Mixture:
    """p(y | x) for rows X (n, 1) of scikit-learn's joint mixture of (x, y)."""
    mixture = Mixture(weights=joint.weights_[None], means=joint.means_[None], covariances=joint.covariances_[None])
    return mixture[np.zeros(len(X), dtype=int)].condition({0: X[:, 0]})


class ConditionedGMM:
    """scikit-learn's full Gaussian mixture of (x, y), conditioned: `fit` and `score` as our estimators have them."""

    def __init__(self, n_components: int, seed: int) -> None:
        self.model = GaussianMixture(n_components, covariance_type="full", random_state=seed)

    def fit(self, X: np.ndarray, y: np.ndarray) -> "ConditionedGMM":
        """Fit the joint density of X (n, 1) and y (n,)."""
        self.model.fit(np.column_stack([X, y]))
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """Mean conditional log density, in blocks of rows."""
        blocks = np.array_split(np.arange(len(y)), max(1, len(y) // 1000))
        return float(
            np.mean(np.concatenate([condition_mixture(self.model, X[rows]).logpdf(y[rows]) for rows in blocks]))
        )
