"""Conditional models in ONNX: standardised inputs to the components of standardised outputs.

Letters: n rows, d inputs, K components, q outputs.
"""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from condensity import em
from condensity.engines.types import HALF_LOG_2PI, Network, unpack_layers
from condensity.export.graph import Graph
from condensity.fallback import GuardedModel
from condensity.models.joint import JointModel
from condensity.models.mdn import FittedGaussianInit, MDNModel
from condensity.training.gaussian_init import MIN_LOG_WEIGHT, shape_offset
from condensity.training.predict import INPUT_LIMIT


class Components(NamedTuple):
    """Tensors of a standardised mixture.

    Attributes
    ----------
    log_weights : str, (n, K)
    means : str, (n, K, q)
    shapes : str, (n, K, q) or (n, K, q, q)
        Standard deviations, or lower Cholesky factors of the covariances.
    coupled : bool
        Whether shapes are factors.
    """

    log_weights: str
    means: str
    shapes: str
    coupled: bool


@singledispatch
def components(model: Any, graph: Graph, z: str) -> Components:
    """Components of a model's mixture for each row of standardised inputs z (n, d).

    Raises
    ------
    TypeError
        For models that have no graph.
    """
    raise TypeError(f"ONNX export is for networks and joint Gaussian mixtures; this model is a {type(model).__name__}.")


# -------------------------------------------------------------------------------------------------------- networks
@components.register
def _(model: MDNModel, graph: Graph, z: str) -> Components:
    """All members' components are those of one mixture."""
    inits: Sequence[FittedGaussianInit | None] = model.gaussian_inits or [None] * len(model.parameters)
    limited = graph.add("Clip", z, -INPUT_LIMIT, INPUT_LIMIT)
    members = [
        _member(graph, parameters, model.network, limited, init)
        for parameters, init in zip(model.parameters, inits, strict=True)
    ]
    if len(members) == 1:
        return members[0]
    log_weights, means, shapes = (
        graph.add("Concat", *(member[part] for member in members), axis=1) for part in range(3)
    )
    return Components(graph.add("Sub", log_weights, np.log(len(members))), means, shapes, members[0].coupled)


def _member(
    graph: Graph, parameters: np.ndarray, network: Network, x: str, init: FittedGaussianInit | None
) -> Components:
    k, q = network.n_components, network.n_outputs
    head = _head(graph, parameters, network, x)
    if init is not None:
        head = graph.add("Add", head, _offset(graph, init, network, x))
    log_weights = graph.log_normalised(graph.columns(head, 0, k))
    means = graph.reshape(graph.columns(head, k, k + k * q), k, q)
    raw = graph.reshape(graph.columns(head, k + k * q, k + 2 * k * q), k, q)
    scales = graph.add("Exp", _clamped(graph, raw, network.log_scale_bounds))
    if not network.n_regression_coefficients:
        return Components(log_weights, means, scales, False)
    coefficients = graph.reshape(
        graph.columns(head, k + 2 * k * q, network.head_width), k, network.n_regression_coefficients
    )
    return Components(log_weights, means, _factors(graph, scales, coefficients, q), True)


def _head(graph: Graph, parameters: np.ndarray, network: Network, x: str) -> str:
    """Output of the last layer, (n, head width)."""
    h = _with_bins(graph, x, network.edges) if network.edges else x
    *layers, (weight, bias) = unpack_layers(np.asarray(parameters, dtype=float), network)
    for matrix, vector in layers:
        h = _activation(graph, network.activation, graph.add("Add", graph.add("MatMul", h, matrix), vector))
    return graph.add("Add", graph.add("MatMul", h, weight), bias)


def _with_bins(graph: Graph, x: str, edges: Any) -> str:
    """Inputs followed by their piecewise linear encoding."""
    parts = [x]
    for j, edge in enumerate(edges):
        if len(edge) > 1:
            place = graph.add("Div", graph.add("Sub", graph.columns(x, j, j + 1), edge[:-1]), np.diff(edge) / 2.0)
            parts.append(graph.add("Clip", graph.add("Sub", place, 1.0), -1.0, 1.0))
    return graph.add("Concat", *parts, axis=1)


def _activation(graph: Graph, name: str, u: str) -> str:
    if name == "silu":
        return graph.add("Mul", u, graph.add("Sigmoid", u))
    return graph.add({"tanh": "Tanh", "relu": "Relu"}[name], u)


def _clamped(graph: Graph, raw: str, bounds: Any) -> str:
    """Log scales (n, K, q) softly held between bounds."""
    if bounds is None:
        return raw
    low, high = (np.asarray(bound, dtype=float) for bound in bounds)
    lifted = graph.add("Add", low, graph.softplus(graph.add("Sub", raw, low)))
    return graph.add("Sub", high, graph.softplus(graph.add("Sub", high, lifted)))


def _factors(graph: Graph, scales: str, coefficients: str, q: int) -> str:
    """(I + C)⁻¹ D by forward substitution, (n, K, q, q)."""
    rows: list[str] = []
    for i in range(q):
        row = graph.add("Mul", graph.columns(scales, i, i + 1, axis=2), np.eye(q)[i])
        for j in range(i):
            place = i * (i - 1) // 2 + j
            slope = graph.columns(coefficients, place, place + 1, axis=2)
            row = graph.add("Sub", row, graph.add("Mul", slope, rows[j]))
        rows.append(row)
    return graph.add("Concat", *(graph.add("Unsqueeze", row, np.array([2])) for row in rows), axis=2)


def _offset(graph: Graph, init: FittedGaussianInit, network: Network, x: str) -> str:
    """Contribution of the initial mixture to the head, (n, head width), as `training.gaussian_init.head_offset`."""
    d, k, q = init.n_inputs, network.n_components, network.n_outputs
    given = conditional(graph, init.parameters, d, x)
    same = shape_offset(em.factors_of(init.parameters)[:, d:, d:], network)
    head = graph.add(
        "Concat", graph.add("Max", given.log_weights, MIN_LOG_WEIGHT), graph.reshape(given.means, k * q), axis=1
    )
    rows = graph.add("Mul", graph.columns(head, 0, 1), 0.0)  # a column of zeros with as many rows
    return graph.add("Concat", head, graph.add("Add", rows, same[None]), axis=1)


# -------------------------------------------------------------------------------------------------------- fallback
@components.register
def _(model: GuardedModel, graph: Graph, z: str) -> Components:
    fallback, q = model.fallback, model.n_outputs
    own = components(model.model, graph, z)
    parts = [
        (own._replace(shapes=graph.add("Mul", own.shapes, factor)), weight)
        for factor, weight in zip(fallback.widths, fallback.width_weights, strict=True)
    ]
    if fallback.linear_weight > 0:
        parts.append((components(fallback.linear, graph, z), fallback.linear_weight))
    if fallback.marginal_weight > 0:
        parts.append((_marginal(graph, fallback.marginal, z), fallback.marginal_weight))
    logs = [graph.add("Add", part.log_weights, np.log(weight)) for part, weight in parts]
    centers, spreads = [part.means for part, _ in parts], [_shapes(graph, part, q) for part, _ in parts]
    log_weights, means, shapes = (graph.add("Concat", *each, axis=1) for each in (logs, centers, spreads))
    return Components(log_weights, means, shapes, q > 1)


def _shapes(graph: Graph, part: Components, q: int) -> str:
    """Standard deviations (n, K, 1) of one output, factors (n, K, q, q) of several."""
    if q == 1:
        return graph.add("Squeeze", part.shapes, np.array([3])) if part.coupled else part.shapes
    return (
        part.shapes if part.coupled else graph.add("Mul", graph.add("Unsqueeze", part.shapes, np.array([3])), np.eye(q))
    )


def _marginal(graph: Graph, parameters: em.GaussianMixtureParameters, z: str) -> Components:
    """The same mixture for every row of z (n, d)."""
    rows = graph.add("Mul", graph.columns(z, 0, 1), 0.0)  # a column of zeros with as many rows
    log_weights = graph.add("Add", rows, np.log(parameters.weights)[None])
    zeros = graph.add("Unsqueeze", rows, np.array([2]))
    means = graph.add("Add", zeros, parameters.means[None])
    shapes = graph.add("Add", graph.add("Unsqueeze", zeros, np.array([3])), em.factors_of(parameters)[None])
    return Components(log_weights, means, shapes, True)


# ------------------------------------------------------------------------------------------------- Gaussian mixtures
@components.register
def _(model: JointModel, graph: Graph, z: str) -> Components:
    if model.limits is not None:
        z = graph.add("Min", graph.add("Max", z, model.limits[0]), model.limits[1])
    return conditional(graph, model.parameters, model.n_inputs, z)


def conditional(graph: Graph, parameters: em.GaussianMixtureParameters, d: int, x: str) -> Components:
    """Add to a graph the components, by the parameters of a joint mixture, of its columns after the first d given x (n, d)."""
    factors = em.factors_of(parameters)
    slopes, rest = factors[:, d:, :d], factors[:, d:, d:]
    logs, white = log_parts(graph, parameters.weights, parameters.means[:, :d], factors[:, :d, :d], x)
    moved = graph.add("Einsum", white, slopes, equation="nkd,kqd->nkq")
    means = graph.add("Add", moved, parameters.means[:, d:])
    zeros = graph.add("Mul", graph.add("Unsqueeze", means, np.array([3])), 0.0)
    return Components(graph.log_normalised(logs), means, graph.add("Add", zeros, rest), True)


def log_parts(graph: Graph, weights: np.ndarray, means: np.ndarray, factors: np.ndarray, x: str) -> tuple[str, str]:
    """Add to a graph log w_k N(x | μ_k, L_k L_kᵀ), (n, K), and the whitened differences, (n, K, d), at x (n, d).

    The constants are weights (K,), means (K, d) and lower Cholesky factors (K, d, d).
    """
    d = means.shape[1]
    difference = graph.add("Sub", graph.add("Unsqueeze", x, np.array([1])), means)
    white = graph.add("Einsum", difference, np.linalg.inv(factors), equation="nkd,ked->nke")
    square = graph.sum(graph.add("Mul", white, white), 2)
    diagonals = np.diagonal(factors, axis1=1, axis2=2)
    constant = np.log(weights) - np.log(diagonals).sum(axis=1) - d * HALF_LOG_2PI
    return graph.add("Add", graph.add("Mul", square, -0.5), constant), white
