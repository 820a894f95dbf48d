"""Public names of `condensity.evaluation.scorers`."""

from condensity.evaluation.scorers import *  # noqa: F403
from condensity.evaluation.scorers import __all__ as __all__
