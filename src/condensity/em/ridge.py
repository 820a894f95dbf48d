"""One Gaussian with shrunk covariances, conditioned, for every shrinkage at once: ridge regression by singular values.

In units of each column's fitted standard deviation, A are the centred rows of x over √n, B those of y, and A = U diag(s) Vᵀ:

    c = (1 − ρ) n / (n + ν₀),   λ = 1 − (1 − ρ)(1 − s₀/n),   h = c s² / (c s² + λ)
    mean of y at x:  x V diag(h / s) UᵀB,     covariance:  c (BᵀB − BᵀU diag(h) UᵀB) + λ I

which is p(y | x) of Σ = c S + λ I; that of `em.steps` differs by terms of s₀/n. It takes min(n, d)² d operations for all ρ,
where Cholesky factors take d³ for each.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve_triangular

from condensity.em.steps import CovarianceSpec
from condensity.engines.types import HALF_LOG_2PI, ROW_LOSS_CAP

#: Least λ, so that a shrinkage of 0 without prior can be worked out.
MIN_PENALTY = 1e-9


def ridge_log_density(
    spec: CovarianceSpec,
    z: np.ndarray,
    weight: np.ndarray,
    held_out: np.ndarray,
    n_inputs: int,
    shrinkages: Sequence[float],
) -> np.ndarray:
    """Log p(y | x) (r, m) of held-out rows for each of r shrinkages, of one component; −`ROW_LOSS_CAP` an output at least.

    Parameters
    ----------
    spec : CovarianceSpec
        Prior and ridge of the component.
    z : ndarray (n, d + q)
        Standardised rows (x, y) that it is fitted to, of `weight` (n,). Missing values of x count as the mean; rows that lack
        a y are left out.
    weight : ndarray (n,)
    held_out : ndarray (m, d + q)
        Rows to score; nan is the result for one that lacks a y.
    n_inputs : int
        d.
    shrinkages : sequence of r floats
    """
    known = ~np.isnan(z[:, n_inputs:]).any(axis=1)
    z, weight, n = z[known], weight[known], weight[known].sum()
    present = np.maximum((weight[:, None] * ~np.isnan(z)).sum(axis=0), np.finfo(float).tiny)
    center = np.nansum(weight[:, None] * z, axis=0) / present
    rows = np.sqrt(weight / n)[:, None] * np.nan_to_num(z - center)
    kept = n / (n + spec.degrees)
    scale = np.sqrt(kept * ((rows**2).sum(axis=0) + spec.prior / n) + spec.ridge + np.finfo(float).tiny)
    rows, target = rows / scale, (held_out - center) / scale
    left, values, right = np.linalg.svd(rows[:, :n_inputs], full_matrices=False)
    y, projected = rows[:, n_inputs:], np.nan_to_num(target[:, :n_inputs]) @ right.T
    on_left = left.T @ y
    result = []
    for shrinkage in shrinkages:
        share = (1.0 - shrinkage) * kept
        penalty = max(1.0 - (1.0 - shrinkage) * (1.0 - spec.prior / n), MIN_PENALTY)
        shrunk = share * values / (share * values**2 + penalty)
        residual = target[:, n_inputs:] - projected @ (shrunk[:, None] * on_left)
        explained = on_left.T @ ((shrunk * values)[:, None] * on_left)
        covariance = share * (y.T @ y - explained) + penalty * np.eye(y.shape[1])
        result.append(_normal_log_density(residual, covariance) - np.log(scale[n_inputs:]).sum())
    return np.maximum(np.array(result), -ROW_LOSS_CAP * y.shape[1])


def _normal_log_density(residual: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Log density (m,) of residuals (m, q) under a normal of mean 0 and a covariance (q, q); nan where a value is missing."""
    factor = np.linalg.cholesky(covariance)
    missing = np.isnan(residual).any(axis=1)
    whitened = solve_triangular(factor, np.where(missing[:, None], 0.0, residual).T, lower=True)
    log_density = -0.5 * (whitened**2).sum(axis=0) - np.log(np.diagonal(factor)).sum() - len(factor) * HALF_LOG_2PI
    return np.where(missing, np.nan, log_density)
