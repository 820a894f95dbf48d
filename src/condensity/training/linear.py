"""One normal with a linear mean, fitted where there are too few rows for a network."""

import numpy as np

from condensity.data import OUTLIER_DISTANCE
from condensity.engines.types import Network, TrainingRows, unpack_layers
from condensity.training.settings import MIN_SCALE

#: Fewer rows than this do not suffice for any network.
MIN_ROWS_FOR_NETWORK = 20


def fit_linear_gaussian(rows: TrainingRows) -> tuple[np.ndarray, Network, str]:
    """Ridge regression with a unit prior on the standardised coefficients, as (θ, network, outcome).

    A single normal cannot set an outlier aside as a mixture does: one in 16 rows cost 12 nats. Those of the warning are left
    out. With several outputs, the residuals' covariance is shrunk to its diagonal as if by one more row a column.
    """
    n_given = len(rows.y)
    rows = rows.take((np.abs(rows.y) <= OUTLIER_DISTANCE).all(axis=1))
    (n, d), q = rows.x.shape, rows.y.shape[1]
    network = Network(d, (), 1, "tanh", None, q)
    x = np.column_stack([rows.x, np.ones(n)])
    gram = (x * rows.weight[:, None]).T @ x
    prior = np.diag([1.0] * d + [0.0])
    coefficients = np.linalg.solve(gram + prior, (x * rows.weight[:, None]).T @ rows.y)
    effective = np.trace(np.linalg.solve(gram + prior, gram))
    residual = rows.y - x @ coefficients
    moments = (residual * rows.weight[:, None]).T @ residual
    variances = np.maximum(np.diag(moments) / max(n - effective, 1.0), MIN_SCALE**2)
    covariance = moments * n / (max(n - effective, 1.0) * (n + q))
    np.fill_diagonal(covariance, variances)
    theta = np.zeros(network.n_parameters)
    weight, bias = unpack_layers(theta, network)[0]
    means = slice(1, 1 + q)
    weight[:, means], bias[means] = coefficients[:d], coefficients[d]
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))  # D⁻¹ (I + C)
    bias[1 + q : 1 + 2 * q] = -np.log(np.diag(inverse))
    bias[1 + 2 * q :] = (inverse / np.diag(inverse)[:, None])[np.tril_indices(q, -1)]
    outcome = (
        f"Fitted one normal with a linear mean: {n_given} rows are too few for a network "
        f"(fewer than {MIN_ROWS_FOR_NETWORK})."
    )
    if n < n_given:
        outcome += f" Left out as outliers: {n_given - n}."
    return theta, network, outcome
