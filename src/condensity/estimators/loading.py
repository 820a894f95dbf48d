"""The door for saved models."""

from condensity import persistence
from condensity.estimators.joint_gmm import JointGMMRegressor
from condensity.estimators.mdn import MDNRegressor
from condensity.estimators.saving import restore
from condensity.persistence import ModelFileError

#: Classes that a file may name.
CLASSES = {"JointGMMRegressor": JointGMMRegressor, "MDNRegressor": MDNRegressor}


def load(path):
    """Load a model that `save` wrote.

    Reading it never runs code from the file, and a model predicts what it predicted when it was saved, to the bit on one machine.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    MDNRegressor or JointGMMRegressor
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
    content = persistence.read(path)
    try:
        return restore(content, CLASSES)
    except ModelFileError as error:
        raise ModelFileError(f"{str(path)!r}: {error}") from None
