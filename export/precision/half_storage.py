"""Store weights in 16 bits and compute in 32: half the file, the same arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

LEAST_ELEMENTS = 1024
"""A smaller tensor is not worth a node of its own."""
_WIDENED = "{}_stored"


@torch.no_grad()
def round_weights(model: nn.Module) -> None:
    """Round the large weights of a model, in place, to what 16 bits hold, so that torch and the file compute with the same values."""
    for parameter in model.parameters():
        if parameter.numel() >= LEAST_ELEMENTS:
            parameter.copy_(parameter.half().float())


def store_in_half(program: onnx.ModelProto) -> None:
    """Store every large float32 constant that 16 bits hold exactly as float16, widened by a Cast that runtimes fold when they open the file."""
    graph = program.graph
    casts: list[onnx.NodeProto] = []
    for constant in graph.initializer:
        if constant.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(constant)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < LEAST_ELEMENTS or not np.array_equal(half.astype(np.float32), values):
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(half, _WIDENED.format(name)))
        casts.append(onnx.helper.make_node("Cast", [_WIDENED.format(name)], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def holds_half_weights(model: Path) -> bool:
    """Return whether the file computes in 32 bits with weights stored in 16; its checkpoint has to be rounded for a comparison."""
    if model.suffix != ".onnx":
        return False
    graph = onnx.ModelProto.FromString(model.read_bytes()).graph
    stored = {constant.name for constant in graph.initializer if constant.data_type == onnx.TensorProto.FLOAT16}
    return any(node.op_type == "Cast" and node.input[0] in stored for node in graph.node)
