"""Public names of `condensity.evaluation.scores`."""

from condensity.evaluation.scores import *  # noqa: F403
from condensity.evaluation.scores import __all__ as __all__
