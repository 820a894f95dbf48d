"""condensity: the whole distribution of y given x.

Public names are loaded on first use (PEP 562), so that `import condensity` and the command line's --help are instant.
Type checkers read `__init__.pyi`, which `tests/test_stub.py` holds to this module.
"""

from importlib import import_module

_MODULES = ("datasets", "export", "plots", "report", "scorers", "scores", "selection")

#: Public class or function → the module that defines it.
_HOMES = {
    "AbstractDensityRegressor": "condensity.estimators.base",
    "Distribution": "condensity.distributions",
    "JointGMMRegressor": "condensity.estimators.joint_gmm",
    "MDNRegressor": "condensity.estimators.mdn",
    "Mixture": "condensity.distributions",
    "ModelFileError": "condensity.persistence",
    "MonotoneMap": "condensity.distributions",
    "TransformedMixture": "condensity.distributions",
    "WeightedDraws": "condensity.inverse",
    "cross_val_predict_dist": "condensity.estimators.out_of_fold",
    "load": "condensity.estimators.loading",
    "predict_dist": "condensity.estimators.unwrap",
    "predict_interval": "condensity.estimators.unwrap",
    "predict_quantiles": "condensity.estimators.unwrap",
    "predict_region": "condensity.estimators.unwrap",
    "write_report": "condensity.report",
}

__all__ = sorted([*_MODULES, *_HOMES, "__version__"])


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("condensity")
    if name in _MODULES:
        return import_module(f"condensity.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'condensity' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
