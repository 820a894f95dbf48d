"""The mathematical documentation: every operation in NumPy float64, written to be read.

One module per idea, named like its native twin: `mixture` (densities and quantiles of row-wise mixtures), `scores`,
`sampling`, `network` (the mixture density network, its loss and gradients), `optimizer` (update rules), `trainer` (the
training loop), `gaussians` (the E step of Gaussian mixtures), `kmeans`; `engine` makes an engine of them. Native code is
tested against these; these are tested against scipy, mpmath, finite differences and quadrature.
"""

from condensity.engines.reference.engine import ReferenceEngine

__all__ = ["ReferenceEngine"]
