"""Fit a joint Gaussian mixture to standardised rows: settings → components, parameters, history and how it ended."""

from dataclasses import dataclass

import numpy as np

from condensity.kernels.reference.em import GaussianMixtureParameters, GMMFit, condition_gaussians, fit_gmm
from condensity.kernels.reference.trainer import ROW_LOSS_CEILING
from condensity.mixture import Mixture
from condensity.selection import candidate_sizes, sweep
from condensity.splitting import held_out_splits


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters of `JointGMMRegressor`, by the same names."""

    n_components: int | str
    covariance_prior: float
    reg_covar: float
    max_iter: int
    tol: float
    n_init: int
    validation_fraction: float


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
    selection : dict of lists or None
        'n_components' and held-out 'score' of every size tried; None when the size was given.
    """

    parameters: GaussianMixtureParameters
    converged: bool
    outcome: str
    n_iter: int
    history: dict
    selection: dict | None


def predict(parameters: GaussianMixtureParameters, x) -> Mixture:
    """Mixture of y given each row of standardised x (n, d), in standardised units: exact conditioning."""
    d = x.shape[1]
    log_weights, means, scales = condition_gaussians(parameters, x, list(range(d)), d)
    return Mixture(log_weights=log_weights, means=means, scales=scales)


def fit_joint(settings: Settings, rows, rng, validation=None) -> JointFit:
    """Fit by EM; with n_components 'auto', choose the number by held-out conditional log density first.

    Parameters
    ----------
    settings : Settings
    rows : Rows
        Standardised rows, weights with mean one.
    rng : numpy Generator
    validation : Rows, optional
        The caller's own held-out rows, for the choice of the number of components.
    """
    joint = np.column_stack([rows.x, rows.y])
    n_components, selection = settings.n_components, None
    if n_components == "auto":
        n_components, selection = _choose_size(settings, rows, rng, validation)
    fit = _run(settings, joint, rows.weight, n_components, rng)
    return JointFit(
        parameters=fit.parameters,
        converged=fit.converged,
        outcome=_describe(fit, n_components, selection),
        n_iter=fit.n_iter,
        history={"objective": list(fit.objective_path)},
        selection=selection,
    )


def _run(settings, joint, weight, n_components, rng) -> GMMFit:
    return fit_gmm(
        joint,
        n_components,
        rng,
        sample_weight=weight,
        prior=settings.covariance_prior,
        ridge=settings.reg_covar,
        max_iter=settings.max_iter,
        tol=settings.tol,
        n_init=settings.n_init,
    )


def _choose_size(settings, rows, rng, validation):
    """Best number of components by held-out log p(y | x), and the sweep's table."""
    if validation is None:
        splits = held_out_splits(len(rows.y), settings.validation_fraction, rng)
        pairs = [(rows.take(kept), rows.take(held_out)) for kept, held_out in splits]
    else:
        pairs = [(rows, validation)]

    def held_out_score(n_components):
        scores = []
        for kept, held_out in pairs:
            fit = _run(settings, np.column_stack([kept.x, kept.y]), kept.weight, n_components, rng)
            log_density = predict(fit.parameters, held_out.x).logpdf(held_out.y)
            scores.append(np.average(np.maximum(log_density, -ROW_LOSS_CEILING), weights=held_out.weight))
        return np.mean(scores)

    return sweep(held_out_score, candidate_sizes(min(len(kept.y) for kept, _ in pairs)))


def _describe(fit, n_components, selection) -> str:
    chosen = (
        ""
        if selection is None
        else f" ({n_components} chosen among {selection['n_components']} on held-out rows)"
    )
    components = f"{n_components} component{'' if n_components == 1 else 's'}{chosen}"
    if fit.converged:
        return f"EM with {components} converged after {fit.n_iter} iterations."
    return f"EM with {components} reached max_iter ({fit.n_iter}) while the likelihood was still rising."
