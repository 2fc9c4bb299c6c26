"""float16 for graphics cards: feature maps in 16 bits, everything that must not be rounded in 32.

Written here because available converters pass values between float32 nodes through 16 bits, and round a constant for all nodes
that use it when one of them computes in 16: the floor of the logarithm, 1e-10, would become 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from engine.core.errors import ModelFileError
from engine.model.card import NEXT_SUFFIX
from export.precision.ancestry import Ancestry

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
MAP_RANK = 4
NORMS = {"InstanceNormalization", "BatchNormalization", "GroupNormalization", "LayerNormalization", "ReduceMean"}
# Operations that carry a state into the next one, from h' = h + z (c - h) to a queue.
_CARRIES = {"Add", "Sub", "Mul", "Div", "Concat", "Split", "Slice", "Gather", "Pad"} | {
    "Identity", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Expand"
}  # fmt: skip
# Their type is an attribute, or fixed by the operator.
_TYPED = {"Cast", "CastLike", "Constant", "ConstantOfShape", "Range", "QuantizeLinear", "DequantizeLinear"}
_ALWAYS_FLOAT_INPUTS = {"Resize": (1, 2)}


def to_half(program: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with its feature maps in float16; inputs and outputs stay as they are.

    In float32 stay: the front end, all vectors (motion, conditions), norms, the operations that carry a state into the next one,
    and those from the last convolution to the bytes of the frame. Raises ModelFileError for weights that 16 bits cannot hold.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(onnx.shape_inference.infer_shapes(program))
    graph = changed.graph
    ranks = _float_ranks(graph)
    in_float32 = float32_nodes(graph, ranks)
    halves = {name for node in graph.node if node.output[0] not in in_float32 for name in node.output if name in ranks}
    caster = _Caster(graph, ranks, halves)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        casts = caster.fit(node, in_half=node.output[0] not in in_float32)
        nodes += [*casts, node]
    nodes += caster.fit_outputs(nodes)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    constants = [constant for constant in (*graph.initializer, *caster.constants.values()) if constant.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    return changed


def float32_nodes(graph: onnx.GraphProto, ranks: dict[str, int]) -> set[str]:
    """Return the first outputs of the nodes that compute in float32; `ranks` has the number of axes of each float32 tensor."""
    ancestry = Ancestry(graph)
    found = ancestry.front_end() | ancestry.after_last_convolutions()
    for output in graph.output:
        if output.name.endswith(NEXT_SUFFIX):
            found |= ancestry.before([output.name], _carries) & ancestry.after(
                output.name.removesuffix(NEXT_SUFFIX), _carries
            )
    for node in graph.node:
        is_map = any(ranks.get(name, 0) >= MAP_RANK for name in node.output)
        if node.op_type in NORMS | _TYPED or not is_map:
            found.add(node.output[0])
    return found


def _carries(node: onnx.NodeProto) -> bool:
    return node.op_type in _CARRIES


def _float_ranks(graph: onnx.GraphProto) -> dict[str, int]:
    infos = (*graph.input, *graph.output, *graph.value_info)
    ranks = {i.name: len(i.type.tensor_type.shape.dim) for i in infos if i.type.tensor_type.elem_type == FLOAT}
    return ranks | {c.name: len(c.dims) for c in graph.initializer if c.data_type == FLOAT}


class _Caster:
    """Gives each node its inputs in the type that it computes in: constants are rounded once, other tensors cast once."""

    def __init__(self, graph: onnx.GraphProto, floats: Iterable[str], halves: set[str]) -> None:
        self._graph = graph
        self._floats, self._halves = set(floats), halves
        self._originals = {constant.name: constant for constant in graph.initializer}
        self._cast: set[str] = set()
        self.constants: dict[str, onnx.TensorProto] = {}

    def fit(self, node: onnx.NodeProto, in_half: bool) -> list[onnx.NodeProto]:
        """Rename the inputs of `node` that come in another type; return the casts that it needs before it."""
        casts: list[onnx.NodeProto] = []
        always_float = _ALWAYS_FLOAT_INPUTS.get(node.op_type, ())
        for index, name in enumerate(node.input):
            wants_half = in_half and index not in always_float
            if name not in self._floats or wants_half == (name in self._halves):
                continue
            node.input[index] = f"{name}_{'half' if wants_half else 'float'}"
            if name in self._originals:
                self.constants.setdefault(name, self._rounded(name))
            elif node.input[index] not in self._cast:
                self._cast.add(node.input[index])
                casts.append(_cast_node(name, node.input[index], HALF if wants_half else FLOAT))
        return casts

    def fit_outputs(self, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        """Cast outputs that are computed in 16 bits to float32."""
        casts: list[onnx.NodeProto] = []
        for output in self._graph.output:
            if output.name in self._halves:
                inner = f"{output.name}_inner"
                for node in nodes:
                    for side in (node.input, node.output):
                        side[:] = [inner if name == output.name else name for name in side]
                casts.append(_cast_node(inner, output.name, FLOAT))
        return casts

    def _rounded(self, name: str) -> onnx.TensorProto:
        values = numpy_helper.to_array(self._originals[name])
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.isfinite(values).all() and not np.isfinite(half).all():
            raise ModelFileError(
                f"'{name}' has values up to {np.abs(values).max():.3g}, and float16 ends at 65504; "
                "export this model with --precision float32."
            )
        return numpy_helper.from_array(half, f"{name}_half")


def _cast_node(source: str, target: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast_{target}", to=kind)
