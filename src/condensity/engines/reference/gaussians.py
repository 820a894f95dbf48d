"""Mixtures of Gaussians over rows of a table: densities, the sums of an E step, conditionals. NumPy float64, to be read.

Letters: n rows x_i with weights v_i, a columns, K components with weights w_k and Σ_k = L_k L_kᵀ (Cholesky).

    z = L_k⁻¹ (x − μ_k)        log N(x | μ_k, Σ_k) = −½ zᵀz − Σ_j log L_k,jj − ½ a log 2π
    p(x_i) = Σ_k w_k N(x_i | μ_k, Σ_k)        γ_ik = w_k N(x_i | μ_k, Σ_k) / p(x_i)

The centred form is used throughout: no second moment about the origin is ever formed, so nothing cancels for clusters that
are narrow and far from 0, as it does where log N is expanded into quadratic features of x: those lose μ²/σ² of the digits.
Rows are taken in blocks: no (K, rows, a) array exceeds a few MB.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

LOG_2PI = np.log(2.0 * np.pi)

#: Numbers in one (K, rows, a) block: 2^18 float64 are 2 MB, which a core's second-level cache just holds.
BLOCK_SIZE = 2**18

#: Triangles of more columns than this are inverted one by one by LAPACK, others all at once.
SIDE_BY_SIDE = 32


class GaussianComponents(NamedTuple):
    """K weighted normals over a columns, ready to be evaluated.

    Attributes
    ----------
    log_constants : ndarray (K,)
        log w_k − Σ_j log L_k,jj − ½ a log 2π; −inf for a component of weight 0.
    means : ndarray (K, a)
    inverse_factors : ndarray (K, a, a) or (K, a)
        L_k⁻¹, lower triangles; or 1/σ, where the columns of a component are independent.
    """

    log_constants: np.ndarray
    means: np.ndarray
    inverse_factors: np.ndarray


class SufficientStatistics(NamedTuple):
    """Sums over rows; those of two parts of a table add up to those of the whole.

    Attributes
    ----------
    counts : ndarray (K,)
        Σ_i v_i γ_ik
    first : ndarray (K, a)
        Σ_i v_i γ_ik u_ik, with u_ik = x_i − μ_k about the *current* mean
    second : ndarray (K, a, a) or (K, a)
        Σ_i v_i γ_ik u_ik u_ikᵀ, or its diagonal where the columns of a component are independent
    log_likelihood : float
        Σ_i v_i log p(x_i)
    """

    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: float


def gaussian_components(weights, means, factors) -> GaussianComponents:
    """From weights (K,), means (K, a) and Cholesky factors (K, a, a), or standard deviations (K, a)."""
    with np.errstate(divide="ignore"):  # weight 0: −inf is the answer
        log_weights = np.log(weights)
    edge = factors if factors.ndim == 2 else np.diagonal(factors, axis1=1, axis2=2)
    inverse = 1.0 / factors if factors.ndim == 2 else inverse_triangles(factors)
    return GaussianComponents(log_weights - np.log(edge).sum(axis=1) - 0.5 * edge.shape[1] * LOG_2PI, means, inverse)


def inverse_triangles(factors):
    """Inverses of lower triangles (K, a, a), by forward substitution."""
    a = factors.shape[1]
    if a == 1:
        return 1.0 / factors
    if a > SIDE_BY_SIDE:
        return np.array([solve_triangular(factor, np.eye(a), lower=True) for factor in factors])
    inverse = np.zeros_like(factors)
    for i in range(a):
        inverse[:, i, i] = 1.0
        inverse[:, i, :i] -= np.einsum("kj,kjl->kl", factors[:, i, :i], inverse[:, :i, :i])
        inverse[:, i] /= factors[:, i, i, None]
    return inverse


def gaussian_terms(gaussians, x):
    """Log w_k + log N(x_i | μ_k, Σ_k) for every row and component, (n, K), for x (n, a)."""
    result = np.empty((len(x), len(gaussians.means)))
    for rows, _, _, terms in _blocks(gaussians, x):
        result[rows] = terms
    return result


def gaussian_log_density(gaussians, x):
    """Log p(x_i) = logsumexp_k [log w_k + log N(x_i | μ_k, Σ_k)], (n,), for x (n, a)."""
    result = np.empty(len(x))
    for rows, _, _, terms in _blocks(gaussians, x):
        result[rows], _ = _normalise(terms)
    return result


def gaussian_sums(gaussians, x, weight) -> SufficientStatistics:
    """The E step: expected sums over rows x (n, a) with weights (n,), moments about the current means."""
    counts, first, second = (np.zeros_like(part) for part in gaussians)
    log_likelihood = 0.0
    for rows, residuals, _, terms in _blocks(gaussians, x):
        log_density, responsibilities = _normalise(terms)
        shares = (responsibilities * weight[rows, None]).T  # (K, m)
        weighted = shares[:, :, None] * residuals
        counts += shares.sum(axis=1)
        first += weighted.sum(axis=1)
        if second.ndim == 3:
            second += weighted.transpose(0, 2, 1) @ residuals
        else:
            second += (weighted * residuals).sum(axis=1)
        log_likelihood += weight[rows] @ log_density
    return SufficientStatistics(counts, first, second, float(log_likelihood))


def gaussian_conditional(gaussians, slopes, offsets, x):
    """Weights and means of other columns, given rows x (n, a).

    Parameters
    ----------
    gaussians : GaussianComponents
        Over the given columns.
    slopes : ndarray (K, q, a)
        L_ba, the rows of the other columns in the Cholesky factor of all: their mean moves by L_ba z.
    offsets : ndarray (K, q)
        Means of the other columns.
    x : ndarray (n, a)

    Returns
    -------
    log_weights : ndarray (n, K)
        Normalised: every row has a logsumexp of 0.
    means : ndarray (n, K, q)
    """
    log_weights = np.empty((len(x), len(offsets)))
    means = np.empty((len(x), *offsets.shape))
    for rows, _, z, terms in _blocks(gaussians, x):
        log_weights[rows] = terms - _normalise(terms)[0][:, None]
        means[rows] = offsets + np.einsum("kma,kqa->mkq", z, slopes)
    return log_weights, means


def _blocks(gaussians, x):
    """Walk over blocks of m rows: slice, residuals and z (K, m, a), log w_k N(x | μ_k, Σ_k) (m, K)."""
    constants, means, inverse = gaussians
    size = max(1, BLOCK_SIZE // max(1, means.size))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        residuals = x[rows] - means[:, None, :]
        z = residuals * inverse[:, None] if inverse.ndim == 2 else residuals @ inverse.transpose(0, 2, 1)
        yield rows, residuals, z, (constants[:, None] - 0.5 * np.einsum("kmi,kmi->km", z, z)).T


def _normalise(terms):
    """Log p(x_i) (m,) and responsibilities γ (m, K) from log w_k N(x_i | μ_k, Σ_k), by one exponential."""
    largest = terms.max(axis=1, keepdims=True)
    shares = np.exp(terms - largest)
    total = shares.sum(axis=1, keepdims=True)
    return (largest + np.log(total))[:, 0], shares / total
