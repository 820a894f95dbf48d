"""Outputs of an ONNX graph: the mixture in data units, its mean, and p-values of the inputs."""

from collections.abc import Callable

import numpy as np

from condensity import em
from condensity.data.encoders import InputEncoder, TargetEncoder
from condensity.data.scaling import DEPARTURE
from condensity.distributions import MonotoneMap
from condensity.distributions.transforms import Log, Log1p, Logit
from condensity.export.graph import Graph
from condensity.export.models import Components, log_parts
from condensity.support import SupportModel

#: Means of logit-normal components: Gauss–Legendre NODES in each of PANELS over ± REACH σ.
REACH, PANELS, NODES = 9.0, 12, 16


def describe_mixture(graph: Graph, target: TargetEncoder, components: Components) -> None:
    """Add to a graph the outputs of standardised components, in the units of a target encoder.

    They are 'log_weights', 'means', 'scales' or 'factors' on the scale of the transform, and 'mean' in data units.
    """
    scaler, q = target.scaler, target.n_outputs
    log_weights, means, shapes, coupled = components
    if q == 1 and coupled:  # a factor of one output is its standard deviation
        shapes, coupled = graph.add("Squeeze", shapes, np.array([3])), False
    means = graph.add("Add", graph.add("Mul", means, scaler.scale), scaler.center)
    shapes = graph.add("Mul", shapes, scaler.scale[:, None] if coupled else scaler.scale)
    graph.output("log_weights", log_weights, ["K"])
    graph.output("means", means, ["K", q])
    graph.output("factors" if coupled else "scales", shapes, ["K", q, q] if coupled else ["K", q])
    square = graph.add("Mul", shapes, shapes)
    variances = graph.sum(square, 3) if coupled else square
    weights = graph.add("Unsqueeze", graph.add("Exp", log_weights), np.array([2]))
    centers = mean_formula(target)(graph, means, variances)
    graph.output("mean", graph.sum(graph.add("Mul", weights, centers), 1), [q])


def mean_formula(target: TargetEncoder) -> Callable[[Graph, str, str], str]:
    """Mean of y (n, K, q) by the transform of a target encoder: a function of (graph, means, variances) on the transform's scale.

    Raises
    ------
    ValueError
        For transforms without a formula in ONNX.
    """
    transform = target.transform
    if transform is None:
        return _normal_mean
    if type(transform) not in MEANS:
        raise ValueError(
            f"ONNX export knows y_transform=None, 'log', 'log1p' and 'logit'; this model has {transform.name!r}."
        )
    return MEANS[type(transform)]


def _normal_mean(graph: Graph, means: str, variances: str) -> str:
    return means


def _lognormal_mean(graph: Graph, means: str, variances: str) -> str:
    return graph.add("Exp", graph.add("Add", means, graph.add("Mul", variances, 0.5)))


def _lognormal_mean_less_one(graph: Graph, means: str, variances: str) -> str:
    return graph.add("Sub", _lognormal_mean(graph, means, variances), 1.0)


def _logit_normal_mean(graph: Graph, means: str, variances: str) -> str:
    """By quadrature; there is no closed form."""
    nodes, weights = _panels()
    center, scale = (graph.add("Unsqueeze", part, np.array([3])) for part in (means, graph.add("Sqrt", variances)))
    y = graph.add("Sigmoid", graph.add("Add", center, graph.add("Mul", scale, nodes)))
    return graph.sum(graph.add("Mul", y, weights), 3)


def _panels() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a quadrature under the standard normal density."""
    inside, weights = np.polynomial.legendre.leggauss(NODES)
    edges = np.linspace(-REACH, REACH, PANELS + 1)
    half = 0.5 * (edges[1] - edges[0])
    nodes = (0.5 * (edges[:-1] + edges[1:])[:, None] + half * inside).ravel()
    density = np.exp(-0.5 * nodes**2) * np.tile(weights, PANELS)
    return nodes, density / density.sum()


#: Means of y by the transform.
MEANS: dict[type[MonotoneMap], Callable[[Graph, str, str], str]] = {
    Log: _lognormal_mean, Log1p: _lognormal_mean_less_one, Logit: _logit_normal_mean,
}  # fmt: skip


def describe_support(graph: Graph, support: SupportModel, encoder: InputEncoder, inputs: str, z: str) -> None:
    """Add to a graph the output 'support' (n,), p-values under a support model.

    Tensors are the encoder's inputs (n, e) in data units, and z (n, e), the same standardised.
    """
    density = support.density
    columns = graph.add("Gather", z, np.asarray(density.columns), axis=1)
    parameters = density.parameters
    logs, _ = log_parts(graph, parameters.weights, parameters.means, em.factors_of(parameters), columns)
    p_values = _p_values(graph, support, graph.add("Unsqueeze", graph.log_sum_exp(logs), np.array([1])))
    fixed = np.flatnonzero(encoder.scaler.constant & ~encoder.scaler.unknown)
    if len(fixed):
        departs = _departs(graph, encoder.scaler.center[fixed], graph.add("Gather", inputs, fixed, axis=1))
        p_values = graph.add("Where", departs, support.min_p_value, p_values)
    if len(encoder.positions_of_categories):
        unseen = _any(graph, graph.add("IsNaN", graph.add("Gather", inputs, encoder.positions_of_categories, axis=1)))
        p_values = graph.add("Where", unseen, support.min_p_value, p_values)
    graph.output("support", p_values, [])


def _p_values(graph: Graph, support: SupportModel, score: str) -> str:
    """Share (n,) of the calibration scores that are at most a score (n, 1), the row itself counted."""
    from onnx import TensorProto

    below = graph.add("Cast", graph.add("GreaterOrEqual", score, support.scores), to=TensorProto.DOUBLE)
    rank = graph.add("MatMul", below, np.diff(support.counts))
    return graph.add("Mul", graph.add("Add", rank, 1.0), support.min_p_value)


def _departs(graph: Graph, center: np.ndarray, values: str) -> str:
    """Whether a row differs from training in a column that was constant there, bool (n,)."""
    distance = graph.add("Abs", graph.add("Sub", values, center))
    return _any(graph, graph.add("Greater", distance, DEPARTURE * np.abs(center)))


def _any(graph: Graph, flags: str) -> str:
    """Whether any flag of a row (n, c) is set, bool (n,)."""
    from onnx import TensorProto

    numbers = graph.add("Cast", flags, to=TensorProto.DOUBLE)
    return graph.add("Greater", graph.add("ReduceMax", numbers, axes=[1], keepdims=0), 0.5)
