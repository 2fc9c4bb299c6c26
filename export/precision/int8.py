"""int8 for processors: convolutions in 8 bits between quantise and dequantise nodes (QDQ), all else in float32.

The recipe was measured, see docs/inference.md. The range of a tensor is its smallest and largest value in the calibration.
Activations are unsigned with a zero point, and weights signed with one scale for each channel: both ONNX Runtime and OpenVINO turn
these into their fastest integer convolutions. Narrow convolutions, 1 x 1 convolutions and those that give the frame its colours stay
float32: they are fast, and their error is directly visible. Matrix products stay float32 too: they take little time, and the error
of 8 bits would accumulate in the recurrence.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnxruntime import quantization  # pyright: ignore[reportMissingTypeStubs]
from onnxruntime.quantization import shape_inference  # pyright: ignore[reportMissingTypeStubs]

from engine.core.errors import ModelFileError
from export.precision.ancestry import Ancestry
from export.precision.calibration import Calibration, Reader
from export.verification.drift import measure_drift
from export.verification.graph import StepGraph
from export.verification.players import OnnxPlayer

# onnxruntime ships no types.
_quantization: Any = quantization
_shape_inference: Any = shape_inference

LEAST_CHANNELS = 32
"""Narrower convolutions are the last ones, where errors are visible, and gain little."""
LEAST_PSNR_DB = 40.0
"""PSNR of the frames at each of TRIAL_STEPS, against the float32 graph on the sound of the calibration."""
TRIAL_STEPS = (8, 16, 32, 64)


def quantise_faithfully(program: onnx.ModelProto, calibration: Calibration, graph: StepGraph) -> onnx.ModelProto:
    """Return the float32 graph with as many convolutions in int8 as leave frames of LEAST_PSNR_DB; inputs and outputs stay.

    The error of an early convolution goes through all later ones, so the early ones stay float32 first; how many is found by
    bisection. Raises ModelFileError when even a quarter is too many, and for a graph without a convolution that can be
    quantised.
    """
    folded = fold_constants(program)
    chosen = convolutions(folded)
    if not chosen:
        raise ModelFileError(
            "The model has no convolution that int8 can speed up; export it with --precision float32 or float16."
        )

    def trial(count: int) -> tuple[onnx.ModelProto, float]:
        quantised = quantise(folded, calibration, chosen[-count:])
        exact, rounded = OnnxPlayer(graph, program), OnnxPlayer(graph, quantised)
        drifts = measure_drift(graph, exact, rounded, calibration.sound, TRIAL_STEPS)
        return quantised, min(drift.psnr_db for drift in drifts)

    found, reached_db = trial(len(chosen))
    if reached_db >= LEAST_PSNR_DB:
        return found
    enough, too_many = max(1, len(chosen) // 4), len(chosen)
    found, reached_db = trial(enough)
    if reached_db < LEAST_PSNR_DB:
        raise ModelFileError(
            f"int8 gives frames of only {reached_db:.1f} dB, and {LEAST_PSNR_DB:g} dB were expected; export this model with "
            "--precision float16, or float32."
        )
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        candidate, reached_db = trial(middle)
        if reached_db >= LEAST_PSNR_DB:
            found, enough = candidate, middle
        else:
            too_many = middle
    return found


def quantise(folded: onnx.ModelProto, calibration: Calibration, chosen: Sequence[str]) -> onnx.ModelProto:
    """Return the graph, whose constants are folded, with the convolutions named in `chosen` in int8."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = Path(folder) / "folded.onnx", Path(folder) / "quantised.onnx"
        source.write_bytes(folded.SerializeToString())
        _quantization.quantize_static(
            str(source),
            str(target),
            Reader(calibration),
            quant_format=_quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=list(chosen),
            per_channel=True,
            # Halving the range of weights avoids overflow on processors without VNNI, and costs one bit on all others.
            reduce_range=False,
            activation_type=_quantization.QuantType.QUInt8,
            weight_type=_quantization.QuantType.QInt8,
            calibrate_method=_quantization.CalibrationMethod.MinMax,
        )
        quantised = onnx.ModelProto.FromString(target.read_bytes())
    del quantised.metadata_props[:]
    return quantised


def convolutions(program: onnx.ModelProto) -> list[str]:
    """Name the convolutions to quantise: wide, larger than 1 x 1, with constant weights, not last and not in the front end."""
    graph = program.graph
    ancestry = Ancestry(graph)
    shapes = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    after = ancestry.after_last_convolutions()
    last = {name for node in graph.node if node.output[0] in after for name in node.input}
    excluded = ancestry.front_end() | last
    return [
        node.name
        for node in graph.node
        if node.op_type == "Conv" and node.output[0] not in excluded and _is_wide(shapes.get(node.input[1], ()))
    ]


def _is_wide(weight_shape: tuple[int, ...]) -> bool:
    return len(weight_shape) == 4 and min(weight_shape[:2]) >= LEAST_CHANNELS and max(weight_shape[2:]) > 1


def fold_constants(program: onnx.ModelProto) -> onnx.ModelProto:
    """Compute everything that depends on no input: only then are kernels that are built from several tensors weights."""
    # Files, because the library loses weights of a model that it gets in memory.
    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = Path(folder) / "source.onnx", Path(folder) / "folded.onnx"
        source.write_bytes(program.SerializeToString())
        _shape_inference.quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
        return onnx.ModelProto.FromString(target.read_bytes())


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Suppress the progress and the advice that the library prints."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
