"""Models that do no harm: a marginal that ignores X, a normal about a line, and both, weighted by held-out rows."""

from itertools import product

import numpy as np
from scipy import stats
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from condensity import Mixture

#: Smallest standard deviation: without noise rounding would decide how good these models are.
MIN_SD = 0.01

Folds = list[tuple[np.ndarray, np.ndarray]]


def folds_of(groups: np.ndarray, most: int) -> Folds:
    """Parts of rows of groups (n,) by whole groups, at most so many."""
    n_splits = min(most, len(np.unique(groups)))
    return list(GroupKFold(n_splits).split(groups, groups=groups))


class Marginal:
    """A mixture of normals of y (n, q); the number of components and the covariances by held-out rows."""

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> "Marginal":
        """Fit y of rows that belong together in groups (n,); X is not used."""

        def held_out(settings: tuple[int, str]) -> float:
            return sum(fit_mixture(settings, y[kept]).score(y[left]) * len(left) for kept, left in folds_of(groups, 3))

        self.mixture = fit_mixture(max(product((1, 2, 4), ("full", "diag")), key=held_out), y)
        return self

    def logpdf(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log density (n,) of y (n, q)."""
        return self.mixture.score_samples(y)

    def components(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (K,), means (n, K, q) and covariances (K, q, q) for rows X (n, d)."""
        means, covariances = self.mixture.means_, self.mixture.covariances_
        if self.mixture.covariance_type == "diag":
            covariances = covariances[:, :, None] * np.eye(means.shape[1])
        return self.mixture.weights_, np.broadcast_to(means, (len(X), *means.shape)), covariances


def fit_mixture(settings: tuple[int, str], y: np.ndarray) -> GaussianMixture:
    """Mixture of so many normals, at most one for two rows, with covariances of a kind."""
    n_components, covariance = min(settings[0], len(y) // 2), settings[1]
    floor = MIN_SD**2
    return GaussianMixture(n_components, covariance_type=covariance, reg_covar=floor, max_iter=50, random_state=0).fit(
        y
    )


class LinearNormal:
    """A normal about a ridge regression, with the shrunken covariance of the errors on held-out rows."""

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> "LinearNormal":
        """Fit X (n, d) and y (n, q) of rows that belong together in groups (n,)."""
        self.ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 5, 17))).fit(X, y)
        fixed = make_pipeline(StandardScaler(), Ridge(self.ridge[-1].alpha_))
        held_out = cross_val_predict(fixed, X, y, cv=folds_of(groups, 10)).reshape(y.shape)
        shrunken = LedoitWolf(assume_centered=True).fit(y - held_out).covariance_
        self.covariance = shrunken + MIN_SD**2 * np.eye(y.shape[1])
        return self

    def logpdf(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log density (n,) of y (n, q) for rows X (n, d)."""
        errors = y - self.ridge.predict(X).reshape(y.shape)
        return np.atleast_1d(stats.multivariate_normal(cov=self.covariance).logpdf(errors))

    def components(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (1,), means (n, 1, q) and covariances (1, q, q) for rows X (n, d)."""
        return np.ones(1), self.ridge.predict(X).reshape(len(X), 1, -1), self.covariance[None]


class StackedTrivial:
    """Both, with weights by EM on held-out log densities: `fit`, `score` and `predict_dist` as our estimators have them."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None) -> "StackedTrivial":
        """Fit X (n, d) and y (n,) or (n, q) of rows that belong together in groups (n,), if at all."""
        y, groups = y.reshape(len(X), -1), np.arange(len(X)) if groups is None else groups

        def members(kept: np.ndarray) -> list[Marginal | LinearNormal]:
            return [make().fit(X[kept], y[kept], groups[kept]) for make in (Marginal, LinearNormal)]

        held_out = [
            np.column_stack([member.logpdf(X[left], y[left]) for member in members(kept)])
            for kept, left in folds_of(groups, 5)
        ]
        self.weights, self.members = stacking_weights(np.concatenate(held_out)), members(np.arange(len(X)))
        return self

    def predict_dist(self, X: np.ndarray) -> Mixture:
        """p(y | x) for rows X (n, d)."""
        parts = [member.components(X) for member in self.members]
        means = np.concatenate([mean for _, mean, _ in parts], axis=1)
        weights = np.concatenate([share * weight for share, (weight, _, _) in zip(self.weights, parts, strict=True)])
        weights = np.broadcast_to(weights / weights.sum(), means.shape[:2])
        covariances = np.concatenate([covariance for _, _, covariance in parts])
        if means.shape[2] == 1:
            scales = np.broadcast_to(np.sqrt(covariances[:, 0, 0]), means.shape[:2])
            return Mixture(weights=weights, means=means[..., 0], scales=scales)
        covariances = np.broadcast_to(covariances, (*means.shape, means.shape[2]))
        return Mixture(weights=weights, means=means, covariances=covariances)

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """Mean log density of y (n,) or (n, q) for rows X (n, d)."""
        logs = np.column_stack([member.logpdf(X, y.reshape(len(X), -1)) for member in self.members])
        return float(logsumexp(logs, b=self.weights, axis=1).mean())


def stacking_weights(logs: np.ndarray, steps: int = 200) -> np.ndarray:
    """Weights (m,) of models by EM on their held-out log densities (n, m), with half a row for each."""
    weights = np.full(logs.shape[1], 1 / logs.shape[1])
    for _ in range(steps):
        shares = np.exp(logs + np.log(weights) - logsumexp(logs, b=weights, axis=1, keepdims=True))
        weights = (shares.sum(axis=0) + 0.5) / (len(logs) + 0.5 * len(weights))
    return weights
