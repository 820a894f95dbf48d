"""Joint Gaussian mixtures of (x, y) on standardised rows: fit, scores on validation rows, conditionals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.distributions import Mixture
from condensity.em.aside import InputsAside
from condensity.em.fit import GMMFit, fit_gmm
from condensity.em.steps import CovarianceSpec, GaussianMixtureParameters, factors_of, group_by_missing, log_density
from condensity.engines.types import ROW_LOSS_CAP, GaussianComponents, History
from condensity.monitor import Monitor

#: Bytes of all covariances, at most; the peak of a fit was 1.9 GB where they took .2 (d = 5000, one component, 60 s).
MAX_COVARIANCE_BYTES = 2**30

#: Starts whose objectives differ by more nats per row than this are mentioned in the outcome.
START_SPREAD = 0.05


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of `JointGMMRegressor`, by the same names, and the shrinkage of covariances between columns."""

    covariance_type: str = "full"
    covariance_prior: float = 0.01
    reg_covar: float = 1e-6
    max_iter: int = 200
    tol: float = 1e-4
    n_init: int = 1
    shrinkage: float = 0.0

    @cached_property
    def spec(self) -> CovarianceSpec:
        """Constraints on covariances."""
        return CovarianceSpec(self.covariance_type, self.covariance_prior, self.reg_covar, self.shrinkage)

    @classmethod
    def of(cls, estimator: object) -> "Settings":
        """The settings that an `estimator` has as attributes; the others are the defaults."""
        names = [each.name for each in fields(cls) if hasattr(estimator, each.name)]
        return cls(**{name: getattr(estimator, name) for name in names})

    def like(self, spec: CovarianceSpec) -> "Settings":
        """The settings with covariances as in `spec` where they are 'auto'."""
        if self.covariance_type != "auto":
            return self
        return replace(self, covariance_type=spec.covariance_type, shrinkage=spec.shrinkage)


@dataclass(frozen=True)
class JointFit:
    """A fitted joint mixture over the columns of (x, y), and a record of the fit.

    Attributes
    ----------
    parameters : GaussianMixtureParameters
    converged : bool
    outcome : str
        How it ended, in a sentence with numbers.
    n_iter : int
    history : History
        'objective': penalised mean log likelihood before every iteration and at the end.
    held_out_log_density : ndarray (n,)
        log p(y | x) of rows that were held out in the choice of K; nan elsewhere.
    log_likelihood : float
    ended_by_user : bool
    """

    parameters: GaussianMixtureParameters
    converged: bool
    outcome: str
    n_iter: int
    history: History
    held_out_log_density: np.ndarray
    log_likelihood: float
    ended_by_user: bool = False


def covariance_bytes(n_components: int, d: int) -> int:
    """Memory, in bytes, of the covariances of `n_components` components over d columns."""
    return 8 * n_components * d**2


def fit_joint(
    settings: Settings,
    z: np.ndarray,
    weight: np.ndarray,
    n_components: int,
    rng: np.random.Generator,
    *,
    start: GaussianMixtureParameters | None = None,
    aside: InputsAside | None = None,
    compute: Compute = AUTO,
    monitor: Monitor | None = None,
) -> JointFit:
    """Fit a joint mixture of n_components by EM.

    Parameters
    ----------
    settings : Settings
    z : ndarray (n, d + q)
        Standardised rows (x, y); nan where a value is missing.
    weight : ndarray (n,)
        With mean one.
    n_components : int
    rng : numpy Generator
    start : GaussianMixtureParameters, optional
        Otherwise greedy k-means++.
    aside : InputsAside, optional
        Inputs that EM is without.
    compute : Compute
    monitor : Monitor, optional

    Raises
    ------
    ValueError
        If a covariance becomes singular, which needs both regularisations at about 0.
    """
    em_fit = fit_gmm if aside is None else aside.fit_others
    try:
        fit = em_fit(
            z, n_components, rng, sample_weight=weight, start=start, spec=settings.spec, max_iter=settings.max_iter,
            tol=settings.tol, n_init=settings.n_init, compute=compute, monitor=monitor,
        )  # fmt: skip
    except np.linalg.LinAlgError:
        raise ValueError(
            f"A covariance became singular with covariance_prior={settings.covariance_prior:g} and "
            f"reg_covar={settings.reg_covar:g}: a component held too few distinct rows, or columns are constant or "
            "equal. Raise either of the two, or lower n_components."
        ) from None
    return JointFit(
        parameters=fit.parameters,
        converged=fit.converged,
        outcome=_describe(fit, len(fit.parameters.weights)),
        n_iter=fit.n_iter,
        history={"objective": list(fit.objective_path)},
        held_out_log_density=np.full(len(z), np.nan),
        log_likelihood=fit.log_likelihood,
        ended_by_user=fit.status in ("interrupted", "stopped"),
    )


def conditional(
    parameters: GaussianMixtureParameters,
    given: Sequence[int],
    target: Sequence[int],
    x: npt.ArrayLike,
    *,
    complete: "Regressions | None" = None,
    compute: Compute = AUTO,
) -> Mixture:
    """Mixture of the columns `target`, given values x (n, a) of others: exact, missing values integrated out.

    With a = `given`, b = `target` and the Cholesky factor of Σ_k in the order (a, b),

        L = [[L_a, 0], [L_ba, L_b]],   z = L_a⁻¹ (x − μ_a),   b | x, k ~ N(μ_b + L_ba z, L_b L_bᵀ),
        log π_k(x) = log w_k − ½ zᵀz − Σ_j log L_a,jj − logsumexp of the same over the components,

    which is Σ_ba Σ_aa⁻¹ (x − μ_a) and Σ_bb − Σ_ba Σ_aa⁻¹ Σ_ab without a difference that could cancel.

    Parameters
    ----------
    parameters : GaussianMixtureParameters
    given, target : sequence of int
        Columns; disjoint. With none given, the marginal, the same in every row.
    x : array-like (n, len(given))
        Standardised; nan where a value is missing.
    complete : Regressions, optional
        Those of `target` on all columns given, where they are there already: with many columns they take long.
    compute : Compute

    Raises
    ------
    ValueError
        If x does not have one column for each given one.
    """
    x, columns = np.asarray(x, dtype=float), np.asarray(given, dtype=int)
    if x.ndim != 2 or x.shape[1] != len(columns):
        raise ValueError(
            f"x must have shape (n, {len(columns)}), a column for each of given={list(columns)}; got {x.shape}."
        )
    evaluate = engines.operation("gaussian_conditional", compute)
    patterns = group_by_missing(x)
    pieces = []
    for each in patterns:
        regressions = complete if len(each.observed) == len(columns) else None
        pieces.append((regressions or Regressions.of(parameters, columns[each.observed], target)).at(each.x, evaluate))
    if len(pieces) == 1:
        return Mixture.from_factors(*pieces[0])
    results = [np.empty((len(x), *array.shape[1:])) for array in pieces[0]]
    for pattern, piece in zip(patterns, pieces, strict=True):
        for result, array in zip(results, piece, strict=True):
            result[pattern.rows] = array
    return Mixture.from_factors(*results)


def conditional_terms(
    parameters: GaussianMixtureParameters,
    given: Sequence[int],
    target: Sequence[int],
    x: np.ndarray,
    *,
    compute: Compute = AUTO,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log weights (n, K), means (n, K, q) and Cholesky factors (K, q, q) of `conditional`, without missing values.

    Mixture of the columns `target` under `parameters`, given standardised x (n, a) of the columns `given`; `compute` is the
    engine and its threads.
    """
    evaluate = engines.operation("gaussian_conditional", compute)
    log_weights, means, factors = Regressions.of(parameters, given, target).at(x, evaluate)
    return log_weights, means, factors[0]


class Regressions(NamedTuple):
    """Components' regressions of some columns on others, ready to be evaluated.

    Attributes
    ----------
    weights : ndarray (K,)
    of_given : GaussianComponents or None
        Over the a columns given; None for none.
    slopes : ndarray (K, q, a)
        L_ba.
    offsets : ndarray (K, q)
        μ_b.
    rest : ndarray (K, q, q)
        L_b.
    """

    weights: np.ndarray
    of_given: GaussianComponents | None
    slopes: np.ndarray
    offsets: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(
        cls, parameters: GaussianMixtureParameters, given: Sequence[int] | np.ndarray, target: Sequence[int]
    ) -> "Regressions":
        """Regressions of the columns `target` on those `given`, under `parameters`."""
        a, ordered = len(given), parameters.over([*given, *target])
        factors = factors_of(ordered)
        of_given = None
        if a:
            of_given = GaussianComponents.from_factors(ordered.weights, ordered.means[:, :a], factors[:, :a, :a])
        return cls(ordered.weights, of_given, factors[:, a:, :a], ordered.means[:, a:], factors[:, a:, a:])

    def at(
        self, x: np.ndarray, evaluate: Callable[..., tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log weights (n, K), means (n, K, q) and factors (n, K, q, q), every row's the same, given complete x (n, a).

        `evaluate` is the operation `gaussian_conditional` of an engine.
        """
        n = len(x)
        if self.of_given is None:
            log_weights = np.broadcast_to(np.log(self.weights), (n, len(self.offsets)))
            means = np.broadcast_to(self.offsets, (n, *self.offsets.shape))
        else:
            log_weights, means = evaluate(self.of_given, self.slopes, self.offsets, x)
        return log_weights, means, np.broadcast_to(self.rest, (n, *self.rest.shape))


def held_out_scores(
    parameters: GaussianMixtureParameters,
    spec: CovarianceSpec,
    z: np.ndarray,
    n_inputs: int,
    *,
    joint: bool = False,
    compute: Compute = AUTO,
) -> np.ndarray:
    """Log p(y | x), or log p(x, y), of the observed columns of held-out rows z (n, d + q), (n,); nan where y is missing.

    A row counts for −`ROW_LOSS_CAP` an observed column of y at least (a column of x and y, if joint), so that one wild row
    cannot choose K.

    Rows are standardised, the first `n_inputs` columns the inputs; `parameters` and covariance `spec` are a fit's, and `compute`
    the engine and its threads.
    """
    log_joint = log_density(parameters, z, spec, compute=compute)
    if joint:
        return np.maximum(log_joint, -ROW_LOSS_CAP * z.shape[1])
    inputs = parameters.over(list(range(n_inputs)))
    log_conditional = log_joint - log_density(inputs, z[:, :n_inputs], spec, compute=compute)
    n_targets = (~np.isnan(z[:, n_inputs:])).sum(axis=1)
    return np.where(n_targets, np.maximum(log_conditional, -ROW_LOSS_CAP * n_targets), np.nan)


def n_parameters(n_components: int, d: int, covariance_type: str) -> int:
    """Free parameters of a mixture of `n_components` over d columns, with covariances of `covariance_type`."""
    of_covariance = {"full": d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": d, "spherical": 1}[covariance_type]
    n_covariances = 1 if covariance_type == "tied" else n_components
    return n_components - 1 + n_components * d + n_covariances * of_covariance


def _describe(fit: GMMFit, n_components: int) -> str:
    components = f"{n_components} component{'' if n_components == 1 else 's'}"
    ending = {
        "converged": f"converged after {fit.n_iter} iterations.",
        "max_iter": f"reached max_iter ({fit.n_iter}) while the likelihood was still rising.",
        "interrupted": f"was interrupted after {fit.n_iter} iterations; what it had is kept.",
        "stopped": f"was ended by the callback after {fit.n_iter} iterations; what it had is kept.",
    }[fit.status]
    text = f"EM with {components} {ending}"
    spread = max(fit.start_objectives) - min(fit.start_objectives)
    if spread > START_SPREAD:
        text += (
            f" Its {len(fit.start_objectives)} starts ended up to {spread:.2g} nats a row apart: a better one may exist, "
            "so raise n_init."
        )
    return text
