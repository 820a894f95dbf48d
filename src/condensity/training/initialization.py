"""Initial parameters of networks: spread over the targets, Xavier-uniform, or on top of a fixed mixture."""

import numpy as np

from condensity.data.scaling import QUANTILE_ROWS, weighted_quantiles
from condensity.engines.types import Network, TrainingRows, unpack_layers
from condensity.training.settings import Settings

#: Standardised targets further out do not choose the main axis.
MAX_TARGET = 5.0


def initial_parameters(
    settings: Settings, rows: TrainingRows, network: Network, n_members: int, rng: np.random.Generator
) -> np.ndarray:
    """Initial θ (m, n_parameters) of `n_members` of the `network`, by `settings.init`; `rng` draws, `rows` place the means."""
    if settings.init == "xavier":
        return np.array([initialize_xavier(network, rng) for _ in range(n_members)])
    if settings.init == "gmm":
        return np.array([initialize_silent(network, rng) for _ in range(n_members)])
    means = initial_means(rows, network.n_components)
    return np.array([initialize(network, means, rng) for _ in range(n_members)])


def initialize(network: Network, means: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Initial θ (n_parameters,) of a mixture spread over y: weights N(0, 1/fan-in), a tenth of that in the head.

    Parameters
    ----------
    network : Network
    means : ndarray (K, q)
        Of the components, in standardised units.
    rng : numpy Generator
    """
    theta = np.zeros(network.n_parameters)
    layers = unpack_layers(theta, network)
    for weight, _ in layers:
        weight[...] = rng.standard_normal(weight.shape) / np.sqrt(weight.shape[0])
    head_weight, head_bias = layers[-1]
    head_weight *= 0.1
    k, q = network.n_components, network.n_outputs
    head_bias[k : k + k * q] = np.reshape(means, -1)
    head_bias[k + k * q : k + 2 * k * q] = np.log(max(1.5 / np.sqrt(k), 0.1))
    return theta


def initialize_xavier(network: Network, rng: np.random.Generator) -> np.ndarray:
    """Initial θ (n_parameters,) of a `network`, drawn by `rng`: Xavier-uniform matrices (Glorot & Bengio 2010), zero biases."""
    theta = np.zeros(network.n_parameters)
    for weight, _ in unpack_layers(theta, network):
        limit = np.sqrt(6.0 / sum(weight.shape))
        weight[...] = rng.uniform(-limit, limit, weight.shape)
    return theta


def initialize_silent(network: Network, rng: np.random.Generator) -> np.ndarray:
    """Initial θ (n_parameters,), drawn by `rng`, with a head of zeros: the network's output is its offset."""
    theta = initialize(network, np.zeros((network.n_components, network.n_outputs)), rng)
    for part in unpack_layers(theta, network)[-1]:
        part[...] = 0.0
    return theta


def initial_means(rows: TrainingRows, n_components: int) -> np.ndarray:
    """Means of `n_components` components, (K, q): at quantiles of the rows' y or, with several outputs, along their main axis."""
    levels = (np.arange(n_components) + 0.5) / n_components
    rows = rows.take(slice(None, None, -(-len(rows.y) // QUANTILE_ROWS)))
    if rows.y.shape[1] == 1:
        return weighted_quantiles(rows.y[:, 0], rows.weight, levels)[:, None]
    center = np.array([weighted_quantiles(column, rows.weight, 0.5) for column in rows.y.T])
    held = np.clip(rows.y - center, -MAX_TARGET, MAX_TARGET)
    _, _, axes = np.linalg.svd((held * rows.weight[:, None]).T @ held)
    along_axis = weighted_quantiles(held @ axes[0], rows.weight, levels)
    return center + along_axis[:, None] * axes[0]
