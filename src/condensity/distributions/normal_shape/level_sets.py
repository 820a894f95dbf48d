"""Shape of one-dimensional normal mixtures, exactly, for many rows at once.

Modes and antimodes (`stationary`), highest-density regions and values (`regions`) and entropy (`entropy`). All take log
weights, means and scales (n, K); weights of a row sum to one, and −inf marks an empty component.
"""

from condensity.distributions.normal_shape.entropy import entropy
from condensity.distributions.normal_shape.regions import highest_density_region, hpd_value
from condensity.distributions.normal_shape.stationary import find_modes, stationary_points

__all__ = ["entropy", "find_modes", "highest_density_region", "hpd_value", "stationary_points"]
