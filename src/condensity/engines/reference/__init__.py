"""The mathematical documentation: every kernel in NumPy float64, written to be read.

One module per idea, named like its native twin: `mixture` (densities and quantiles of row-wise mixtures), `network` (the
mixture density network, its loss and gradients), `optimizer` (update rules), `trainer` (the training loop), `em` (Gaussian
mixtures by expectation–maximisation). Native code is tested against these; these are tested against scipy, mpmath, finite
differences and quadrature.
"""
