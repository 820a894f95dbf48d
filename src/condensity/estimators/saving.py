"""Estimators as files: what is saved of a fitted model, and how it is put together again."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from condensity import data, em, persistence, support
from condensity._sklearn_compat import CALLBACKS, check_parameters
from condensity.data.scaling import Standardizer
from condensity.data.schema import Category
from condensity.distributions.transforms import Log, Logit
from condensity.em.joint import JointFit
from condensity.engines.types import Network
from condensity.estimators.gmm_base import FittedGaussianInit
from condensity.evaluation.diagnostics import Finding
from condensity.persistence import ModelFileError
from condensity.training.fit import MDNFit

#: Everything that a model is made of. Names are for ever; a class that is renamed keeps its name here.
PARTS: dict[str, type] = {
    "Category": Category,
    "Finding": Finding,
    "Form": em.CovarianceSpec,
    "GaussianBase": FittedGaussianInit,
    "GaussianMixtureParameters": em.GaussianMixtureParameters,
    "InputDensity": support.InputDensity,
    "JointFit": JointFit,
    "Log": Log,
    "Logit": Logit,
    "MDNFit": MDNFit,
    "Network": Network,
    "Schema": data.Schema,
    "Standardizer": Standardizer,
    "Support": support.Support,
}

#: Hyper-parameters that belong to a session and not to a model; a loaded model has their defaults.
OF_THE_SESSION = ("callback", "checkpoint")

#: What is made again when it is needed, and the state of a solver, whose bytes could not be trusted.
MADE_AGAIN = ("_evidence", "_proposal", "_solver_state", "_present")

#: What files from before it was there lack, and what it was then.
LATER = {"_y_transform": None}


def save_model(model, path) -> Path:
    """Write a fitted estimator; see `AbstractDensityRegressor.save`."""
    check_is_fitted(model)
    manifest, tensors = describe(model)
    return persistence.write(path, manifest, tensors)


def describe(model) -> tuple[dict, dict[str, np.ndarray]]:
    """The manifest and the tensors of a fitted estimator."""
    health = model.health_
    hyper = {name: value for name, value in model.get_params(deep=False).items() if name not in OF_THE_SESSION}
    if not (hyper["random_state"] is None or isinstance(hyper["random_state"], (int, np.integer))):
        hyper["random_state"] = None  # a generator has moved on since
    left_out = {*hyper, *OF_THE_SESSION, *MADE_AGAIN, CALLBACKS, "joint_"}
    learned = {name: value for name, value in vars(model).items() if name not in left_out}
    learned["_health"] = health
    learned["_fit"] = replace(learned["_fit"], held_out_log_density=np.empty(0))  # as long as the training table
    tree, tensors = persistence.pack({"params": hyper, "learned": learned}, PARTS, type(model).__name__)
    return {"library_version": version("condensity"), "class": type(model).__name__, "state": tree}, tensors


def restore(content, classes: Mapping[str, type]):
    """A fitted estimator from (manifest, tensors).

    Raises
    ------
    ModelFileError
        For anything that `describe` cannot have made.
    """
    manifest, tensors = content
    cls = classes.get(str(manifest.get("class")))
    if cls is None:
        raise ModelFileError(f"it holds a {str(manifest.get('class'))[:40]!r}, which this version does not know.")
    state = persistence.unpack(manifest.get("state"), tensors, PARTS)
    if not isinstance(state, dict) or set(state) != {"params", "learned"}:
        raise ModelFileError("it is damaged or no model: its state has no parameters.")
    hyper, learned = state["params"], state["learned"]
    if not (isinstance(hyper, dict) and isinstance(learned, dict)) or any(hasattr(cls, str(name)) for name in learned):
        raise ModelFileError("it is damaged or no model: its state is not one.")
    try:
        model = cls(**hyper)
        check_parameters(model)
        vars(model).update(learned | {name: value for name, value in LATER.items() if name not in learned})
        vars(model).update(dict.fromkeys(MADE_AGAIN))
        model._check_loaded()
    except (TypeError, ValueError, AttributeError, IndexError, KeyError, ArithmeticError, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelFileError(f"it is damaged or no model: its parts do not fit together ({said}).") from None
    return model
