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
    categories = {each.column: each for each in schema.categories}
    numbers = [j for j in range(schema.n_features) if j not in categories]
    x = graph.input("X", TensorProto.DOUBLE, [len(numbers)]) if numbers else ""
    if schema.is_identity:
        return x
    blocks = []
    for j in range(schema.n_features):
        if j in categories:
            text = graph.input(schema.feature_names[j], TensorProto.STRING, [])
            blocks.append(_category(graph, categories[j], text))
            continue
        column = graph.columns(x, numbers.index(j), numbers.index(j) + 1)
        blocks.append(column)
        if j in schema.indicated:
            blocks.append(graph.add("Cast", graph.add("IsNaN", column), to=TensorProto.DOUBLE))
    return graph.add("Concat", *blocks, axis=1)


def _category(graph: Graph, category: Category, text: str) -> str:
    """Codes (n, w) of levels (n,); NaN for levels that the fit did not have."""
    levels = ["" if level == MISSING else level for level in category.levels]
    index = graph.add(
        "LabelEncoder", text, domain="ai.onnx.ml",
        keys_strings=levels, values_int64s=list(range(len(levels))), default_int64=len(levels),
    )  # fmt: skip
    unseen = np.full((1, category.codes.shape[1]), np.nan)
    return graph.add("Gather", np.vstack([category.codes, unseen]), index, axis=0)


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
    """Add to a graph the standardised inputs (n, e) of an encoder.

    Column means are imputed unless it handles missing values, and always in a category whose level the fit did not have.
    """
    scaler = encoder.scaler
    if encoder.decades is not None:
        inputs = _signed_logs(graph, inputs, encoder.decades, scaler.scale.size)
    z = graph.add("Div", graph.add("Sub", inputs, scaler.center), scaler.scale)
    if scaler.constant.any():
        z = graph.add("Where", scaler.constant, np.zeros(scaler.scale.size), z)
    imputed = np.full(scaler.scale.size, not encoder.handles_missing)
    for columns in encoder.schema.encoded_categories.values():
        imputed[columns] = True
    if not imputed.any():
        return z
    return graph.add("Where", graph.add("And", graph.add("IsNaN", z), imputed), 0.0, z)
