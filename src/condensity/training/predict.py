"""From fitted networks to the mixture of every row."""

import numpy as np

from condensity.distributions import Mixture
from condensity.engines.reference.network import forward, regression_matrix
from condensity.training.gaussian_init import offset_of

#: Standardised inputs are held within ± this: an outlier cannot own the first layer, and far from the data the prediction
#: goes flat instead of running off along a line.
INPUT_LIMIT = 6.0

#: Where log σ is cut at prediction, so that an unbounded network cannot leave the range of float64.
LOG_SCALE_RANGE = (-300.0, 300.0)

#: Rows that go through the network at a time, so that its hidden layers take little memory.
PREDICTION_ROWS = 4096


def limit_inputs(x, out=None):
    """Hold standardised inputs within ±`INPUT_LIMIT`."""
    return np.clip(x, -INPUT_LIMIT, INPUT_LIMIT, out=out)


def predict(parameters, network, x, gaussian_inits=None) -> Mixture:
    """Mixture of every row, in standardised units, from standardised x (n, d); the members' side by side."""
    members = predict_members(parameters, network, x, gaussian_inits)
    return members[0] if len(members) == 1 else Mixture.mix(members)


def predict_members(parameters, network, x, gaussian_inits=None) -> list:
    """The mixtures of each member, on top of its base if there is one."""
    gaussian_inits = [None] * len(parameters) if gaussian_inits is None else gaussian_inits
    return [_predict_member(theta, network, x, base) for theta, base in zip(parameters, gaussian_inits, strict=True)]


def _predict_member(theta, network, x, base):
    n, k, q = len(x), network.n_components, network.n_outputs
    log_weights, means = np.empty((n, k)), np.empty((n, k, q))
    factors = np.empty((n, k, q, q) if network.n_regression_coefficients else (n, k, q))
    for start in range(0, n, PREDICTION_ROWS):
        rows = slice(start, start + PREDICTION_ROWS)
        inputs = limit_inputs(x[rows])
        head = forward(theta, network, inputs, None if base is None else offset_of(base, network, inputs))
        log_weights[rows], means[rows] = head.log_weights, head.means
        scales = np.exp(np.clip(head.log_scales, *LOG_SCALE_RANGE))
        factors[rows] = (
            covariance_factors(scales, head.regression_coefficients) if network.n_regression_coefficients else scales
        )
    return Mixture.from_factors(log_weights, means, factors)


def covariance_factors(scales, regression_coefficients):
    """Lower Cholesky factors (I + C)⁻¹ D, (n, K, q, q), from σ (n, K, q) and couplings (n, K, q(q − 1)/2)."""
    unit = regression_matrix(regression_coefficients, scales.shape[2])
    factors = np.zeros_like(unit)
    for i in range(scales.shape[2]):  # forward substitution; an exact triangle, which a general solver would not give
        factors[:, :, i, i] = scales[:, :, i]
        for j in range(i):
            factors[:, :, i] -= unit[:, :, i, j, None] * factors[:, :, j]
    return factors
