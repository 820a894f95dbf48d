"""The mixture density network: forward pass, loss, hand-written gradients. NumPy float64, standardised units.

Letters: n rows, d inputs, q outputs, K components. The network is an MLP whose linear head gives, for each component, a
logit a, q means m, q numbers r and, where the outputs of a component may depend on each other, q(q − 1)/2 coefficients c:

    log π_k = a_k − logsumexp(a)        μ_k = m_k        log σ_ki = clamp(r_ki)

    u = y − μ_k        v_i = u_i + Σ_{j<i} c_kij u_j        z_i = v_i / σ_ki
    ℓ_k = log π_k − Σ_i log σ_ki − ½ |z|² − q/2 log 2π,   γ = softmax(ℓ)
    NLL = −logsumexp_k ℓ_k

    ∂NLL/∂a_k = π_k − γ_k        ∂NLL/∂log σ_ki = γ_k (1 − z_i²)        ∂NLL/∂c_kij = γ_k z_i u_j / σ_ki
    ∂NLL/∂μ_kj = −γ_k (z_j / σ_kj + Σ_{i>j} c_kij z_i / σ_ki)

A row may bring an offset, which is added to a, m, r and c before all else: the network then learns an additive correction
to another mixture, whose a, m, r and c the offset holds. Gradients with respect to θ keep their form.

With one output that is z = (y − μ) / σ. With several, D⁻¹(I + C) with D = diag(σ) is the Cholesky factor of the precision
(Williams 1996), written so that −c are the regression coefficients of an output on those before it and σ the standard
deviation that is left (Pourahmadi 1999): both keep their size when a component becomes narrow, as the factor does not.

Two penalties act on every σ_ki(x), whatever its weight π_k(x): a component without responsibility gets no gradient from
the likelihood (γ_k → 0), and its σ would drift wherever the shared hidden layer takes it. That is the spike of the blog post.

    penalty = mean_x Σ_ki [ hinge · ½ max(0, log σ_ki)² + lognormal · ½ (log σ_ki + 1)² ]

Sources: Bishop (1994), "Mixture density networks", NCRG/94/004, for model and likelihood gradients; Williams (1996), "Using
neural networks to model conditional multivariate densities", Neural Computation 8; Pourahmadi (1999), Biometrika 86, for
the modified Cholesky factor.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from condensity.engines.types import HALF_LOG_2PI, MixtureHead, Network, Penalty, regression_matrix, unpack_layers

#: Centre of the log-normal prior on σ: e^-1 of a standard deviation of y (its width is 1 in log σ).
LOG_SCALE_CENTER = -1.0


def matrix_mask(network: Network) -> np.ndarray:
    """1.0 where the `network`'s θ holds an entry of a weight matrix, 0.0 where it holds a bias; (n_parameters,)."""
    mask = np.zeros(network.n_parameters)
    for weight, _ in unpack_layers(mask, network):
        weight[...] = 1.0
    return mask


# ------------------------------------------------------------------------------------------------------ activations
def _tanh(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h = np.tanh(u)
    return h, 1.0 - h * h


def _silu(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = expit(u)
    h = u * s
    return h, s + h * (1.0 - s)


def _relu(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.maximum(u, 0.0), (u > 0).astype(float)


#: name -> function of u giving (activation, its derivative).
ACTIVATIONS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "tanh": _tanh,
    "silu": _silu,
    "relu": _relu,
}


def soft_clamp(r: np.ndarray, bounds: tuple[Any, Any] | None) -> tuple[np.ndarray, np.ndarray]:
    """Log σ and d log σ / d r: slope about 1 between the bounds (low, high), smooth at both ends.

    clamp(r) = high − softplus(high − (low + softplus(r − low)))
    """
    if bounds is None:
        return r, np.ones_like(r)
    low, high = bounds
    lifted = low + np.logaddexp(0.0, r - low)
    return high - np.logaddexp(0.0, high - lifted), expit(r - low) * expit(high - lifted)


# ---------------------------------------------------------------------------------------------------------- forward
def piecewise_linear_encoding(x: np.ndarray, edges: Sequence[np.ndarray]) -> np.ndarray:
    """Columns of x (n, d), then their bins: −1 below a bin, 1 above it, linear inside (Gorishniy et al. 2022).

    Bins of a column lie between its `edges` (n_bins + 1,).
    """
    parts = [x]
    for column, edge in zip(x.T, edges, strict=True):
        if len(edge) > 1:
            parts.append(np.clip(2.0 * (column[:, None] - edge[:-1]) / np.diff(edge) - 1.0, -1.0, 1.0))
    return np.concatenate(parts, axis=1)


def forward(theta: np.ndarray, network: Network, x: np.ndarray, offset: np.ndarray | None = None) -> MixtureHead:
    """Mixture of every row of x (n, d), by the `network` with parameters `theta` (n_parameters,).

    An `offset` (n, head width) is added to the linear head's output.
    """
    *_, head, _ = _forward(theta, network, x, offset)
    return head


def _forward(
    theta: np.ndarray, network: Network, x: np.ndarray, offset: np.ndarray | None
) -> tuple[list[np.ndarray], list[np.ndarray], MixtureHead, np.ndarray]:
    """Layer inputs, activation slopes, the `MixtureHead`, and the clamp's slope."""
    layers, activation = unpack_layers(theta, network), ACTIVATIONS[network.activation]
    inputs, slopes = [piecewise_linear_encoding(x, network.edges) if network.edges else x], []
    for weight, bias in layers[:-1]:
        h, slope = activation(inputs[-1] @ weight + bias)
        inputs.append(h)
        slopes.append(slope)
    weight, bias = layers[-1]
    output = inputs[-1] @ weight + bias
    if offset is not None:
        output = output + offset
    k, q = network.n_components, network.n_outputs
    a, means, r, regression_coefficients = np.split(output, [k, k + k * q, k + 2 * k * q], axis=1)
    log_scales, clamp_slope = soft_clamp(r.reshape(-1, k, q), network.log_scale_bounds)
    a = a - a.max(axis=1, keepdims=True)
    log_weights = a - np.log(np.exp(a).sum(axis=1, keepdims=True))
    head = MixtureHead(
        log_weights,
        means.reshape(-1, k, q),
        log_scales,
        regression_coefficients.reshape(len(x), k, network.n_regression_coefficients),
    )
    return inputs, slopes, head, clamp_slope


def row_log_density(head: MixtureHead, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Log p(y | x), (n,), of y (n, q) under a `head`; responsibilities γ (n, K); and u and z, each (n, K, q)."""
    u = y[:, None, :] - head.means
    v = (
        u + np.einsum("nkij,nkj->nki", regression_matrix(head.regression_coefficients, y.shape[1]), u)
        if head.regression_coefficients.size
        else u
    )
    z = v * np.exp(-head.log_scales)
    terms = head.log_weights - 0.5 * (z * z).sum(axis=2) - head.log_scales.sum(axis=2) - y.shape[1] * HALF_LOG_2PI
    top = terms.max(axis=1, keepdims=True)
    share = np.exp(terms - top)
    total = share.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], share / total, u, z


def log_density(
    theta: np.ndarray, network: Network, x: np.ndarray, y: np.ndarray, offset: np.ndarray | None = None
) -> np.ndarray:
    """Log p(y | x), (n,), of rows x (n, d) and y (n, q), by the `network` with parameters `theta` (n_parameters,).

    An `offset` (n, head width) is added to the linear head's output.
    """
    return row_log_density(forward(theta, network, x, offset), y)[0]


# --------------------------------------------------------------------------------------------------------- gradient
def cap_loss(row_nll: np.ndarray, loss_cap: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses (n,) of rows with `row_nll` (n,) in nats, logarithmic above `loss_cap`, and their slopes (n, 1)."""
    ratio = np.maximum(row_nll / loss_cap, 1.0)
    return np.where(ratio > 1.0, loss_cap * (1.0 + np.log(ratio)), row_nll), 1.0 / ratio[:, None]


def loss_and_gradient(
    theta: np.ndarray,
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    row_weight: np.ndarray,
    penalty: Penalty,
    offset: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """(1/n) Σ_i w_i (NLL_i + penalty_i), and its gradient.

    Parameters
    ----------
    theta : ndarray (n_parameters,)
    network : Network
    x : ndarray (n, d)
    y : ndarray (n, q)
    row_weight : ndarray (n,)
        Non-negative; mean one over the whole table, though not over each batch, so that batches stay unbiased.
    penalty : Penalty
    offset : ndarray (n, head width), optional
        Added to the linear head's output.

    Returns
    -------
    loss : float
    gradient : ndarray (n_parameters,)
    """
    inputs, slopes, head, clamp_slope = _forward(theta, network, x, offset)
    log_weights, _, log_scales, regression_coefficients = head
    row_log_p, responsibility, u, z = row_log_density(head, y)
    n, share = len(y), (row_weight / len(row_weight))[:, None]
    row_loss, row_slope = cap_loss(-row_log_p, penalty.loss_cap)

    above, off_center = np.maximum(log_scales, 0.0), log_scales - LOG_SCALE_CENTER
    penalties = 0.5 * (penalty.hinge * above**2 + penalty.lognormal * off_center**2)
    loss = float(np.sum(share[:, 0] * (penalties.sum(axis=(1, 2)) + row_loss)))

    gamma = (row_slope * responsibility)[:, :, None]
    pull = gamma * z * np.exp(-log_scales)
    d_logit = row_slope * (np.exp(log_weights) - responsibility)
    d_mean = -pull
    if regression_coefficients.size:
        d_mean = d_mean - np.einsum("nkij,nki->nkj", regression_matrix(regression_coefficients, y.shape[1]), pull)
    d_log_scale = gamma * (1.0 - z * z) + penalty.hinge * above + penalty.lognormal * off_center
    rows, columns = np.tril_indices(y.shape[1] if regression_coefficients.size else 0, -1)
    d_coefficients = pull[:, :, rows] * u[:, :, columns]
    parts = (d_logit, d_mean, d_log_scale * clamp_slope, d_coefficients)
    delta = share * np.concatenate([part.reshape(n, -1) for part in parts], axis=1)
    return loss, _backward(theta, network, inputs, slopes, delta)


def _backward(
    theta: np.ndarray, network: Network, inputs: list[np.ndarray], slopes: list[np.ndarray], delta: np.ndarray
) -> np.ndarray:
    """Carry delta = ∂loss/∂(head output), (n, width of the head), back to a flat gradient."""
    gradient = np.empty_like(theta)
    layers, gradients = unpack_layers(theta, network), unpack_layers(gradient, network)
    for level in range(len(layers) - 1, -1, -1):
        d_weight, d_bias = gradients[level]
        d_weight[...] = inputs[level].T @ delta
        d_bias[...] = delta.sum(axis=0)
        if level:
            delta = (delta @ layers[level][0].T) * slopes[level - 1]
    return gradient
