"""Public names of `condensity.evaluation.selection`."""

from condensity.evaluation.selection import *  # noqa: F403
from condensity.evaluation.selection import __all__ as __all__
