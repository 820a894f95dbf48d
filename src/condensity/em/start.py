"""Where EM begins: clusters of a few thousand rows."""

import numpy as np

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.em.steps import maximise
from condensity.engines.reference.gaussians import SufficientStatistics

LLOYD_STEPS = 3

#: Rows that clusters are found in, at least, and for every component.
MOST_ROWS, ROWS_PER_COMPONENT = 2000, 20

#: Complete rows that are needed for every component; with fewer, gaps are filled by means of their columns.
COMPLETE_ROWS = 10


def kmeans_start(x, n_components, rng, weight=None, *, spec, compute: Compute = AUTO):
    """Greedy k-means++, three Lloyd steps, and MAP covariances of the clusters.

    Works on at most max(20 K, 2000) rows drawn at random. A cluster without rows (there may be fewer distinct
    rows than K) keeps its centre, has the prior's covariance, and a weight of `SMALLEST_COUNT` rows.

    Parameters
    ----------
    x : ndarray (n, d)
        Standardised rows, n ≥ 1; nan where there is a gap.
    n_components : int
        K ≥ 1; it may exceed n.
    rng : numpy Generator
    weight : ndarray (n,), optional
        Not negative; the sum positive.
    form : CovarianceSpec
    compute : Compute

    Returns
    -------
    GaussianMixtureParameters
    """
    x, weight = _without_gaps(x, np.ones(len(x)) if weight is None else weight, n_components)
    limit = max(ROWS_PER_COMPONENT * n_components, MOST_ROWS)
    candidates = np.flatnonzero(weight > 0)
    if candidates.size > limit:
        candidates = rng.choice(candidates, limit, replace=False)
    x, weight = x[candidates], weight[candidates]
    uniforms = rng.random((n_components, 2 + int(np.log(n_components))))
    centres, nearest = engines.operation("kmeans", compute)(x, weight, uniforms, LLOYD_STEPS)
    return maximise(_cluster_sums(x, weight, centres, nearest), centres, spec)


def _without_gaps(x, weight, n_components):
    gaps = np.isnan(x)
    complete = ~gaps.any(axis=1) & (weight > 0)
    if complete.all():
        return x, weight
    if complete.sum() >= COMPLETE_ROWS * n_components:
        return x[complete], weight[complete]
    known = np.where(gaps, 0.0, weight[:, None])
    means = (known * np.where(gaps, 0.0, x)).sum(axis=0) / np.maximum(known.sum(axis=0), np.finfo(float).tiny)
    return np.where(gaps, means, x), weight


def _cluster_sums(x, weight, centres, nearest):
    """The E step of k-means: γ_ik is 1 for the nearest centre and 0 for the others. No likelihood: nan."""
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
