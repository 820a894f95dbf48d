"""Mixture density networks on standardised rows: settings → networks and plans → runs → parameters, and how it went."""

from condensity.training.fit import MDNFit, fit_mdn, train_one_epoch
from condensity.training.gaussian_init import GaussianInit, GaussianInitFitter, Terms
from condensity.training.journal import Journal
from condensity.training.predict import predict, predict_members
from condensity.training.settings import Settings

__all__ = [
    "GaussianInit",
    "GaussianInitFitter",
    "Journal",
    "MDNFit",
    "Settings",
    "Terms",
    "fit_mdn",
    "predict",
    "predict_members",
    "train_one_epoch",
]
