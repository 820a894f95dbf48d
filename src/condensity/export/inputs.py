"""Input encoders in ONNX: a table of numbers and text to standardised model inputs."""

import numpy as np

from condensity.data.decades import SignedLogs
from condensity.data.encoders import InputEncoder
from condensity.data.schema import MISSING, Category
from condensity.export.graph import Graph


def model_inputs(graph: Graph, encoder: InputEncoder) -> str:
    """Model inputs (n, e) of an encoder in data units: declares the graph's inputs, 'X' of numbers and one per category."""
    from onnx import TensorProto

    schema = encoder.schema
    categories, places = {each.column: each for each in schema.categories}, schema.encoded_categories
    numbers = [j for j in range(schema.n_features) if j not in categories]
    x = graph.input("X", TensorProto.DOUBLE, [len(numbers)]) if numbers else ""
    if schema.is_identity:
        return x
    blocks = []
    for j in range(schema.n_features):
        if j in categories:
            text = graph.input(schema.feature_names[j], TensorProto.STRING, [])
            blocks.append(_category(graph, categories[j], text, encoder.scaler.center[places[j]]))
            continue
        column = graph.columns(x, numbers.index(j), numbers.index(j) + 1)
        blocks.append(column)
        if j in schema.indicated:
            blocks.append(graph.add("Cast", graph.add("IsNaN", column), to=TensorProto.DOUBLE))
    return graph.add("Concat", *blocks, axis=1)


def _category(graph: Graph, category: Category, text: str, average: np.ndarray) -> str:
    """Codes (n, w) of levels (n,); the average code (w,) for levels that the fit did not have."""
    levels = ["" if level == MISSING else level for level in category.levels]
    index = graph.add(
        "LabelEncoder", text, domain="ai.onnx.ml",
        keys_strings=levels, values_int64s=list(range(len(levels))), default_int64=len(levels),
    )  # fmt: skip
    return graph.add("Gather", np.vstack([category.codes, average]), index, axis=0)


def _signed_logs(graph: Graph, inputs: str, decades: SignedLogs, n_inputs: int) -> str:
    """Model inputs (n, e) in coordinates that are logarithms far out: arsinh u = sign(u) log(|u| + √(u² + 1))."""
    spans, origin, unit = np.zeros(n_inputs, dtype=bool), np.zeros(n_inputs), np.ones(n_inputs)
    spans[decades.columns], origin[decades.columns], unit[decades.columns] = True, decades.origin, decades.unit
    u = graph.add("Div", graph.add("Sub", inputs, origin), unit)
    size = graph.add("Abs", u)
    root = graph.add("Sqrt", graph.add("Add", graph.add("Mul", u, u), 1.0))
    logs = graph.add("Mul", graph.add("Sign", u), graph.add("Log", graph.add("Add", size, root)))
    return graph.add("Where", spans, logs, inputs)


def standardised(graph: Graph, inputs: str, encoder: InputEncoder) -> str:
    """Add to a graph the standardised inputs (n, e) of an encoder; column means are imputed unless it handles missing values."""
    scaler = encoder.scaler
    if encoder.decades is not None:
        inputs = _signed_logs(graph, inputs, encoder.decades, scaler.scale.size)
    z = graph.add("Div", graph.add("Sub", inputs, scaler.center), scaler.scale)
    if scaler.constant.any():
        z = graph.add("Where", scaler.constant, np.zeros(scaler.scale.size), z)
    return z if encoder.handles_missing else graph.add("Where", graph.add("IsNaN", z), 0.0, z)
