"""Start of EM: clusters of a few thousand rows."""

import numpy as np

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.em.steps import CovarianceSpec, GaussianMixtureParameters, maximise
from condensity.engines.types import SufficientStatistics

LLOYD_STEPS = 3

#: Rows used for clustering, at most: the larger of this number and this many per component.
MAX_ROWS, ROWS_PER_COMPONENT = 2000, 20

#: Complete rows needed per component; with fewer, missing values are imputed with the column means.
MIN_COMPLETE_ROWS = 10


def kmeans_start(
    x: np.ndarray,
    n_components: int,
    rng: np.random.Generator,
    weight: np.ndarray | None = None,
    *,
    spec: CovarianceSpec,
    compute: Compute = AUTO,
) -> GaussianMixtureParameters:
    """Greedy k-means++, three Lloyd steps, and MAP covariances of the clusters.

    Works on at most max(20 K, 2000) rows drawn at random. A cluster without rows (there may be fewer distinct
    rows than K) keeps its centre, has the prior's covariance, and counts as `MIN_COUNT` rows.

    Parameters
    ----------
    x : ndarray (n, d)
        Standardised rows, n ≥ 1; nan where a value is missing.
    n_components : int
        K ≥ 1; it may exceed n.
    rng : numpy Generator
    weight : ndarray (n,), optional
        Not negative; the sum positive.
    spec : CovarianceSpec
    compute : Compute

    Returns
    -------
    GaussianMixtureParameters
    """
    x, weight = _complete_rows(x, np.ones(len(x)) if weight is None else weight, n_components)
    limit = max(ROWS_PER_COMPONENT * n_components, MAX_ROWS)
    candidates = np.flatnonzero(weight > 0)
    if candidates.size > limit:
        candidates = rng.choice(candidates, limit, replace=False)
    x, weight = x[candidates], weight[candidates]
    uniforms = rng.random((n_components, 2 + int(np.log(n_components))))
    centres, nearest = engines.operation("kmeans", compute)(x, weight, uniforms, LLOYD_STEPS)
    return maximise(_cluster_statistics(x, weight, centres, nearest), centres, spec)


def _complete_rows(x: np.ndarray, weight: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows without missing values and their weights: the complete ones if these are many, else all, imputed."""
    missing = np.isnan(x)
    complete = ~missing.any(axis=1) & (weight > 0)
    if complete.all():
        return x, weight
    if complete.sum() >= MIN_COMPLETE_ROWS * n_components:
        return x[complete], weight[complete]
    observed = np.where(missing, 0.0, weight[:, None])
    means = (observed * np.where(missing, 0.0, x)).sum(axis=0) / np.maximum(observed.sum(axis=0), np.finfo(float).tiny)
    return np.where(missing, means, x), weight


def _cluster_statistics(
    x: np.ndarray, weight: np.ndarray, centres: np.ndarray, nearest: np.ndarray
) -> SufficientStatistics:
    """E step of k-means: γ_ik is 1 for the nearest centre and 0 for the others. No likelihood: nan."""
    n_components, d = centres.shape
    counts, first, second = np.zeros(n_components), np.zeros((n_components, d)), np.zeros((n_components, d, d))
    order = np.argsort(nearest, kind="stable")
    x, weight, ends = x[order], weight[order], np.searchsorted(nearest[order], np.arange(n_components + 1))
    for k in range(n_components):
        rows = slice(ends[k], ends[k + 1])
        residuals = x[rows] - centres[k]
        weighted = weight[rows, None] * residuals
        counts[k], first[k], second[k] = weight[rows].sum(), weighted.sum(axis=0), weighted.T @ residuals
    return SufficientStatistics(counts, first, second, np.nan)
