"""`Mixture`, THE distribution object: n rows, each a mixture of K normal components over q outputs.

`distribution` is the object and its verbs; the other modules hold the mathematics behind them, as functions of arrays.
"""

from condensity.mixture.distribution import Mixture
from condensity.mixture.parameters import MASS_TOLERANCE
from condensity.mixture.transformed import TransformedMixture

__all__ = ["MASS_TOLERANCE", "Mixture", "TransformedMixture"]
