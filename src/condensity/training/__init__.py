"""Mixture density networks on standardised rows: settings → networks and plans → runs → parameters, with an outcome."""

from condensity.training.checkpoint import Checkpoint, fingerprint
from condensity.training.fit import fit_mdn
from condensity.training.gaussian_init import GaussianInit, GaussianInitFitter, Terms
from condensity.training.incremental import SolverState, train_one_epoch
from condensity.training.predict import predict, predict_members
from condensity.training.result import MDNFit, NetworkCrossFit
from condensity.training.settings import Settings

__all__ = [
    "Checkpoint",
    "GaussianInit",
    "GaussianInitFitter",
    "MDNFit",
    "NetworkCrossFit",
    "Settings",
    "SolverState",
    "Terms",
    "fingerprint",
    "fit_mdn",
    "predict",
    "predict_members",
    "train_one_epoch",
]
