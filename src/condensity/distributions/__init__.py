"""Distributions: n rows, each over q outputs, with every verb once in `Distribution`.

`mixture` and `transformed` are the kinds; their formulas are in `normals`, `mapped` and `lognormal`, on the mathematics of
`gaussian` and `normal_shape`. `algebra`, `pointwise` and `base` have the verbs, `guards` their refusals, `transforms` the
monotone maps.
"""

from condensity.distributions.base import Distribution
from condensity.distributions.formulas import ComponentSummary
from condensity.distributions.mixture import Mixture
from condensity.distributions.monotone import MonotoneMap
from condensity.distributions.parameters import MASS_TOLERANCE
from condensity.distributions.transformed import TransformedMixture

__all__ = ["MASS_TOLERANCE", "ComponentSummary", "Distribution", "Mixture", "MonotoneMap", "TransformedMixture"]
