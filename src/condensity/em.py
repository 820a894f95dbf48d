"""Fit a joint Gaussian mixture to standardised rows: settings → parameters, history and how it ended."""

from dataclasses import dataclass

import numpy as np

from condensity.kernels.reference.em import GaussianMixtureParameters, GMMFit, condition_gaussians, fit_gmm
from condensity.kernels.reference.trainer import ROW_LOSS_CEILING
from condensity.mixture import Mixture

#: Covariances may take this many bytes; the peak of a fit was 1.9 GB where they took .2 (d = 5000, one component, 60 s).
LARGEST_COVARIANCES = 2**30


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of `JointGMMRegressor`, by the same names."""

    covariance_prior: float
    reg_covar: float
    max_iter: int
    tol: float
    n_init: int


@dataclass(frozen=True)
class JointFit:
    """A fitted joint mixture over (x, y), y the last column, and how the fit went.

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
        All nan: every row was trained on.
    log_scale_bounds : None
    """

    parameters: GaussianMixtureParameters
    converged: bool
    outcome: str
    n_iter: int
    history: dict
    held_out_log_density: np.ndarray
    log_scale_bounds: None = None


def predict(parameters: GaussianMixtureParameters, x) -> Mixture:
    """Mixture of y given each row of standardised x (n, d), in standardised units: exact conditioning."""
    d = x.shape[1]
    log_weights, means, scales = condition_gaussians(parameters, x, list(range(d)), d)
    return Mixture(log_weights=log_weights, means=means, scales=scales)


def covariance_bytes(n_components, d) -> int:
    """Memory that the covariances of (x, y) take, for d inputs."""
    return 8 * n_components * (d + 1) ** 2


def fit_joint(settings: Settings, rows, n_components, rng, start=None) -> JointFit:
    """Fit a joint mixture of n_components by EM.

    Parameters
    ----------
    settings : Settings
    rows : Rows
        Standardised rows, weights with mean one.
    n_components : int
    rng : numpy Generator
    start : GaussianMixtureParameters, optional
        Where EM begins; otherwise greedy k-means++.

    Raises
    ------
    ValueError
        If a covariance becomes singular, which needs both regularisations at about 0.
    """
    try:
        fit = fit_gmm(
            np.column_stack([rows.x, rows.y]),
            n_components,
            rng,
            sample_weight=rows.weight,
            start=start,
            prior=settings.covariance_prior,
            ridge=settings.reg_covar,
            max_iter=settings.max_iter,
            tol=settings.tol,
            n_init=settings.n_init,
        )
    except np.linalg.LinAlgError:
        raise ValueError(
            f"A covariance became singular with covariance_prior={settings.covariance_prior:g} and "
            f"reg_covar={settings.reg_covar:g}: a component held too few distinct rows, or columns are constant or "
            "equal. Raise either of the two, or lower n_components."
        ) from None
    return JointFit(
        parameters=fit.parameters,
        converged=fit.converged,
        outcome=_describe(fit, n_components),
        n_iter=fit.n_iter,
        history={"objective": list(fit.objective_path)},
        held_out_log_density=np.full(len(rows.y), np.nan),
    )


def held_out_score(fit: JointFit, rows) -> float:
    """Weighted mean of log p(y | x) on held-out rows, one row's share limited by `ROW_LOSS_CEILING`."""
    log_density = predict(fit.parameters, rows.x).logpdf(rows.y[:, 0])
    return float(np.average(np.maximum(log_density, -ROW_LOSS_CEILING), weights=rows.weight))


def _describe(fit: GMMFit, n_components) -> str:
    components = f"{n_components} component{'' if n_components == 1 else 's'}"
    if fit.converged:
        return f"EM with {components} converged after {fit.n_iter} iterations."
    return f"EM with {components} reached max_iter ({fit.n_iter}) while the likelihood was still rising."
