"""Prediction: the mixture of every row from fitted networks."""

from collections.abc import Sequence

import numpy as np

from condensity import engines
from condensity.compute import AUTO, Compute
from condensity.distributions import Mixture
from condensity.engines.types import Network, regression_matrix
from condensity.training.gaussian_init import GaussianInit, head_offset

#: Standardised inputs are held within ± this: an outlier cannot own the first layer, and far from the data the prediction
#: goes flat instead of running off along a line.
INPUT_LIMIT = 6.0

#: Bounds of log σ at prediction, so that an unbounded network cannot leave the range of float64.
LOG_SCALE_RANGE = (-300.0, 300.0)

#: Rows that go through the network at a time, so that its hidden layers take little memory: as many, and fewer where a layer of
#: so many units would have more numbers than this.
PREDICTION_ROWS, MAX_UNITS = 4096, 2**22


def limit_inputs(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Standardised inputs x (n, d) held within ±`INPUT_LIMIT`; written to `out` (n, d) if given."""
    return np.clip(x, -INPUT_LIMIT, INPUT_LIMIT, out=out)


def predict(
    parameters: np.ndarray,
    network: Network,
    x: np.ndarray,
    gaussian_inits: Sequence[GaussianInit] | None = None,
    *,
    compute: Compute = AUTO,
) -> Mixture:
    """Mixture of every row in standardised units, the members' components in one mixture.

    Parameters
    ----------
    parameters : ndarray (m, n_parameters)
        θ of every member.
    network : Network
    x : ndarray (n, d)
        Standardised.
    gaussian_inits : sequence of m GaussianInit, optional
        Mixture that each member corrects.
    compute : Compute
    """
    members = predict_members(parameters, network, x, gaussian_inits, compute=compute)
    return members[0] if len(members) == 1 else Mixture.mix(members)


def predict_members(
    parameters: np.ndarray,
    network: Network,
    x: np.ndarray,
    gaussian_inits: Sequence[GaussianInit] | None = None,
    *,
    compute: Compute = AUTO,
) -> list[Mixture]:
    """The m mixtures of the members, each over the n rows, in standardised units.

    Parameters
    ----------
    parameters : ndarray (m, n_parameters)
        θ of every member.
    network : Network
    x : ndarray (n, d)
        Standardised.
    gaussian_inits : sequence of m GaussianInit, optional
        Mixture that each member corrects.
    compute : Compute
    """
    inits = [None] * len(parameters) if gaussian_inits is None else gaussian_inits
    return [_predict_member(theta, network, x, init, compute) for theta, init in zip(parameters, inits, strict=True)]


def _predict_member(
    theta: np.ndarray, network: Network, x: np.ndarray, gaussian_init: GaussianInit | None, compute: Compute
) -> Mixture:
    n, k, q = len(x), network.n_components, network.n_outputs
    log_weights, means = np.empty((n, k)), np.empty((n, k, q))
    factors = np.empty((n, k, q, q) if network.n_regression_coefficients else (n, k, q))
    forward = engines.operation("predict_network", compute)
    step = max(1, min(PREDICTION_ROWS, MAX_UNITS // max(width for shape in network.layer_shapes for width in shape)))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        inputs = limit_inputs(x[rows])
        offset = None if gaussian_init is None else head_offset(gaussian_init, network, inputs)
        head = forward(theta, network, inputs, offset)
        log_weights[rows], means[rows] = head.log_weights, head.means
        scales = np.exp(np.clip(head.log_scales, *LOG_SCALE_RANGE))
        coefficients = head.regression_coefficients
        factors[rows] = covariance_factors(scales, coefficients) if coefficients.shape[2] else scales
    return Mixture.from_factors(log_weights, means, factors)


def covariance_factors(scales: np.ndarray, regression_coefficients: np.ndarray) -> np.ndarray:
    """Lower Cholesky factors (I + C)⁻¹ D, (n, K, q, q), from σ = `scales` (n, K, q) and `regression_coefficients` (n, K, c).

    There are c = q(q − 1)/2 coefficients of each component.
    """
    unit = regression_matrix(regression_coefficients, scales.shape[2])
    factors = np.zeros_like(unit)
    for i in range(scales.shape[2]):  # forward substitution; an exact triangle, which a general solver would not give
        factors[:, :, i, i] = scales[:, :, i]
        for j in range(i):
            factors[:, :, i] -= unit[:, :, i, j, None] * factors[:, :, j]
    return factors
