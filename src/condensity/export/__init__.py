"""Fitted models for other runtimes."""

from condensity.export.onnx import to_onnx

__all__ = ["to_onnx"]
