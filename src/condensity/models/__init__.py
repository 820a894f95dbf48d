"""Fitted conditional models in standardised units: x in, mixtures of y out."""

from condensity.models.conditional import ConditionalModel, CrossFit, FitReport, FitTask
from condensity.models.inputs import InputDensity
from condensity.models.joint import JointModel
from condensity.models.mdn import MDNModel

__all__ = ["ConditionalModel", "CrossFit", "FitReport", "FitTask", "InputDensity", "JointModel", "MDNModel"]
