"""Joint Gaussian mixtures of (x, y) on standardised rows: fitted, judged on held-out rows, and conditioned."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.distributions import Mixture
from condensity.em.fit import GMMFit, fit_gmm
from condensity.em.steps import CovarianceSpec, GaussianMixtureParameters, factors_of, group_by_missing, log_density
from condensity.engines.reference.gaussians import gaussian_components
from condensity.engines.reference.trainer import ROW_LOSS_CAP

#: Covariances may take this many bytes; the peak of a fit was 1.9 GB where they took .2 (d = 5000, one component, 60 s).
LARGEST_COVARIANCES = 2**30

#: Starts that end so many nats a row apart, in the objective, are worth a word.
START_SPREAD = 0.05


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of `JointGMMRegressor`, by the same names."""

    covariance_type: str = "full"
    covariance_prior: float = 0.01
    reg_covar: float = 1e-6
    max_iter: int = 200
    tol: float = 1e-4
    n_init: int = 1

    @cached_property
    def spec(self) -> CovarianceSpec:
        """What covariances may look like."""
        return CovarianceSpec(self.covariance_type, self.covariance_prior, self.reg_covar)


@dataclass(frozen=True)
class JointFit:
    """A fitted joint mixture over the columns of (x, y), and how the fit went.

    Attributes
    ----------
    parameters : GaussianMixtureParameters
    converged : bool
    outcome : str
        How it ended, in a sentence with numbers.
    n_iter : int
    history : dict of lists
        'objective': penalised mean log likelihood before every iteration and at the end.
    held_out_log_density : ndarray (n,)
        log p(y | x) of rows that were held out in the choice of K; nan elsewhere.
    log_likelihood : float
    ended_by_user : bool
    log_scale_bounds : None
    """

    parameters: GaussianMixtureParameters
    converged: bool
    outcome: str
    n_iter: int
    history: dict
    held_out_log_density: np.ndarray
    log_likelihood: float
    ended_by_user: bool = False
    log_scale_bounds: None = field(default=None, repr=False)


def covariance_bytes(n_components, d) -> int:
    """Memory that the covariances of d columns take."""
    return 8 * n_components * d**2


def fit_joint(
    settings: Settings, z, weight, n_components, rng, *, start=None, compute: Compute = AUTO, watch=None
) -> JointFit:
    """Fit a joint mixture of n_components by EM.

    Parameters
    ----------
    settings : Settings
    z : ndarray (n, d + q)
        Standardised rows (x, y); nan where there is a gap.
    weight : ndarray (n,)
        With mean one.
    n_components : int
    rng : numpy Generator
    start : GaussianMixtureParameters, optional
        Where EM begins; otherwise greedy k-means++.
    compute, watch
        As in `fit_gmm`.

    Raises
    ------
    ValueError
        If a covariance becomes singular, which needs both regularisations at about 0.
    """
    try:
        fit = fit_gmm(
            z, n_components, rng, sample_weight=weight, start=start, spec=settings.spec, max_iter=settings.max_iter,
            tol=settings.tol, n_init=settings.n_init, compute=compute, watch=watch,
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


def conditional(parameters, given, target, x, *, compute: Compute = AUTO) -> Mixture:
    """Mixture of the columns `target`, given values x (n, len(given)) of others: exact, gaps integrated out.

    With a = what is given, b = `target` and the Cholesky factor of Σ_k in the order (a, b),

        L = [[L_a, 0], [L_ba, L_b]],   z = L_a⁻¹ (x − μ_a),   b | x, k ~ N(μ_b + L_ba z, L_b L_bᵀ),
        log π_k(x) = log w_k − ½ zᵀz − Σ_j log L_a,jj − logsumexp of the same over the components,

    which is Σ_ba Σ_aa⁻¹ (x − μ_a) and Σ_bb − Σ_ba Σ_aa⁻¹ Σ_ab without a difference that could cancel.

    Parameters
    ----------
    parameters : GaussianMixtureParameters
    given, target : sequence of int
        Columns; disjoint. Without any given, the answer is the marginal, the same in every row.
    x : ndarray (n, len(given))

    Raises
    ------
    ValueError
        If x does not have one column for each given one.
    """
    x, given, target = np.asarray(x, dtype=float), np.asarray(given, dtype=int), list(target)
    if x.ndim != 2 or x.shape[1] != len(given):
        raise ValueError(
            f"x must have shape (n, {len(given)}), a column for each of given={list(given)}; got {x.shape}."
        )
    evaluate = engines.operation("gaussian_conditional", compute)
    parts = group_by_missing(x)
    pieces = [_condition(parameters, given[part.known], target, part.x, evaluate) for part in parts]
    if len(pieces) == 1:
        return Mixture.from_factors(*pieces[0])
    whole = [np.empty((len(x), *piece.shape[1:])) for piece in pieces[0]]
    for part, piece in zip(parts, pieces, strict=True):
        for result, some in zip(whole, piece, strict=True):
            result[part.rows] = some
    return Mixture.from_factors(*whole)


def conditional_terms(parameters, given, target, x, *, compute: Compute = AUTO):
    """Log weights (n, K), means (n, K, q) and Cholesky factors (K, q, q) that `conditional` is made of, for x without gaps."""
    evaluate = engines.operation("gaussian_conditional", compute)
    log_weights, means, factors = _condition(parameters, np.asarray(given, dtype=int), list(target), x, evaluate)
    return log_weights, means, factors[0]


def _condition(parameters, given, target, x, evaluate):
    """Log weights (n, K), means (n, K, q) and factors (n, K, q, q), every row's the same, given complete x."""
    n, a = x.shape
    ordered = parameters.over([*given, *target])
    factors = factors_of(ordered)
    slopes, rest = factors[:, a:, :a], factors[:, a:, a:]
    offsets = ordered.means[:, a:]
    if a == 0:
        log_weights = np.broadcast_to(np.log(ordered.weights), (n, len(offsets)))
        means = np.broadcast_to(offsets, (n, *offsets.shape))
    else:
        known = gaussian_components(ordered.weights, ordered.means[:, :a], factors[:, :a, :a])
        log_weights, means = evaluate(known, slopes, offsets, x)
    return log_weights, means, np.broadcast_to(rest, (n, *rest.shape))


def held_out_scores(fit_parameters, spec, z, n_inputs, *, joint=False, compute: Compute = AUTO):
    """Log p(y | x), or log p(x, y), of what each held-out row (n, d + q) knows, (n,); nan where y is not known at all.

    A row counts for −`ROW_LOSS_CAP` at least (for every column, if joint), so that one wild row cannot choose K.
    """
    log_joint = log_density(fit_parameters, z, spec, compute=compute)
    if joint:
        return np.maximum(log_joint, -ROW_LOSS_CAP * z.shape[1])
    inputs = fit_parameters.over(list(range(n_inputs)))
    log_conditional = log_joint - log_density(inputs, z[:, :n_inputs], spec, compute=compute)
    known = ~np.isnan(z[:, n_inputs:]).all(axis=1)
    return np.where(known, np.maximum(log_conditional, -ROW_LOSS_CAP), np.nan)


def n_parameters(n_components, d, covariance_type) -> int:
    """Free parameters of a mixture of K components over d columns."""
    of_covariance = {"full": d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": d, "spherical": 1}[covariance_type]
    n_covariances = 1 if covariance_type == "tied" else n_components
    return n_components - 1 + n_components * d + n_covariances * of_covariance


def _describe(fit: GMMFit, n_components) -> str:
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
