"""Loading of saved models."""

from os import PathLike
from typing import Any

from condensity.estimators import joint_gmm, mdn  # noqa: F401  (registers the classes that files hold)
from condensity.estimators.fitted import FittedDensity
from condensity.persistence import ModelFileError, load_model


def load(path: str | PathLike[str]) -> Any:
    """Load a model that `save` wrote.

    Reading it never runs code from the file, and a model predicts what it predicted when it was saved, to the bit on one machine.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    MDNRegressor, JointGMMRegressor, or another estimator registered with `condensity.persistence.saveable`
        Fitted. `partial_fit` goes on with a fresh solver.

    Raises
    ------
    OSError
        If the file cannot be read.
    ModelFileError
        If it is no model, is damaged, or was written by a later version in a format that this one does not know.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from condensity import JointGMMRegressor, load
    >>> from condensity.datasets.synthetic import make_cross
    >>> problem = make_cross(200, random_state=0)
    >>> model = JointGMMRegressor(3, random_state=0).fit(problem.X, problem.y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = model.save(pathlib.Path(folder) / "cross.condensity")
    ...     load(path).score(problem.X, problem.y) == model.score(problem.X, problem.y)
    True
    """
    model = load_model(path)
    if not isinstance(model, FittedDensity) or not hasattr(model, "report_"):
        raise ModelFileError(f"{str(path)!r}: it holds a {type(model).__name__} that is no fitted model.")
    return model
