"""One iteration of expectation–maximisation for Gaussian mixtures, on tables with or without missing values.

Letters: n rows x_i with weights v_i, d columns, K components with weights w_k, means μ_k and covariances Σ_k.

    E:  γ_ik = w_k N(x_i | μ_k, Σ_k) / p(x_i)
    M:  N_k = Σ_i v_i γ_ik,   w_k = N_k / Σ_k N_k,   μ_k = Σ_i v_i γ_ik x_i / N_k,
        S_k = Σ_i v_i γ_ik (x_i − μ_k)(x_i − μ_k)ᵀ / N_k

        full        Σ_k = (N_k S_k + s₀ I) / (N_k + ν₀)
        tied        Σ   = (Σ_k N_k S_k + s₀ I) / (Σ_k N_k + ν₀)
        diag        the diagonal of full
        spherical   the mean of that diagonal, times I                             each + ridge · I

With a shrinkage ρ the covariances between columns of full and tied, outside the diagonal, are those times 1 − ρ (Schäfer &
Strimmer 2005): positive definite with more columns than rows, and, for one component, exactly ridge regression of one column
on others with a penalty of ρ/(1 − ρ) variances a row. No prior has this maximum: EM then climbs nothing exactly, but converges.

s₀ (`prior`) is the scale of an inverse-Wishart prior on every Σ, in units of the squared column scale, and ν₀ = .1; s₀ = 0
means no prior, ν₀ = 0: maximum likelihood. EM climbs the penalised mean log likelihood

    { Σ_i v_i log p(x_i) − ½ Σ_k [ν₀ log |Σ_k| + s₀ tr Σ_k⁻¹] } / Σ_i v_i        (tied: a single term of the last sum)

exactly when the ridge is 0. The ridge is added after the maximum, and may cost the sum in braces at most
Σ_k ½ (N_k + ν₀) Σ_j [log(1 + ridge/λ_j) − ridge/(λ_j + ridge)], with λ_j the eigenvalues of Σ_k without it.

Missing values (nan) are integrated out. Rows with the same observed columns o go through the E step together, over those
columns alone; the moments of the missing columns m follow from the component's regression of m on o:

    E[u_m | u_o] = B_k u_o,   Cov[u_m | u_o] = C_k,   with B_k = Σ_mo Σ_oo⁻¹,   C_k = Σ_mm − B_k Σ_om

so that sufficient statistics over o become those over all columns by a product with [I; B_k], plus N_k C_k for the missing.

References
----------
Dempster, Laird & Rubin (1977), "Maximum likelihood from incomplete data via the EM algorithm".
Ghahramani & Jordan (1994), "Supervised learning from incomplete data via an EM approach": missing values.
Fraley & Raftery (2007), "Bayesian regularization for normal mixture estimation": the inverse-Wishart MAP.
Schäfer & Strimmer (2005), "A shrinkage approach to large-scale covariance matrix estimation": target D, unequal variances.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.engines.types import GaussianComponents, SufficientStatistics
from condensity.persistence import require_numbers

#: Smallest N_k, in rows. A component without responsibility keeps its mean, has the prior's covariance (without
#: prior: the ridge) and a weight of 1e-12 / n: positive, so that its log is finite, and negligible.
MIN_COUNT = 1e-12

#: ν₀, the degrees of freedom that the inverse-Wishart prior adds to N_k. They shrink every covariance by N_k / (N_k + ν₀), so
#: they must be few: 2 cost .003 nats at n = 1000 and .027 at n = 250 (nine problems), and .05 on forty components of blobs. But
#: not 0: a component without rows would have an infinite covariance; so it has s₀/ν₀, a third of a standard deviation squared.
PRIOR_DEGREES = 0.1

#: Operation `gaussian_sums` of an engine.
GaussianSums = Callable[..., SufficientStatistics]

#: Asymmetry of a loaded covariance that is rounding, in units of the product of its standard deviations.
SYMMETRY = 1e-9

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")


class GaussianMixtureParameters(NamedTuple):
    """Weights (K,), means (K, d) and covariances (K, d, d) of a Gaussian mixture, of any covariance type.

    Examples
    --------
    >>> import numpy as np
    >>> from condensity.em import GaussianMixtureParameters
    >>> mixture = GaussianMixtureParameters(np.array([0.4, 0.6]), np.zeros((2, 3)), np.array([np.eye(3)] * 2))
    >>> mixture.over([0, 2]).means.shape
    (2, 2)
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def check_loaded(self) -> None:
        """Refuse parameters that EM cannot have fitted.

        Raises
        ------
        ValueError, numpy.linalg.LinAlgError
        """
        k, d = np.shape(self.means)
        for name, part, shape in zip(self._fields, self, ((k,), (k, d), (k, d, d)), strict=True):
            require_numbers(name, part, shape)
        if k < 1 or not (self.weights >= 0).all() or not np.isclose(self.weights.sum(), 1.0):
            raise ValueError("weights must not be negative and sum to one")
        deviations = np.sqrt(np.maximum(np.diagonal(self.covariances, axis1=1, axis2=2), 0.0))
        skew = np.abs(self.covariances - self.covariances.transpose(0, 2, 1))
        if not (skew <= SYMMETRY * deviations[:, :, None] * deviations[:, None]).all():
            raise ValueError("covariances must be symmetric")
        np.linalg.cholesky(self.covariances)

    def over(self, columns: Sequence[int] | np.ndarray) -> "GaussianMixtureParameters":
        """Marginal distribution of `columns` (a,), in the order given."""
        return GaussianMixtureParameters(
            self.weights, self.means[:, columns], self.covariances[:, columns][:, :, columns]
        )


class CovarianceSpec(NamedTuple):
    """Constraints on covariances: one of `COVARIANCE_TYPES`, s₀, the ridge and the shrinkage ρ of 'full' and 'tied'."""

    covariance_type: str = "full"
    prior: float = 0.01
    ridge: float = 1e-6
    shrinkage: float = 0.0

    def check_loaded(self) -> None:
        """Refuse constraints that no fit has."""
        if self.covariance_type not in COVARIANCE_TYPES:
            raise ValueError("the covariance type must be one that there is")
        if not (0 <= self.prior < np.inf and 0 <= self.ridge < np.inf and 0 <= self.shrinkage <= 1):
            raise ValueError("prior and ridge must not be negative, and the shrinkage must be a share")

    @property
    def independent(self) -> bool:
        """Whether the columns of a component are independent."""
        return self.covariance_type in ("diag", "spherical")

    @property
    def degrees(self) -> float:
        """ν₀."""
        return PRIOR_DEGREES if self.prior > 0 else 0.0


class MissingPattern(NamedTuple):
    """Rows with the same missing columns.

    Attributes
    ----------
    observed : ndarray (a,) of int
        The other columns.
    x : ndarray (m, a)
    weight : ndarray (m,)
    rows : ndarray (m,) of int or slice
        Their indices in the table.
    """

    observed: np.ndarray
    x: np.ndarray
    weight: np.ndarray
    rows: np.ndarray | slice


def group_by_missing(x: np.ndarray, weight: np.ndarray | None = None) -> list[MissingPattern]:
    """Rows of x (n, d) grouped by their missing columns; `weight` (n,) defaults to 1. Complete rows come last."""
    weight = np.ones(len(x)) if weight is None else weight
    missing = np.isnan(x)
    if not missing.any():  # nothing is copied
        return [MissingPattern(np.arange(x.shape[1]), x, weight, slice(None))]
    codes = np.packbits(missing, axis=1)
    _, first, number = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(number.ravel(), kind="stable")
    starts = np.searchsorted(number.ravel()[order], np.arange(len(first) + 1))
    patterns = []
    for j in range(len(first) - 1, -1, -1):
        rows, observed = order[starts[j] : starts[j + 1]], np.flatnonzero(~missing[first[j]])
        patterns.append(MissingPattern(observed, x[np.ix_(rows, observed)], weight[rows], rows))
    return patterns


# ---------------------------------------------------------------------------------------------------------- densities
def factors_of(parameters: GaussianMixtureParameters, independent: bool = False) -> np.ndarray:
    """Cholesky factors (K, d, d) of the covariances of `parameters`; or, if `independent`, standard deviations (K, d).

    Raises
    ------
    numpy.linalg.LinAlgError
        If a covariance is not positive definite.
    """
    try:
        one_column = parameters.means.shape[1] == 1  # then LAPACK's call takes longer than all the rest
        if not (independent or one_column):
            return np.linalg.cholesky(parameters.covariances)
        variances = np.diagonal(parameters.covariances, axis1=1, axis2=2)
        if (variances > 0).all():
            return np.sqrt(variances) if independent else np.sqrt(parameters.covariances)
        raise np.linalg.LinAlgError
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(
            "covariances must be positive definite; one is singular, as when a component holds too few "
            "distinct rows or a column is constant. Use prior > 0 or a larger ridge."
        ) from error


def _gaussians(parameters: GaussianMixtureParameters, spec: CovarianceSpec) -> GaussianComponents:
    return GaussianComponents.from_factors(
        parameters.weights, parameters.means, factors_of(parameters, spec.independent)
    )


def log_density(
    parameters: GaussianMixtureParameters,
    x: npt.ArrayLike,
    spec: CovarianceSpec | None = None,
    *,
    compute: Compute = AUTO,
) -> np.ndarray:
    """Log density (n,), nats, of the observed columns of each row of x (n, d), nan where missing; 0 for a row without values.

    The mixture has `parameters` with covariances of `spec`, 'full' by default; `compute` is the engine and its threads.
    """
    evaluate = engines.operation("gaussian_log_density", compute)
    x, spec = np.asarray(x, dtype=float), spec or CovarianceSpec()
    result = np.zeros(len(x))
    for pattern in group_by_missing(x):
        if len(pattern.observed):
            marginal = _gaussians(parameters.over(pattern.observed), spec)
            result[pattern.rows] = evaluate(marginal, pattern.x)
    return result


# ---------------------------------------------------------------------------------------------------------- one iteration
def em_step(
    patterns: Sequence[MissingPattern],
    parameters: GaussianMixtureParameters,
    spec: CovarianceSpec,
    sums: GaussianSums | None = None,
) -> tuple[GaussianMixtureParameters, float]:
    """One E step and one M step.

    Parameters
    ----------
    patterns : sequence of MissingPattern
        Standardised rows, some of them with values. Weights are used as given: an integer v_i is v_i copies of the
        row, for the prior too.
    parameters : GaussianMixtureParameters
    spec : CovarianceSpec
    sums : callable, optional
        `gaussian_sums` of an engine; the reference if left out.

    Returns
    -------
    parameters : GaussianMixtureParameters
        After the step.
    objective_before : float
        Penalised mean log likelihood of the given parameters.
    """
    expected, objective = expect(patterns, parameters, spec, sums)
    return maximise(expected, parameters.means, spec), objective


def expect(
    patterns: Sequence[MissingPattern],
    parameters: GaussianMixtureParameters,
    spec: CovarianceSpec,
    sums: GaussianSums | None = None,
) -> tuple[SufficientStatistics, float]:
    """E step: expected `SufficientStatistics` over all columns, and the penalised mean log likelihood.

    The `patterns` of rows, `parameters`, covariance `spec` and kernel `sums` are those of `em_step`.
    """
    sums = engines.operation("gaussian_sums", Compute("reference")) if sums is None else sums
    joint, d = _gaussians(parameters, spec), parameters.means.shape[1]
    statistics = []
    for pattern in patterns:
        if not len(pattern.observed):  # no information
            continue
        if len(pattern.observed) == d:
            statistics.append(sums(joint, pattern.x, pattern.weight))
        else:
            marginal = _gaussians(parameters.over(pattern.observed), spec)
            of_observed = sums(marginal, pattern.x, pattern.weight)
            statistics.append(_over_all_columns(of_observed, marginal, parameters, pattern.observed, spec))
    total = statistics[0]
    if len(statistics) > 1:
        total = SufficientStatistics(*(sum(pieces) for pieces in zip(*statistics, strict=True)))
    mass = total.counts.sum()  # every row's responsibilities sum to one: the sum of all weights
    return total, float((total.log_likelihood + _log_prior(joint, parameters, spec)) / mass)


def _over_all_columns(
    statistics: SufficientStatistics,
    marginal: GaussianComponents,
    parameters: GaussianMixtureParameters,
    observed: np.ndarray,
    spec: CovarianceSpec,
) -> SufficientStatistics:
    """Statistics over all columns from those over the observed ones.

    Missing columns enter through their conditional mean and covariance given the observed ones.
    """
    n_components, d = parameters.means.shape
    missing = np.setdiff1d(np.arange(d), observed)
    covariances, counts = parameters.covariances, statistics.counts[:, None]
    first = np.zeros((n_components, d))
    first[:, observed] = statistics.first
    if spec.independent:
        second = np.zeros((n_components, d))
        second[:, observed] = statistics.second
        second[:, missing] = counts * np.diagonal(covariances, axis1=1, axis2=2)[:, missing]
        return statistics._replace(first=first, second=second)
    inverse = marginal.inverse_factors
    whitened = inverse @ covariances[:, observed][:, :, missing]  # L_oo⁻¹ Σ_om
    slopes = whitened.transpose(0, 2, 1) @ inverse
    rest = covariances[:, missing][:, :, missing] - whitened.transpose(0, 2, 1) @ whitened
    first[:, missing] = np.einsum("kma,ka->km", slopes, statistics.first)
    extension = np.zeros((n_components, d, len(observed)))  # [I; B_k]
    extension[:, observed], extension[:, missing] = np.eye(len(observed)), slopes
    second = extension @ statistics.second @ extension.transpose(0, 2, 1)
    second[:, missing[:, None], missing] += counts[:, :, None] * rest
    return statistics._replace(first=first, second=second)


def maximise(statistics: SufficientStatistics, means: np.ndarray, spec: CovarianceSpec) -> GaussianMixtureParameters:
    """M step, from sufficient statistics about the old means (K, d), under the constraints and prior of `spec`.

    The mean moves by δ_k = first_k / N_k, and N_k S_k = second_k − N_k δ_k δ_kᵀ. The subtraction is harmless,
    because δ_k vanishes as EM converges. With the floor on N_k the result stays positive semi-definite.
    """
    counts = np.maximum(statistics.counts, MIN_COUNT)
    shift = statistics.first / counts[:, None]
    if statistics.second.ndim == 2:
        scatter = statistics.second - counts[:, None] * shift * shift
    else:
        scatter = statistics.second - counts[:, None, None] * shift[:, :, None] * shift[:, None, :]
    return GaussianMixtureParameters(counts / counts.sum(), means + shift, _covariances(counts, scatter, spec))


def _covariances(counts: np.ndarray, scatter: np.ndarray, spec: CovarianceSpec) -> np.ndarray:
    """MAP covariances (K, d, d) from the scatter N_k S_k, (K, d, d) or its diagonals (K, d)."""
    kind, identity = spec.covariance_type, np.eye(scatter.shape[1])
    if spec.independent:
        if scatter.ndim == 3:
            scatter = np.diagonal(scatter, axis1=1, axis2=2)
        if kind == "spherical":
            scatter = np.broadcast_to(scatter.mean(axis=1, keepdims=True), scatter.shape)
        variances = (scatter + spec.prior) / (counts + spec.degrees)[:, None] + spec.ridge
        return variances[:, :, None] * identity
    if kind == "tied":
        counts, scatter = np.full_like(counts, counts.sum()), np.broadcast_to(scatter.sum(axis=0), scatter.shape)
    symmetric = 0.5 * (scatter + scatter.transpose(0, 2, 1))
    if spec.shrinkage:
        variances = np.diagonal(symmetric, axis1=1, axis2=2).copy()
        symmetric *= 1.0 - spec.shrinkage
        np.einsum("kjj->kj", symmetric)[:] = variances
    return (symmetric + spec.prior * identity) / (counts + spec.degrees)[:, None, None] + spec.ridge * identity


def _log_prior(gaussians: GaussianComponents, parameters: GaussianMixtureParameters, spec: CovarianceSpec) -> float:
    """Log of the inverse-Wishart prior, up to a constant: −½ Σ_k [ν₀ log |Σ_k| + s₀ tr Σ_k⁻¹]."""
    if spec.prior == 0:
        return 0.0
    n_components = len(parameters.weights)
    inverse = gaussians.inverse_factors
    log_determinants = -2.0 * np.log(inverse if inverse.ndim == 2 else np.diagonal(inverse, axis1=1, axis2=2))
    traces = (inverse**2).sum()  # tr Σ⁻¹ = ‖L⁻¹‖²
    n_terms = 1 if spec.covariance_type == "tied" else n_components
    return -0.5 * (spec.degrees * log_determinants.sum() + spec.prior * traces) * n_terms / n_components
