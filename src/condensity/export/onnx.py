"""Fitted models as ONNX graphs: features in, the mixture out. Needs the extra [onnx].

What a graph computes is what the modules that it follows compute, in float64: `table.schema`, `scaling`, the forward pass of
`engines.reference.network`, conditioning as in `em.joint`, p-values as in `support`.
"""

import json
import os
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from condensity import em, persistence
from condensity.data.scaling import DEPARTURE
from condensity.data.schema import MISSING
from condensity.distributions.transforms import Log
from condensity.engines.types import HALF_LOG_2PI, unpack_layers
from condensity.estimators.joint_gmm import JointGMMRegressor
from condensity.training.gaussian_init import MIN_LOG_WEIGHT, shape_offset
from condensity.training.predict import INPUT_LIMIT

#: Operators as of ONNX 1.14.
OPSET, ML_OPSET, IR_VERSION = 17, 3, 8


def to_onnx(model, path: str | os.PathLike | None = None):
    """Export a fitted model.

    Inputs are 'X', float64 (n, columns of numbers, in their order), and for each category a tensor of strings (n,) by its name,
    '' where it is missing. Outputs, for n rows, K components and q outputs, in data units and float64:

    * log_weights (n, K), means (n, K, q);
    * scales (n, K, q), standard deviations, or where the outputs of a component depend on each other
      factors (n, K, q, q), lower Cholesky factors of the covariances;
    * mean (n, q);
    * support (n,), the p-values of `support`, where the model has them.

    With y_transform='log', all but mean are of log y. A level that the fit did not see is an average one. A joint mixture
    integrates no gaps out here: NaN in, NaN out.

    Parameters
    ----------
    model : fitted MDNRegressor or JointGMMRegressor
    path : path-like, optional
        Where to write it, atomically.

    Returns
    -------
    onnx.ModelProto
        Its metadata name the outputs and list the levels of categories.

    Raises
    ------
    ModuleNotFoundError
        Without the package onnx.
    ValueError
        For transforms of y other than 'log'.
    """
    import onnx

    check_is_fitted(model)
    if not isinstance(model.target_.transform, (Log, type(None))):
        raise ValueError(
            f"ONNX export knows y_transform=None and 'log'; this model has {model.target_.transform.name!r}."
        )
    graph = _Graph()
    raw = _model_inputs(graph, model.encoder_.schema, model.encoder_.scaler)
    z = _standardised(graph, raw, model.encoder_.scaler, fill=not model.encoder_.handles_missing)
    if isinstance(model, JointGMMRegressor):
        log_weights, means, factors = _conditional(graph, model.model_.parameters, model.encoder_.n_inputs, z)
        shape = factors
    else:
        log_weights, means, shape = _members(graph, model.model_, z)
    _describe_mixture(graph, model, log_weights, means, shape)
    if model.has_support:
        _describe_support(graph, model, raw, z)
    proto = graph.model(_metadata(model))
    onnx.checker.check_model(proto)
    if path is not None:
        persistence.write_atomically(persistence.check_writable(path), proto.SerializeToString())
    return proto


def _metadata(model) -> dict[str, str]:
    schema = model.encoder_.schema
    names = schema.feature_names
    categories = {
        names[each.column]: [level for level in each.levels if level != MISSING] for each in schema.categories
    }
    numbers = [name for name in names if name not in categories]
    transform = model.target_.transform
    return {
        "condensity": json.dumps({
            "model": type(model).__name__,
            "numbers": numbers,
            "categories": categories,
            "outputs": model.target_names_,
            "y_transform": None if transform is None else transform.name,
        })
    }  # fmt: skip


class _Graph:
    """Nodes, one after the other; every method returns the name of a tensor."""

    def __init__(self):
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def add(self, operator, *inputs, domain="", **attributes) -> str:
        """Append a node with one output; arrays and numbers among the inputs become constants."""
        from onnx import helper

        name = f"t{len(self.nodes)}"
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, names, [name], domain=domain, **attributes))
        return name

    def constant(self, value) -> str:
        """A float64 tensor, or int64 for integers."""
        from onnx import numpy_helper

        array = np.asarray(value)
        array = np.array(
            array, dtype=np.int64 if array.dtype.kind == "i" else array.dtype if array.dtype == bool else float
        )
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def input(self, name, kind, shape) -> str:
        """Declare an input with dynamic rows."""
        from onnx import helper

        self.inputs.append(helper.make_tensor_value_info(name, kind, ["n", *shape]))
        return name

    def output(self, name, tensor, shape):
        """Declare an output with dynamic rows."""
        from onnx import TensorProto, helper

        self.nodes.append(helper.make_node("Identity", [tensor], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", *shape]))

    def model(self, metadata):
        """The whole."""
        from onnx import helper

        graph = helper.make_graph(self.nodes, "condensity", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="condensity")
        helper.set_model_props(proto, metadata)
        return proto

    # ------------------------------------------------------------------------------------------------ small formulas
    def sum(self, tensor, axis, *, keep=False) -> str:
        """Sum over an axis."""
        return self.add("ReduceSum", tensor, np.array([axis]), keepdims=int(keep))

    def log_normalised(self, tensor) -> str:
        """Log of what sums to one over axis 1, from logits (n, K)."""
        lowered = self.add("Sub", tensor, self.add("ReduceMax", tensor, axes=[1], keepdims=1))
        return self.add("Sub", lowered, self.add("Log", self.sum(self.add("Exp", lowered), 1, keep=True)))

    def log_sum_exp(self, tensor) -> str:
        """Of logits (n, K) over axis 1: (n,)."""
        top = self.add("ReduceMax", tensor, axes=[1], keepdims=1)
        total = self.add("Log", self.sum(self.add("Exp", self.add("Sub", tensor, top)), 1, keep=True))
        return self.add("Squeeze", self.add("Add", top, total), np.array([1]))

    def softplus(self, tensor) -> str:
        """Log(1 + e^x), without overflow."""
        small = self.add("Log", self.add("Add", 1.0, self.add("Exp", self.add("Neg", self.add("Abs", tensor)))))
        return self.add("Add", small, self.add("Max", tensor, 0.0))

    def columns(self, tensor, start, stop, axis=1) -> str:
        """A slice of an axis."""
        return self.add("Slice", tensor, np.array([start]), np.array([stop]), np.array([axis]))

    def reshape(self, tensor, *shape) -> str:
        """(n, …) in the shape (n, *shape)."""
        return self.add("Reshape", tensor, np.array([-1, *shape]))


# --------------------------------------------------------------------------------------------------------- inputs
def _model_inputs(graph, schema, scaler) -> str:
    """Model inputs (n, e), from numbers and text."""
    from onnx import TensorProto

    categories, places = {each.column: each for each in schema.categories}, schema.encoded_categories
    numbers = [j for j in range(schema.n_features) if j not in categories]
    names = schema.feature_names
    x = graph.input("X", TensorProto.DOUBLE, [len(numbers)]) if numbers else ""
    if schema.is_identity:
        return x
    blocks = []
    for j in range(schema.n_features):
        if j in categories:
            text = graph.input(names[j], TensorProto.STRING, [])
            blocks.append(_category(graph, categories[j], text, scaler.center[places[j]]))
            continue
        column = graph.columns(x, numbers.index(j), numbers.index(j) + 1)
        blocks.append(column)
        if j in schema.gaps:
            blocks.append(graph.add("Cast", graph.add("IsNaN", column), to=TensorProto.DOUBLE))
    return graph.add("Concat", *blocks, axis=1)


def _category(graph, category, text, average) -> str:
    """Codes (n, w) of levels (n,); an average level for those that the fit did not see."""
    levels = ["" if level == MISSING else level for level in category.levels]
    index = graph.add(
        "LabelEncoder", text, domain="ai.onnx.ml",
        keys_strings=levels, values_int64s=list(range(len(levels))), default_int64=len(levels),
    )  # fmt: skip
    return graph.add("Gather", np.vstack([category.codes, average]), index, axis=0)


def _standardised(graph, raw, scaler, *, fill) -> str:
    z = graph.add("Div", graph.add("Sub", raw, scaler.center), scaler.scale)
    if scaler.constant.any():
        z = graph.add("Where", scaler.constant, np.zeros(scaler.scale.size), z)
    return graph.add("Where", graph.add("IsNaN", z), 0.0, z) if fill else z


# -------------------------------------------------------------------------------------------------------- networks
def _members(graph, fit, z):
    """Log weights (n, K), means (n, K, q) and scales or factors of all members side by side, standardised."""
    gaussian_inits = fit.gaussian_inits or [None] * len(fit.parameters)
    limited = graph.add("Clip", z, -INPUT_LIMIT, INPUT_LIMIT)
    parts = [
        _member(graph, theta, fit.network, limited, base)
        for theta, base in zip(fit.parameters, gaussian_inits, strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    log_weights, means, shapes = (graph.add("Concat", *each, axis=1) for each in zip(*parts, strict=True))
    return graph.add("Sub", log_weights, np.log(len(parts))), means, shapes


def _member(graph, theta, network, x, base):
    k, q = network.n_components, network.n_outputs
    h = _with_bins(graph, x, network.edges) if network.edges else x
    *layers, (weight, bias) = unpack_layers(np.asarray(theta, dtype=float), network)
    for matrix, vector in layers:
        h = _activation(graph, network.activation, graph.add("Add", graph.add("MatMul", h, matrix), vector))
    output = graph.add("Add", graph.add("MatMul", h, weight), bias)
    if base is not None:
        output = graph.add("Add", output, _offset(graph, base, network, x))
    log_weights = graph.log_normalised(graph.columns(output, 0, k))
    means = graph.reshape(graph.columns(output, k, k + k * q), k, q)
    raw = graph.reshape(graph.columns(output, k + k * q, k + 2 * k * q), k, q)
    scales = graph.add("Exp", _clamped(graph, raw, network.log_scale_bounds))
    if not network.n_regression_coefficients:
        return log_weights, means, scales
    regression_coefficients = graph.reshape(
        graph.columns(output, k + 2 * k * q, network.head_width), k, network.n_regression_coefficients
    )
    return log_weights, means, _factors(graph, scales, regression_coefficients, q)


def _with_bins(graph, x, edges) -> str:
    parts = [x]
    for j, edge in enumerate(edges):
        if len(edge) > 1:
            place = graph.add("Div", graph.add("Sub", graph.columns(x, j, j + 1), edge[:-1]), np.diff(edge) / 2.0)
            parts.append(graph.add("Clip", graph.add("Sub", place, 1.0), -1.0, 1.0))
    return graph.add("Concat", *parts, axis=1)


def _activation(graph, name, u) -> str:
    if name == "silu":
        return graph.add("Mul", u, graph.add("Sigmoid", u))
    return graph.add({"tanh": "Tanh", "relu": "Relu"}[name], u)


def _clamped(graph, raw, bounds) -> str:
    if bounds is None:
        return raw
    low, high = (np.asarray(bound, dtype=float) for bound in bounds)
    lifted = graph.add("Add", low, graph.softplus(graph.add("Sub", raw, low)))
    return graph.add("Sub", high, graph.softplus(graph.add("Sub", high, lifted)))


def _factors(graph, scales, regression_coefficients, q) -> str:
    """(I + C)⁻¹ D by forward substitution, (n, K, q, q)."""
    identity = np.eye(q)
    rows: list[str] = []
    for i in range(q):
        row = graph.add("Mul", graph.columns(scales, i, i + 1, axis=2), identity[i])
        for j in range(i):
            place = i * (i - 1) // 2 + j
            row = graph.add(
                "Sub", row, graph.add("Mul", graph.columns(regression_coefficients, place, place + 1, axis=2), rows[j])
            )
        rows.append(row)
    return graph.add("Concat", *(graph.add("Unsqueeze", row, np.array([2])) for row in rows), axis=2)


def _offset(graph, base, network, x) -> str:
    """Offset of the head, as `training.gaussian_init.head_offset`."""
    log_weights, means, _ = _conditional(graph, base.parameters, base.n_inputs, x)
    k, q = network.n_components, network.n_outputs
    same = shape_offset(em.factors_of(base.parameters)[:, base.n_inputs :, base.n_inputs :], network)
    head = graph.add("Concat", graph.add("Max", log_weights, MIN_LOG_WEIGHT), graph.reshape(means, k * q), axis=1)
    rows = graph.add("Mul", graph.columns(head, 0, 1), 0.0)  # a column of zeros with as many rows
    return graph.add("Concat", head, graph.add("Add", rows, same[None]), axis=1)


# ------------------------------------------------------------------------------------------------- Gaussian mixtures
def _log_parts(graph, weights, means, factors, x):
    """Log w_k N(x | μ_k, L_k L_kᵀ), (n, K), and the whitened differences, (n, K, d), at x (n, d)."""
    d = means.shape[1]
    difference = graph.add("Sub", graph.add("Unsqueeze", x, np.array([1])), means)
    white = graph.add("Einsum", difference, np.linalg.inv(factors), equation="nkd,ked->nke")
    square = graph.sum(graph.add("Mul", white, white), 2)
    diagonals = np.diagonal(factors, axis1=1, axis2=2)
    constant = np.log(weights) - np.log(diagonals).sum(axis=1) - d * HALF_LOG_2PI
    return graph.add("Add", graph.add("Mul", square, -0.5), constant), white


def _conditional(graph, parameters, d, x):
    """Log weights (n, K), means (n, K, q) and factors (n, K, q, q) of what follows the first d columns, given these."""
    factors = em.factors_of(parameters)
    slopes, rest = factors[:, d:, :d], factors[:, d:, d:]
    logs, white = _log_parts(graph, parameters.weights, parameters.means[:, :d], factors[:, :d, :d], x)
    moved = graph.add("Einsum", white, slopes, equation="nkd,kqd->nkq")
    means = graph.add("Add", moved, parameters.means[:, d:])
    zeros = graph.add("Mul", graph.add("Unsqueeze", means, np.array([3])), 0.0)
    return graph.log_normalised(logs), means, graph.add("Add", zeros, rest)


# --------------------------------------------------------------------------------------------------------- outputs
def _describe_mixture(graph, model, log_weights, means, shape):
    """The mixture in data units, and its mean."""
    scaler, q = model.target_.scaler, model.target_.n_outputs
    coupled = isinstance(model, JointGMMRegressor) or model.model_.network.n_regression_coefficients > 0
    if q == 1 and coupled:  # a factor of one output is its standard deviation
        shape, coupled = graph.add("Squeeze", shape, np.array([3])), False
    means = graph.add("Add", graph.add("Mul", means, scaler.scale), scaler.center)
    shape = graph.add("Mul", shape, scaler.scale[:, None] if coupled else scaler.scale)
    graph.output("log_weights", log_weights, ["K"])
    graph.output("means", means, ["K", q])
    graph.output("factors" if coupled else "scales", shape, ["K", q, q] if coupled else ["K", q])
    if model.target_.transform is not None:
        square = graph.add("Mul", shape, shape)
        variance = graph.sum(square, 3) if coupled else square
        means = graph.add("Exp", graph.add("Add", means, graph.add("Mul", variance, 0.5)))
    weights = graph.add("Unsqueeze", graph.add("Exp", log_weights), np.array([2]))
    graph.output("mean", graph.sum(graph.add("Mul", weights, means), 1), [q])


def _describe_support(graph, model, raw, z):
    """The p-values of the inputs."""
    from onnx import TensorProto

    known, density, scaler = model.support_, model.support_.density, model.encoder_.scaler
    columns = graph.add("Gather", z, np.asarray(density.columns), axis=1)
    parameters = density.parameters
    logs, _ = _log_parts(graph, parameters.weights, parameters.means, em.factors_of(parameters), columns)
    score = graph.add("Unsqueeze", graph.log_sum_exp(logs), np.array([1]))
    below = graph.add("Cast", graph.add("GreaterOrEqual", score, known.scores), to=TensorProto.DOUBLE)
    rank = graph.add("MatMul", below, np.diff(known.counts))
    p_values = graph.add("Mul", graph.add("Add", rank, 1.0), known.min_p_value)
    fixed = np.flatnonzero(scaler.constant & ~scaler.unknown)
    if len(fixed):
        there = graph.add("Gather", raw, fixed, axis=1)
        distance = graph.add("Abs", graph.add("Sub", there, scaler.center[fixed]))
        departs = graph.add("Greater", distance, DEPARTURE * np.abs(scaler.center[fixed]))
        some = graph.add("ReduceMax", graph.add("Cast", departs, to=TensorProto.DOUBLE), axes=[1], keepdims=0)
        p_values = graph.add("Where", graph.add("Greater", some, 0.5), known.min_p_value, p_values)
    graph.output("support", p_values, [])
