"""The mixture density network: forward pass, loss, hand-written gradients. NumPy float64, standardised units.

Letters: n rows, d inputs, q outputs, K components. The network is an MLP whose linear head gives, for each component, a
logit a, q means m, q numbers r and, where the outputs of a component may depend on each other, q(q − 1)/2 couplings c:

    log π_k = a_k − logsumexp(a)        μ_k = m_k        log σ_ki = clamp(r_ki)

    u = y − μ_k        v_i = u_i + Σ_{j<i} c_kij u_j        z_i = v_i / σ_ki
    ℓ_k = log π_k − Σ_i log σ_ki − ½ |z|² − q/2 log 2π,   γ = softmax(ℓ)
    NLL = −logsumexp_k ℓ_k

    ∂NLL/∂a_k = π_k − γ_k        ∂NLL/∂log σ_ki = γ_k (1 − z_i²)        ∂NLL/∂c_kij = γ_k z_i u_j / σ_ki
    ∂NLL/∂μ_kj = −γ_k (z_j / σ_kj + Σ_{i>j} c_kij z_i / σ_ki)

A row may bring an offset, which is added to a, m, r and c before all else: the network then learns what is missing from
another mixture, whose a, m, r and c the offset holds. Gradients with respect to θ keep their form.

With one output that is z = (y − μ) / σ. With several, D⁻¹(I + C) with D = diag(σ) is the Cholesky factor of the precision
(Williams 1996), written so that −c are the regression coefficients of an output on those before it and σ the standard
deviation that is left (Pourahmadi 1999): both keep their size when a component becomes narrow, as the factor does not.

Two penalties act on every σ_ki(x), whatever its weight π_k(x): a component that nobody uses gets no gradient from the
likelihood (γ_k → 0), and its σ would drift wherever the shared hidden layer takes it. That is the spike of the blog post.

    penalty = mean_x Σ_ki [ hinge · ½ max(0, log σ_ki)² + lognormal · ½ (log σ_ki + 1)² ]

Sources: Bishop (1994), "Mixture density networks", NCRG/94/004, for model and likelihood gradients; Williams (1996), "Using
neural networks to model conditional multivariate densities", Neural Computation 8; Pourahmadi (1999), Biometrika 86, for
the modified Cholesky factor.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from condensity.engines.reference.mixture import HALF_LOG_2PI

#: Centre of the log-normal prior on σ: e^-1 of a standard deviation of y (its width is 1 in log σ).
LOG_SCALE_CENTER = -1.0


class Network(NamedTuple):
    """What the network looks like; its numbers live in one flat vector θ.

    Attributes
    ----------
    n_inputs : int
        d, columns of x.
    hidden : tuple of int
        Widths of the hidden layers; () is a linear model.
    n_components : int
        K.
    activation : str
        A key of `ACTIVATIONS`.
    log_scale_bounds : (float or tuple of q floats, float) or None
        Where the soft clamp holds log σ, low and high; None is a plain exponential.
    n_outputs : int
        q.
    coupled : bool
        Whether outputs of a component may depend on each other (full covariance) or not (diagonal).
    edges : tuple of arrays, or None
        Bin edges of every column, which the first layer then sees as `piecewise_linear_encoding` gives it.
    """

    n_inputs: int
    hidden: tuple
    n_components: int
    activation: str
    log_scale_bounds: tuple | None
    n_outputs: int = 1
    coupled: bool = True
    edges: tuple | None = None

    @property
    def n_features(self) -> int:
        """What the first layer sees: columns and their bins."""
        return self.n_inputs + sum(max(len(edge) - 1, 0) for edge in self.edges or ())

    @property
    def n_regression_coefficients(self) -> int:
        """Couplings of a component."""
        return self.n_outputs * (self.n_outputs - 1) // 2 if self.coupled else 0

    @property
    def head_width(self) -> int:
        """Numbers that the head gives for a row: a (K), m (K, q), r (K, q), c (K, couplings), one after the other."""
        return self.n_components * (1 + 2 * self.n_outputs + self.n_regression_coefficients)

    @property
    def layer_shapes(self) -> list:
        """Shapes (inputs, outputs) of the weight matrices, first to last."""
        return list(pairwise([self.n_features, *self.hidden, self.head_width]))

    @property
    def n_parameters(self) -> int:
        """Length of θ."""
        return sum((rows + 1) * columns for rows, columns in self.layer_shapes)


class MixtureHead(NamedTuple):
    """Mixture of every row: log_weights (n, K), means and log_scales (n, K, q), couplings (n, K, q(q − 1)/2 or 0)."""

    log_weights: np.ndarray
    means: np.ndarray
    log_scales: np.ndarray
    regression_coefficients: np.ndarray


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
    loss_cap: float = np.inf


def unpack_layers(theta, network) -> list:
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
    for weight, _ in unpack_layers(mask, network):
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
def piecewise_linear_encoding(x, edges):
    """Columns (n, d) and behind them their bins: −1 below a bin, 1 above it, a line inside (Gorishniy et al. 2022)."""
    parts = [x]
    for column, edge in zip(x.T, edges, strict=True):
        if len(edge) > 1:
            parts.append(np.clip(2.0 * (column[:, None] - edge[:-1]) / np.diff(edge) - 1.0, -1.0, 1.0))
    return np.concatenate(parts, axis=1)


def forward(theta, network, x, offset=None) -> MixtureHead:
    """Mixture of every row, from x (n, d) and what is added to the linear head's output, (n, head width)."""
    *_, head, _ = _forward(theta, network, x, offset)
    return head


def _forward(theta, network, x, offset):
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


def regression_matrix(regression_coefficients, n_outputs):
    """C, strictly lower triangular (n, K, q, q), from couplings (n, K, q(q − 1)/2) row by row; zeros where there are none."""
    matrix = np.zeros((*regression_coefficients.shape[:2], n_outputs, n_outputs))
    if regression_coefficients.shape[2]:
        matrix[:, :, *np.tril_indices(n_outputs, -1)] = regression_coefficients
    return matrix


def row_log_density(head, y):
    """Log p(y | x) of every row, (n,), responsibilities γ (n, K), and u and z, each (n, K, q), for y (n, q)."""
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


def log_density(theta, network, x, y, offset=None):
    """Log p(y | x) of every row, (n,)."""
    return row_log_density(forward(theta, network, x, offset), y)[0]


# --------------------------------------------------------------------------------------------------------- gradient
def cap_loss(row_nll, loss_cap):
    """Row losses (n,) that grow only with the logarithm above the ceiling, and their slopes (n, 1)."""
    ratio = np.maximum(row_nll / loss_cap, 1.0)
    return np.where(ratio > 1.0, loss_cap * (1.0 + np.log(ratio)), row_nll), 1.0 / ratio[:, None]


def loss_and_gradient(theta, network, x, y, row_weight, penalty, offset=None):
    """(1/n) Σ_i w_i (NLL_i + penalty_i), and its gradient.

    Parameters
    ----------
    theta : ndarray (n_parameters,)
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
    rows, columns = np.tril_indices(y.shape[1], -1) if regression_coefficients.size else ([], [])
    d_coupling = pull[:, :, rows] * u[:, :, columns]
    parts = (d_logit, d_mean, d_log_scale * clamp_slope, d_coupling)
    delta = share * np.concatenate([part.reshape(n, -1) for part in parts], axis=1)
    return loss, _backward(theta, network, inputs, slopes, delta)


def _backward(theta, network, inputs, slopes, delta):
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


# --------------------------------------------------------------------------------------------------- initialisation
def initialize(network, y_quantiles, rng):
    """Start θ so that the mixture is spread over y: hidden N(0, 1/fan-in), a quiet head, means at quantiles of y.

    Parameters
    ----------
    y_quantiles : ndarray (K, q)
        Quantiles (k − ½)/K of each standardised target.
    rng : numpy Generator
    """
    theta = np.zeros(network.n_parameters)
    layers = unpack_layers(theta, network)
    for weight, _ in layers:
        weight[...] = rng.standard_normal(weight.shape) / np.sqrt(weight.shape[0])
    head_weight, head_bias = layers[-1]
    head_weight *= 0.1
    k, q = network.n_components, network.n_outputs
    head_bias[k : k + k * q] = np.reshape(y_quantiles, -1)
    head_bias[k + k * q : k + 2 * k * q] = np.log(max(1.5 / np.sqrt(k), 0.1))
    return theta


def initialize_xavier(network, rng):
    """Start θ as the blog post did: Xavier-uniform matrices (Glorot & Bengio 2010), zero biases."""
    theta = np.zeros(network.n_parameters)
    for weight, _ in unpack_layers(theta, network):
        limit = np.sqrt(6.0 / sum(weight.shape))
        weight[...] = rng.uniform(-limit, limit, weight.shape)
    return theta
