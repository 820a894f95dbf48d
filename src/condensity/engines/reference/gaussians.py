"""Gaussian mixtures over rows of a table: densities, the sufficient statistics of an E step, conditionals. NumPy float64.

Letters: n rows x_i with weights v_i, a columns, K components with weights w_k and Σ_k = L_k L_kᵀ (Cholesky).

    z = L_k⁻¹ (x − μ_k)        log N(x | μ_k, Σ_k) = −½ zᵀz − Σ_j log L_k,jj − ½ a log 2π
    p(x_i) = Σ_k w_k N(x_i | μ_k, Σ_k)        γ_ik = w_k N(x_i | μ_k, Σ_k) / p(x_i)

The centred form is used throughout: no second moment about the origin is ever formed, so nothing cancels for clusters that
are narrow and far from 0, as it does where log N is expanded into quadratic features of x: those lose μ²/σ² of the digits.
Rows are taken in blocks: no (K, rows, a) array exceeds a few MB.
"""

from collections.abc import Iterator

import numpy as np

from condensity.engines.types import GaussianComponents, SufficientStatistics

#: Numbers in one (K, rows, a) block: 2^18 float64 are 2 MB, which a core's second-level cache just holds.
BLOCK_SIZE = 2**18


def gaussian_terms(gaussians: GaussianComponents, x: np.ndarray) -> np.ndarray:
    """Log w_k + log N(x_i | μ_k, Σ_k), (n, K), of every row of x (n, a) and component of `gaussians`."""
    result = np.empty((len(x), len(gaussians.means)))
    for rows, _, _, terms in _blocks(gaussians, x):
        result[rows] = terms
    return result


def gaussian_log_density(gaussians: GaussianComponents, x: np.ndarray) -> np.ndarray:
    """Log p(x_i) = logsumexp_k [log w_k + log N(x_i | μ_k, Σ_k)] under `gaussians`, (n,), for x (n, a)."""
    result = np.empty(len(x))
    for rows, _, _, terms in _blocks(gaussians, x):
        result[rows], _ = _normalise(terms)
    return result


def gaussian_sums(gaussians: GaussianComponents, x: np.ndarray, weight: np.ndarray) -> SufficientStatistics:
    """E step: sufficient statistics of rows x (n, a) with `weight` (n,), expected under `gaussians` and about their means."""
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


def gaussian_conditional(
    gaussians: GaussianComponents, slopes: np.ndarray, offsets: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log weights and means of other columns, given rows x (n, a).

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


def _blocks(gaussians: GaussianComponents, x: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of m rows: slice, residuals and z (K, m, a), log w_k N(x | μ_k, Σ_k) (m, K)."""
    constants, means, inverse = gaussians
    size = max(1, BLOCK_SIZE // max(1, means.size))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        residuals = x[rows] - means[:, None, :]
        z = residuals * inverse[:, None] if inverse.ndim == 2 else residuals @ inverse.transpose(0, 2, 1)
        yield rows, residuals, z, (constants[:, None] - 0.5 * np.einsum("kmi,kmi->km", z, z)).T


def _normalise(terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log p(x_i) (m,) and responsibilities γ (m, K) from log w_k N(x_i | μ_k, Σ_k), by one exponential."""
    largest = terms.max(axis=1, keepdims=True)
    shares = np.exp(terms - largest)
    total = shares.sum(axis=1, keepdims=True)
    return (largest + np.log(total))[:, 0], shares / total
