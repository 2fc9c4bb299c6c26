"""The operators that ONNX Runtime's CUDA provider has for graphs of opset 18, of those that model files use.

Read off the table that ONNX Runtime publishes (docs/OperatorKernels.md in its repository, commit 001d12d2623f of 2026, where the
newest opset of a CUDA kernel is 24), in our own form: the types that a kernel takes and gives.

GridSample stands in that table and is left out here: its kernels are for the layout NHWC, in an internal domain, and a node of the
ordinary domain gets none without the option prefer_nhwc (onnxruntime pull request 19562, issues 19626 and 20191).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

OPSET = 18
_REAL = frozenset({"float", "float16", "double"})
_COUNTED = _REAL | {"int32", "int64"}
_ANY = _COUNTED | {"uint8", "int8", "bool"}
_INDEX = frozenset({"int32", "int64"})


class Kernel(NamedTuple):
    """What a kernel takes and gives."""

    types: frozenset[str]
    """Of all inputs and outputs that are not named below."""
    inputs: Mapping[int, frozenset[str]] = MappingProxyType({})
    """Types of inputs that differ, by position."""
    outputs: frozenset[str] | None = None
    """Types of the outputs where they differ."""
    on_host: tuple[int, ...] = ()
    """Inputs that the kernel reads in host memory: only a constant costs no copy, and a copy cannot be captured in a CUDA graph."""


_ARITHMETIC, _SHAPED = Kernel(_COUNTED), Kernel(_ANY, {1: frozenset({"int64"})}, on_host=(1,))
_REDUCING = Kernel(_REAL | {"int32"}, {1: frozenset({"int64"})}, on_host=(1,))

KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {
        **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"), _ARITHMETIC),
        **dict.fromkeys(("Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization"), Kernel(_REAL)),
        **dict.fromkeys(("Gemm", "MatMul", "LeakyRelu", "Relu", "Sigmoid", "Tanh", "Log", "Sqrt"), Kernel(_REAL)),
        **dict.fromkeys(("Floor", "Ceil", "Round", "Reciprocal", "DepthToSpace", "AveragePool"), Kernel(_REAL)),
        **dict.fromkeys(("Abs", "Neg", "Exp", "Sin", "Cos"), Kernel(_REAL)),
        **dict.fromkeys(("Concat", "Transpose", "Identity"), Kernel(_ANY)),
        **dict.fromkeys(("Reshape", "Expand", "Squeeze", "Unsqueeze", "Split"), _SHAPED),
        **dict.fromkeys(("ReduceMean", "ReduceMax"), _REDUCING),
        "ReduceSum": Kernel(_COUNTED, {1: frozenset({"int64"})}, on_host=(1,)),
        "Cast": Kernel(_ANY),
        "Clip": Kernel(_REAL | {"int64", "int8", "uint8"}, on_host=(1, 2)),
        "Gather": Kernel(_ANY, {1: _INDEX}),
        "GatherND": Kernel(_REAL | {"bool", "int64"}, {1: frozenset({"int64"})}),
        "Less": Kernel(_COUNTED, outputs=frozenset({"bool"})),
        "Pad": Kernel(_REAL | {"bool"}, {1: frozenset({"int64"}), 3: _INDEX}, on_host=(1, 2, 3)),
        "Resize": Kernel(_REAL | {"int32", "uint8"}, {3: frozenset({"int64"})}, on_host=(1, 2, 3)),
        "Slice": Kernel(_ANY, dict.fromkeys((1, 2, 3, 4), _INDEX), on_host=(1, 2, 3, 4)),
        "Tile": Kernel(_COUNTED, {1: frozenset({"int64"})}, on_host=(1,)),
        "Where": Kernel(_COUNTED | {"uint8"}, {0: frozenset({"bool"})}),
        "QuantizeLinear": Kernel(frozenset({"float"}), {2: frozenset({"int8", "uint8"})}, frozenset({"int8", "uint8"})),
        "DequantizeLinear": Kernel(frozenset({"int8", "uint8"}), {1: frozenset({"float"})}, frozenset({"float"})),
    }
)
