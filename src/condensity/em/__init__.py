"""Gaussian mixtures on standardised rows: starts → EM, with or without missing values → parameters → conditionals."""

from condensity.em.aside import InputsAside
from condensity.em.component_search import FOLDS_BELOW
from condensity.em.covariance_search import Choice, Splits, can_repeat, choose
from condensity.em.fit import GMMFit, fit_gmm, in_threads
from condensity.em.joint import (
    MAX_COVARIANCE_BYTES,
    JointFit,
    Regressions,
    Settings,
    conditional,
    conditional_terms,
    covariance_bytes,
    fit_joint,
    held_out_scores,
    n_parameters,
)
from condensity.em.screening import InputScreen
from condensity.em.start import kmeans_start
from condensity.em.steps import COVARIANCE_TYPES, CovarianceSpec, GaussianMixtureParameters, factors_of, log_density

__all__ = [
    "COVARIANCE_TYPES", "FOLDS_BELOW", "MAX_COVARIANCE_BYTES", "Choice", "CovarianceSpec", "GMMFit",
    "GaussianMixtureParameters", "InputScreen", "InputsAside", "JointFit", "Regressions", "Settings", "Splits", "can_repeat",
    "choose", "conditional", "conditional_terms", "covariance_bytes", "factors_of", "fit_gmm", "fit_joint",
    "held_out_scores", "in_threads", "kmeans_start", "log_density", "n_parameters",
]  # fmt: skip
