"""`Mixture`, THE distribution object: n rows, each a mixture of K normal components over q outputs.

`distribution` is the object and its verbs; the other modules hold the mathematics behind them, as functions of arrays.
"""

from condensity.distributions.mixture import Mixture
from condensity.distributions.parameters import MASS_TOLERANCE
from condensity.distributions.transformed import TransformedMixture

__all__ = ["MASS_TOLERANCE", "Mixture", "TransformedMixture"]
