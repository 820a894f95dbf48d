"""condensity: the whole distribution of y given x.

Public names are loaded on first use (PEP 562), so that `import condensity` and the command line's --help are instant.
"""

from importlib import import_module

_HOME = {
    "AbstractDensityRegressor": "condensity.estimators.base",
    "JointGMMRegressor": "condensity.estimators.joint_gmm",
    "MDNRegressor": "condensity.estimators.mdn",
    "Mixture": "condensity.distributions",
    "ModelFileError": "condensity.persistence",
    "TransformedMixture": "condensity.distributions",
    "WeightedDraws": "condensity.inverse",
    "load": "condensity.estimators.loading",
    "report": "condensity.report",
    "datasets": "condensity.datasets",
    "export": "condensity.export",
    "plots": "condensity.plots",
    "predict_dist": "condensity.estimators.unwrap",
    "scorers": "condensity.scorers",
    "scores": "condensity.scores",
    "selection": "condensity.selection",
}

__all__ = [
    "AbstractDensityRegressor",
    "JointGMMRegressor",
    "MDNRegressor",
    "Mixture",
    "ModelFileError",
    "TransformedMixture",
    "WeightedDraws",
    "__version__",
    "datasets",
    "export",
    "load",
    "plots",
    "predict_dist",
    "report",
    "scorers",
    "scores",
    "selection",
]


def __getattr__(name):
    if name == "__version__":
        from importlib.metadata import version

        return version("condensity")
    if name not in _HOME:
        raise AttributeError(f"module 'condensity' has no attribute {name!r}")
    home = import_module(_HOME[name])
    return home if home.__name__ == f"condensity.{name}" else getattr(home, name)


def __dir__():
    return sorted(__all__)
