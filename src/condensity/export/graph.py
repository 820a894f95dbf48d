"""`Graph`: an ONNX graph under construction, and small formulas in its operators."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

#: Operators as of ONNX 1.14.
OPSET, ML_OPSET, IR_VERSION = 17, 3, 8


class Graph:
    """Nodes in order of evaluation. Tensors are referred to by name; every method that adds nodes returns the last one's.

    Tensors are float64 unless stated. Letters: n rows, K components.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def add(self, operator: str, *inputs: str | npt.ArrayLike, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output: an operator of a domain, with attributes, applied to inputs;
        of these, numbers and arrays of any shape, (a, b, …), become constants, and texts are names of tensors.
        """
        from onnx import helper

        name = f"t{len(self.nodes)}"
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, names, [name], domain=domain, **attributes))
        return name

    def constant(self, value: npt.ArrayLike) -> str:
        """A constant tensor of a value of any shape, (a, b, …): float64, or int64 and bool for integers and truth values."""
        from onnx import numpy_helper

        array = np.asarray(value)
        dtype = {"i": np.int64, "b": np.bool_}.get(array.dtype.kind, np.float64)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(array, dtype=dtype), name))
        return name

    def input(self, name: str, kind: int, shape: Sequence[int]) -> str:
        """Declare an input (n, *shape) of this name, its `kind` an ONNX element type."""
        from onnx import helper

        self.inputs.append(helper.make_tensor_value_info(name, kind, ["n", *shape]))
        return name

    def output(self, name: str, tensor: str, shape: Sequence[int | str]) -> None:
        """Declare a tensor as the output (n, *shape) of this name."""
        from onnx import TensorProto, helper

        self.nodes.append(helper.make_node("Identity", [tensor], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", *shape]))

    def model(self, metadata: dict[str, str]) -> Any:
        """The graph as an `onnx.ModelProto` with metadata, names to texts."""
        from onnx import helper

        graph = helper.make_graph(self.nodes, "condensity", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        proto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="condensity")
        helper.set_model_props(proto, metadata)
        return proto

    # ------------------------------------------------------------------------------------------------ formulas
    def sum(self, tensor: str, axis: int, *, keep: bool = False) -> str:
        """Sum of a tensor over an axis, which stays with length 1 if `keep`."""
        return self.add("ReduceSum", tensor, np.array([axis]), keepdims=int(keep))

    def log_normalised(self, logits: str) -> str:
        """Log weights (n, K), whose exponentials sum to one, from logits (n, K)."""
        lowered = self.add("Sub", logits, self.add("ReduceMax", logits, axes=[1], keepdims=1))
        return self.add("Sub", lowered, self.add("Log", self.sum(self.add("Exp", lowered), 1, keep=True)))

    def log_sum_exp(self, logits: str) -> str:
        """Log (n,) of the sum of exponentials of logits (n, K)."""
        top = self.add("ReduceMax", logits, axes=[1], keepdims=1)
        total = self.add("Log", self.sum(self.add("Exp", self.add("Sub", logits, top)), 1, keep=True))
        return self.add("Squeeze", self.add("Add", top, total), np.array([1]))

    def softplus(self, tensor: str) -> str:
        """Log(1 + e^x) of a tensor x, without overflow."""
        small = self.add("Log", self.add("Add", 1.0, self.add("Exp", self.add("Neg", self.add("Abs", tensor)))))
        return self.add("Add", small, self.add("Max", tensor, 0.0))

    def columns(self, tensor: str, start: int, stop: int, axis: int = 1) -> str:
        """Positions start to stop of a tensor along an axis, stop excluded."""
        return self.add("Slice", tensor, np.array([start]), np.array([stop]), np.array([axis]))

    def reshape(self, tensor: str, *shape: int) -> str:
        """A tensor (n, …) in the shape (n, *shape)."""
        return self.add("Reshape", tensor, np.array([-1, *shape]))
