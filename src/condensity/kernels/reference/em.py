"""Full-covariance Gaussian mixtures by expectation–maximisation, in NumPy float64, written to be read.

Letters: n rows x_i with weights v_i, d columns, K components with weights w_k and Σ_k = L_k L_kᵀ (Cholesky).

    E:  γ_ik = w_k N(x_i | μ_k, Σ_k) / p(x_i),   p(x_i) = Σ_k w_k N(x_i | μ_k, Σ_k)
    M:  N_k = Σ_i v_i γ_ik,   w_k = N_k / Σ_k N_k,   μ_k = Σ_i v_i γ_ik x_i / N_k,
        S_k = Σ_i v_i γ_ik (x_i − μ_k)(x_i − μ_k)ᵀ / N_k,   Σ_k = (N_k S_k + s₀ I) / (N_k + ν₀) + ridge · I

s₀ (`prior`) is the scale of an inverse-Wishart prior on every Σ_k, in units of the squared column scale, and
ν₀ = 2; s₀ = 0 means no prior, ν₀ = 0: maximum likelihood. EM climbs the penalised mean log likelihood

    { Σ_i v_i log p(x_i) − ½ Σ_k [ν₀ log |Σ_k| + s₀ tr Σ_k⁻¹] } / Σ_i v_i ,

exactly when the ridge is 0. The ridge is added after the maximum, and may cost the sum in braces at most
Σ_k ½ (N_k + ν₀) Σ_j [log(1 + ridge/λ_j) − ridge/(λ_j + ridge)], with λ_j the eigenvalues of Σ_k without it.

The centred form is used throughout: no second moment about the origin is ever formed, so nothing cancels for
clusters that are narrow and far from 0. Rows are taken in blocks: no (K, rows, d) array exceeds a few MB.

References
----------
Dempster, Laird & Rubin (1977), "Maximum likelihood from incomplete data via the EM algorithm".
Fraley & Raftery (2007), "Bayesian regularization for normal mixture estimation": the inverse-Wishart MAP.
Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding".
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist

LOG_2PI = np.log(2.0 * np.pi)

#: Numbers in one (K, rows, d) block: 2^18 float64 are 2 MB, which a core's second-level cache just holds.
BLOCK_SIZE = 2**18

#: Smallest N_k, in rows. A component that no row wants keeps its mean, has the prior's covariance (without
#: prior: the ridge) and a weight of 1e-12 / n: positive, so that its log is finite, and too small to be seen.
SMALLEST_COUNT = 1e-12

#: ν₀, the degrees of freedom that the inverse-Wishart prior adds to N_k.
PRIOR_DEGREES = 2.0

LLOYD_STEPS = 3


class GaussianMixtureParameters(NamedTuple):
    """Weights (K,), means (K, d) and covariances (K, d, d) of a Gaussian mixture."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


class GMMFit(NamedTuple):
    """How a fit ended.

    Attributes
    ----------
    parameters : GaussianMixtureParameters
    objective_path : list of float
        Penalised mean log likelihood before each iteration, last that of `parameters`: n_iter + 1 numbers.
    log_likelihood : float
        Weighted mean of log p(x_i) under `parameters`, without the penalty.
    n_iter : int
    converged : bool
        Whether the objective of two iterations in a row differed by less than tol.
    """

    parameters: GaussianMixtureParameters
    objective_path: list[float]
    log_likelihood: float
    n_iter: int
    converged: bool


# ---------------------------------------------------------------- densities


def component_log_densities(x, params):
    """Log w_k + log N(x_i | μ_k, Σ_k) for every row and component.

    With z = L_k⁻¹ (x − μ_k):  log N(x | μ_k, Σ_k) = −½ zᵀz − Σ_j log L_k,jj − ½ d log 2π.

    Parameters
    ----------
    x : ndarray (n, d)
    params : GaussianMixtureParameters

    Returns
    -------
    ndarray (n, K)
        −inf for components of weight 0.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a covariance is not positive definite.
    """
    x = np.asarray(x, dtype=float)
    result = np.empty((len(x), len(params.weights)))
    for rows, _, log_joint in _blocks(x, params):
        result[rows] = log_joint
    return result


def gmm_log_density(x, params):
    """Log p(x_i) = logsumexp_k [log w_k + log N(x_i | μ_k, Σ_k)]; x (n, d) -> (n,)."""
    x = np.asarray(x, dtype=float)
    result = np.empty(len(x))
    for rows, _, log_joint in _blocks(x, params):
        result[rows], _ = _normalise(log_joint)
    return result


def _blocks(x, params):
    """Walk over blocks of m rows: slice, residuals x − μ_k (K, m, d), log w_k N(x | μ_k, Σ_k) (m, K)."""
    whitening = _Whitening.of(params.weights, _cholesky(params.covariances))
    for rows in _row_blocks(x, params):
        residuals = x[rows] - params.means[:, None, :]
        yield rows, residuals, whitening.log_densities(whitening.whiten(residuals))


class _Whitening(NamedTuple):
    """L_k⁻¹ (K, d, d) and the constants log w_k − Σ_j log L_k,jj − ½ d log 2π (K,)."""

    inverse_factors: np.ndarray
    log_constants: np.ndarray

    @classmethod
    def of(cls, weights, factors):
        d = factors.shape[-1]
        identity = np.eye(d)
        inverses = [solve_triangular(factor, identity, lower=True) for factor in factors] if d else factors
        with np.errstate(divide="ignore"):  # weight 0: −inf is the answer
            log_weights = np.log(weights)
        return cls(np.asarray(inverses), log_weights - _half_log_determinants(factors) - 0.5 * d * LOG_2PI)

    def whiten(self, residuals):
        """Residuals x − μ_k to z = L_k⁻¹ (x − μ_k); (K, m, d) -> (K, m, d)."""
        return residuals @ self.inverse_factors.transpose(0, 2, 1)

    def log_densities(self, z):
        """Log w_k + log N(x | μ_k, Σ_k) from z; (K, m, d) -> (m, K)."""
        return (self.log_constants[:, None] - 0.5 * np.einsum("kmi,kmi->km", z, z)).T


def _cholesky(covariances):
    """L_k with L_k L_kᵀ = Σ_k."""
    try:
        return np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(
            "covariances must be positive definite; one is singular, as when a component holds too few "
            "distinct rows or a column is constant. Use prior > 0 or a larger ridge."
        ) from error


def _half_log_determinants(factors):
    """½ log |Σ_k| = Σ_j log L_k,jj."""
    return np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)


def _row_blocks(x, params):
    """Slices of rows such that an array (K, rows, d) has at most BLOCK_SIZE numbers."""
    size = max(1, BLOCK_SIZE // max(1, params.means.size))
    return [slice(start, start + size) for start in range(0, len(x), size)]


def _normalise(log_joint):
    """Log p(x_i) (m,) and responsibilities γ (m, K) from log w_k N(x_i | μ_k, Σ_k), by one exponential."""
    largest = log_joint.max(axis=1, keepdims=True)
    shares = np.exp(log_joint - largest)
    total = shares.sum(axis=1, keepdims=True)
    return (largest + np.log(total))[:, 0], shares / total


# ---------------------------------------------------------------- one iteration


def em_step(x, sample_weight, params, *, prior, ridge):
    """One E step and one M step; see the head of this file for the formulas.

    Parameters
    ----------
    x : ndarray (n, d)
        Standardised rows.
    sample_weight : ndarray (n,) or None
        v_i, used as given: an integer v_i is v_i copies of the row, for the prior too. None: all 1.
    params : GaussianMixtureParameters
    prior : float
        s₀ ≥ 0; 0 means maximum likelihood.
    ridge : float
        Added to the diagonal of every covariance.

    Returns
    -------
    params : GaussianMixtureParameters
        After the step.
    objective_before : float
        Penalised mean log likelihood of the parameters that came in.
    """
    x = np.asarray(x, dtype=float)
    weight = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    statistics = _expected_statistics(x, weight, params)
    objective = (statistics.log_likelihood + _log_prior(params, prior)) / weight.sum()
    return _maximise(statistics, params.means, prior, ridge), float(objective)


class _Statistics(NamedTuple):
    """Sums over rows; those of two parts of a table add up to those of the whole.

    Attributes
    ----------
    counts : (K,)          Σ_i v_i γ_ik
    first : (K, d)         Σ_i v_i γ_ik r_ik, with r_ik = x_i − μ_k about the *current* mean
    second : (K, d, d)     Σ_i v_i γ_ik r_ik r_ikᵀ
    log_likelihood : float Σ_i v_i log p(x_i)
    """

    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: float


def _expected_statistics(x, weight, params):
    """The E step: expected sums under the current parameters; moments about the current means."""
    counts, first, second = (np.zeros_like(array, dtype=float) for array in params)
    log_likelihood = 0.0
    for rows, residuals, log_joint in _blocks(x, params):
        log_density, responsibilities = _normalise(log_joint)
        shares = (responsibilities * weight[rows, None]).T  # (K, m)
        weighted = shares[:, :, None] * residuals
        counts += shares.sum(axis=1)
        first += weighted.sum(axis=1)
        second += weighted.transpose(0, 2, 1) @ residuals
        log_likelihood += weight[rows] @ log_density
    return _Statistics(counts, first, second, log_likelihood)


def _maximise(statistics, means, prior, ridge):
    """The M step from sums about the old means.

    The mean moves by δ_k = first_k / N_k, and N_k S_k = second_k − N_k δ_k δ_kᵀ. The subtraction is harmless,
    because δ_k vanishes as EM converges. With the floor on N_k the result stays positive semi-definite.
    """
    counts = np.maximum(statistics.counts, SMALLEST_COUNT)
    shift = statistics.first / counts[:, None]
    scatter = statistics.second - counts[:, None, None] * shift[:, :, None] * shift[:, None, :]
    return GaussianMixtureParameters(
        weights=counts / counts.sum(),
        means=means + shift,
        covariances=_map_covariances(counts, scatter, prior, ridge),
    )


def _prior_degrees(prior):
    return PRIOR_DEGREES if prior > 0 else 0.0


def _map_covariances(counts, scatter, prior, ridge):
    """Σ_k = (N_k S_k + s₀ I) / (N_k + ν₀) + ridge · I from the scatter N_k S_k (K, d, d)."""
    identity = np.eye(scatter.shape[-1])
    symmetric = 0.5 * (scatter + scatter.transpose(0, 2, 1))
    return (symmetric + prior * identity) / (counts + _prior_degrees(prior))[:, None, None] + ridge * identity


def _log_prior(params, prior):
    """Log of the inverse-Wishart prior, up to a constant: −½ Σ_k [ν₀ log |Σ_k| + s₀ tr Σ_k⁻¹]."""
    if prior == 0:
        return 0.0
    factors = _cholesky(params.covariances)
    traces = np.sum(_Whitening.of(params.weights, factors).inverse_factors ** 2)  # tr Σ⁻¹ = ‖L⁻¹‖²
    return -0.5 * (_prior_degrees(prior) * 2.0 * _half_log_determinants(factors).sum() + prior * traces)


# ---------------------------------------------------------------- the start


def kmeans_start(x, n_components, rng, sample_weight=None, *, prior, ridge):
    """Greedy k-means++, three Lloyd steps, and MAP covariances of the clusters: where EM begins.

    Works on at most max(20 K, 2000) rows drawn at random. A cluster without rows (there may be fewer distinct
    rows than K) keeps its centre, has the prior's covariance, and a weight of `SMALLEST_COUNT` rows.

    Parameters
    ----------
    x : ndarray (n, d)
        Standardised rows, n ≥ 1.
    n_components : int
        K ≥ 1; it may exceed n.
    rng : numpy.random.Generator
    sample_weight : ndarray (n,), optional
        Not negative; the sum positive.
    prior, ridge : float
        As in `em_step`.

    Returns
    -------
    GaussianMixtureParameters
    """
    x = np.asarray(x, dtype=float)
    weight = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    limit = max(20 * n_components, 2000)
    candidates = np.flatnonzero(weight > 0)
    if candidates.size > limit:
        candidates = rng.choice(candidates, limit, replace=False)
    x, weight = x[candidates], weight[candidates]
    centres = _plus_plus_centres(x, weight, n_components, rng)
    for _ in range(LLOYD_STEPS):
        centres = _maximise(_cluster_statistics(x, weight, centres), centres, prior, ridge).means
    return _maximise(_cluster_statistics(x, weight, centres), centres, prior, ridge)


def _plus_plus_centres(x, weight, n_components, rng):
    """Greedy k-means++: rows far from their NEAREST centre are likely; the best of 2 + log K draws stays.

    When every row lies on a centre, all rows are as likely again, and centres repeat.
    """
    n_candidates = 2 + int(np.log(n_components))
    chosen = _draw_rows(weight, 1, rng)
    nearest = cdist(x, x[chosen], "sqeuclidean")[:, 0]
    for _ in range(n_components - 1):
        potential = weight * nearest
        candidates = _draw_rows(potential if potential.sum() > 0 else weight, n_candidates, rng)
        distances = np.minimum(nearest[:, None], cdist(x, x[candidates], "sqeuclidean"))
        best = np.argmin(weight @ distances)
        chosen = np.append(chosen, candidates[best])
        nearest = distances[:, best]
    return x[chosen]


def _draw_rows(weight, size, rng):
    """Draw row numbers with probability proportional to the weight; rows of weight 0 never come."""
    cumulative = np.cumsum(weight)
    # side="right" skips rows of weight 0; the minimum is for rounding past the last positive one.
    drawn = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.minimum(drawn, np.flatnonzero(weight)[-1])


def _cluster_statistics(x, weight, centres):
    """The E step of k-means: γ_ik is 1 for the nearest centre and 0 for the others. No likelihood: nan."""
    nearest = np.argmin(cdist(x, centres, "sqeuclidean"), axis=1)
    n_components, d = centres.shape
    counts, first, second = (
        np.zeros(n_components),
        np.zeros((n_components, d)),
        np.zeros((n_components, d, d)),
    )
    for k in range(n_components):
        residuals, row_weight = x[nearest == k] - centres[k], weight[nearest == k]
        weighted = row_weight[:, None] * residuals
        counts[k], first[k], second[k] = row_weight.sum(), weighted.sum(axis=0), weighted.T @ residuals
    return _Statistics(counts, first, second, np.nan)


# ---------------------------------------------------------------- the fit


def fit_gmm(
    x,
    n_components,
    rng,
    *,
    sample_weight=None,
    start=None,
    prior=0.01,
    ridge=1e-6,
    max_iter=200,
    tol=1e-4,
    n_init=1,
):
    """Fit a full-covariance Gaussian mixture by EM.

    Parameters
    ----------
    x : ndarray (n, d)
        Standardised rows, n ≥ 1.
    n_components : int
        K ≥ 1. Ignored when a start is given.
    rng : numpy.random.Generator
        The only source of chance; used for the starts.
    sample_weight : ndarray (n,), optional
        Not negative. Rows of weight 0 are left out; the others are scaled to mean 1, so that only ratios
        matter and the prior weighs as much against n rows as without weights. Integer weights therefore equal
        repeated rows when prior = 0, else up to the prior's strength (in `em_step`, which does not scale:
        always).
    start : GaussianMixtureParameters, optional
        Where to begin, once; default: `kmeans_start`, n_init times.
    prior, ridge : float
        As in `em_step`.
    max_iter : int
        At most so many iterations.
    tol : float
        Converged when the objective changes by less than this (nats per row) from one iteration to the next.
    n_init : int
        Number of starts; the fit of the best final objective is returned.

    Returns
    -------
    GMMFit

    Raises
    ------
    ValueError
        If no row has a positive weight.
    numpy.linalg.LinAlgError
        If a covariance becomes singular, which needs prior = 0 and a ridge of about 0.
    """
    x, weight = _weighted_rows(x, sample_weight)
    starts = (kmeans_start(x, n_components, rng, weight, prior=prior, ridge=ridge) for _ in range(n_init))
    fits = [_climb(x, weight, first, prior, ridge, max_iter, tol) for first in (starts if start is None else [start])]
    return max(fits, key=lambda fit: fit.objective_path[-1])


def _weighted_rows(x, sample_weight):
    """Drop rows of weight 0 and scale the other weights to mean 1."""
    x = np.asarray(x, dtype=float)
    if sample_weight is None:
        return x, np.ones(len(x))
    weight = np.asarray(sample_weight, dtype=float)
    present = weight > 0
    if not present.any():
        raise ValueError("sample_weight must be positive for at least one row; all are 0. Leave it out or fix it.")
    return x[present], weight[present] / weight[present].mean()


def _climb(x, weight, params, prior, ridge, max_iter, tol):
    """EM from one start."""
    path: list[float] = []
    converged = False
    while len(path) < max_iter and not converged:
        params, objective = em_step(x, weight, params, prior=prior, ridge=ridge)
        path.append(objective)
        converged = len(path) > 1 and abs(path[-1] - path[-2]) < tol
    n_iter = len(path)
    log_likelihood = float(weight @ gmm_log_density(x, params) / weight.sum())
    path.append(log_likelihood + float(_log_prior(params, prior) / weight.sum()))
    return GMMFit(params, path, log_likelihood, n_iter, converged)


# ---------------------------------------------------------------- conditioning


def condition_gaussians(params, x, given, target):
    """The mixture of one column, given values of others: row-wise log weights, means and scales.

    With a = `given`, b = `target` and the Cholesky factor of Σ_k in the order (a, b),

        L = [[L_a, 0], [lᵀ, σ]],   z = L_a⁻¹ (x − μ_a),   b | x, k ~ N(μ_b + lᵀ z, σ²),
        log π_k(x) = log w_k − ½ zᵀz − Σ_j log L_a,jj − logsumexp of the same over the components,

    which is Σ_ba Σ_aa⁻¹ (x − μ_a) and Σ_bb − Σ_ba Σ_aa⁻¹ Σ_ab without a difference that could cancel.

    Parameters
    ----------
    params : GaussianMixtureParameters
        Over d columns.
    x : ndarray (n, len(given))
        Values of the given columns, in the order of `given`.
    given : sequence of int
        May be empty: then the answer is the marginal of the target, the same in every row.
    target : int

    Returns
    -------
    log_weights, means, scales : ndarray (n, K)
        The log weights of a row have a logsumexp of 0; scales are standard deviations.

    Raises
    ------
    ValueError
        If x does not have one column for each given one.
    """
    x, given = np.asarray(x, dtype=float), list(given)
    if x.ndim != 2 or x.shape[1] != len(given):
        raise ValueError(f"x must have shape (n, {len(given)}), a column for each of given={given}; got {x.shape}.")
    order = [*given, target]
    factors = _cholesky(params.covariances[:, order][:, :, order])
    whitening = _Whitening.of(params.weights, factors[:, :-1, :-1])
    slopes, sigma = factors[:, -1, :-1], factors[:, -1, -1]
    log_weights, means = np.empty((len(x), len(sigma))), np.empty((len(x), len(sigma)))
    for rows in _row_blocks(x, params):
        z = whitening.whiten(x[rows] - params.means[:, None, given])
        log_joint = whitening.log_densities(z)
        log_weights[rows] = log_joint - _normalise(log_joint)[0][:, None]
        means[rows] = params.means[:, target] + np.einsum("kmi,ki->mk", z, slopes)
    return log_weights, means, np.tile(sigma, (len(x), 1))
