"""The mixture density network: forward pass, loss, hand-written gradients. One output, NumPy float64, standardised units.

Letters: n rows, d inputs, K components. The network is an MLP whose linear head gives 3K numbers a row, a, m, r:

    log π_k = a_k − logsumexp(a)        μ_k = m_k        log σ_k = clamp(r_k)

    ℓ_k = log π_k − ½ z_k² − log σ_k − ½ log 2π,   z_k = (y − μ_k) / σ_k,   γ = softmax(ℓ)
    NLL = −logsumexp_k ℓ_k

    ∂NLL/∂a_k = π_k − γ_k        ∂NLL/∂μ_k = −γ_k z_k / σ_k        ∂NLL/∂log σ_k = γ_k (1 − z_k²)

Two penalties act on every σ_k(x), whatever its weight π_k(x): a component that nobody uses gets no gradient from the
likelihood (γ_k → 0), and its σ would drift wherever the shared hidden layer takes it. That is the spike of the blog post.

    penalty = mean_x Σ_k [ hinge · ½ max(0, log σ_k)² + lognormal · ½ (log σ_k + 1)² ]

Sources: Bishop (1994), "Mixture density networks", NCRG/94/004, for model and likelihood gradients.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from condensity.kernels.reference.mixture import HALF_LOG_2PI

#: Centre of the log-normal prior on σ: e^-1 of a standard deviation of y (its width is 1 in log σ).
LOG_SCALE_CENTER = -1.0


class Network(NamedTuple):
    """What the network looks like; its numbers live in one flat vector θ.

    Attributes
    ----------
    n_inputs : int
        d.
    hidden : tuple of int
        Widths of the hidden layers; () is a linear model.
    n_components : int
        K.
    activation : str
        A key of `ACTIVATIONS`.
    log_scale_bounds : (float, float) or None
        Where the soft clamp holds log σ; None is a plain exponential.
    """

    n_inputs: int
    hidden: tuple
    n_components: int
    activation: str
    log_scale_bounds: tuple | None

    @property
    def layer_shapes(self) -> list:
        """Shapes (inputs, outputs) of the weight matrices, first to last."""
        widths = [self.n_inputs, *self.hidden, 3 * self.n_components]
        return list(pairwise(widths))

    @property
    def n_parameters(self) -> int:
        """Length of θ."""
        return sum((rows + 1) * columns for rows, columns in self.layer_shapes)


class Penalty(NamedTuple):
    """What is added to, and taken from, the plain likelihood.

    Attributes
    ----------
    hinge, lognormal : float
        Strengths of the two σ penalties; see the module's formula.
    ceiling : float
        A row's NLL above this many nats counts as ceiling · (1 + log(NLL / ceiling)): continuous with its slope, so that
        an outlier at 10⁶ σ, whose plain gradient is 10¹², pulls no harder than a few dozen rows.
    """

    hinge: float = 0.0
    lognormal: float = 0.0
    ceiling: float = np.inf


def split(theta, network) -> list:
    """Views (W, b) into θ, layer by layer; writing to them writes to θ."""
    layers, start = [], 0
    for rows, columns in network.layer_shapes:
        middle, end = start + rows * columns, start + (rows + 1) * columns
        layers.append((theta[start:middle].reshape(rows, columns), theta[middle:end]))
        start = end
    return layers


def matrix_mask(network) -> np.ndarray:
    """1.0 where θ holds an entry of a weight matrix, 0.0 where it holds a bias; (n_parameters,)."""
    mask = np.zeros(network.n_parameters)
    for weight, _ in split(mask, network):
        weight[...] = 1.0
    return mask


# ------------------------------------------------------------------------------------------------------ activations
def _tanh(u):
    h = np.tanh(u)
    return h, 1.0 - h * h


def _silu(u):
    s = expit(u)
    h = u * s
    return h, s + h * (1.0 - s)


def _relu(u):
    return np.maximum(u, 0.0), (u > 0).astype(float)


#: name -> function of u giving (activation, its derivative).
ACTIVATIONS = {"tanh": _tanh, "silu": _silu, "relu": _relu}


def soft_clamp(r, bounds):
    """Log σ and d log σ / d r: slope about 1 between the bounds (low, high), smooth at both ends.

    clamp(r) = high − softplus(high − (low + softplus(r − low)))
    """
    if bounds is None:
        return r, np.ones_like(r)
    low, high = bounds
    lifted = low + np.logaddexp(0.0, r - low)
    return high - np.logaddexp(0.0, high - lifted), expit(r - low) * expit(high - lifted)


# ---------------------------------------------------------------------------------------------------------- forward
def forward(theta, network, x):
    """Mixture of every row: (log_weights, means, log_scales), each (n, K), from x (n, d)."""
    *_, mixture = _forward(theta, network, x)
    log_weights, means, log_scales, _ = mixture
    return log_weights, means, log_scales


def _forward(theta, network, x):
    """Layer inputs, activation slopes, and the head's (log_weights, means, log_scales, clamp slope)."""
    layers, activation = split(theta, network), ACTIVATIONS[network.activation]
    inputs, slopes = [x], []
    for weight, bias in layers[:-1]:
        h, slope = activation(inputs[-1] @ weight + bias)
        inputs.append(h)
        slopes.append(slope)
    weight, bias = layers[-1]
    a, means, r = np.split(inputs[-1] @ weight + bias, 3, axis=1)
    log_scales, clamp_slope = soft_clamp(r, network.log_scale_bounds)
    a = a - a.max(axis=1, keepdims=True)
    log_weights = a - np.log(np.exp(a).sum(axis=1, keepdims=True))
    return inputs, slopes, (log_weights, means, log_scales, clamp_slope)


def row_log_density(log_weights, means, log_scales, y):
    """Log p(y | x) of every row, (n,), and the responsibilities γ and z, each (n, K), for y (n,)."""
    z = (y[:, None] - means) * np.exp(-log_scales)
    terms = log_weights - 0.5 * z * z - log_scales - HALF_LOG_2PI
    top = terms.max(axis=1, keepdims=True)
    share = np.exp(terms - top)
    total = share.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], share / total, z


def log_density(theta, network, x, y):
    """Log p(y | x) of every row, (n,)."""
    log_weights, means, log_scales = forward(theta, network, x)
    return row_log_density(log_weights, means, log_scales, y)[0]


# --------------------------------------------------------------------------------------------------------- gradient
def temper(row_nll, ceiling):
    """Row losses (n,) that grow only with the logarithm above the ceiling, and their slopes (n, 1)."""
    ratio = np.maximum(row_nll / ceiling, 1.0)
    return np.where(ratio > 1.0, ceiling * (1.0 + np.log(ratio)), row_nll), 1.0 / ratio[:, None]


def loss_and_gradient(theta, network, x, y, row_weight, penalty):
    """(1/n) Σ_i w_i (NLL_i + penalty_i), and its gradient.

    Parameters
    ----------
    theta : ndarray (n_parameters,)
    x : ndarray (n, d)
    y : ndarray (n,)
    row_weight : ndarray (n,)
        Non-negative; mean one over the whole table, though not over each batch, so that batches stay unbiased.
    penalty : Penalty

    Returns
    -------
    loss : float
    gradient : ndarray (n_parameters,)
    """
    inputs, slopes, (log_weights, means, log_scales, clamp_slope) = _forward(theta, network, x)
    row_log_p, responsibility, z = row_log_density(log_weights, means, log_scales, y)
    share = (row_weight / len(row_weight))[:, None]
    row_loss, row_slope = temper(-row_log_p, penalty.ceiling)

    above, off_center = np.maximum(log_scales, 0.0), log_scales - LOG_SCALE_CENTER
    penalties = 0.5 * (penalty.hinge * above**2 + penalty.lognormal * off_center**2)
    loss = float(np.sum(share * (penalties.sum(axis=1) + row_loss)[:, None]))

    d_logit = row_slope * (np.exp(log_weights) - responsibility)
    d_mean = row_slope * -responsibility * z * np.exp(-log_scales)
    d_log_scale = row_slope * responsibility * (1.0 - z * z) + penalty.hinge * above + penalty.lognormal * off_center
    delta = share * np.concatenate([d_logit, d_mean, d_log_scale * clamp_slope], axis=1)
    return loss, _backward(theta, network, inputs, slopes, delta)


def _backward(theta, network, inputs, slopes, delta):
    """Carry delta = ∂loss/∂(head output), (n, 3K), back to a flat gradient."""
    gradient = np.empty_like(theta)
    layers, gradients = split(theta, network), split(gradient, network)
    for level in range(len(layers) - 1, -1, -1):
        d_weight, d_bias = gradients[level]
        d_weight[...] = inputs[level].T @ delta
        d_bias[...] = delta.sum(axis=0)
        if level:
            delta = (delta @ layers[level][0].T) * slopes[level - 1]
    return gradient


# --------------------------------------------------------------------------------------------------- initialisation
def initialize(network, y_quantiles, rng):
    """Start θ so that the mixture is spread over y: hidden N(0, 1/fan-in), a quiet head, means at quantiles of y.

    Parameters
    ----------
    y_quantiles : ndarray (K,)
        Quantiles (k − ½)/K of the standardised target.
    rng : numpy Generator
    """
    theta = np.zeros(network.n_parameters)
    layers = split(theta, network)
    for weight, _ in layers:
        weight[...] = rng.standard_normal(weight.shape) / np.sqrt(weight.shape[0])
    head_weight, head_bias = layers[-1]
    head_weight *= 0.1
    k = network.n_components
    head_bias[k : 2 * k] = y_quantiles
    head_bias[2 * k :] = np.log(max(1.5 / np.sqrt(k), 0.1))
    return theta


def initialize_xavier(network, rng):
    """Start θ as the blog post did: Xavier-uniform matrices (Glorot & Bengio 2010), zero biases."""
    theta = np.zeros(network.n_parameters)
    for weight, _ in split(theta, network):
        limit = np.sqrt(6.0 / sum(weight.shape))
        weight[...] = rng.uniform(-limit, limit, weight.shape)
    return theta
