"""int8 for processors: convolutions in 8 bits between quantise and dequantise nodes (QDQ), all else in float32.

The recipe was measured, see docs/inference.md. Ranges are the least and the greatest value met, one for each tensor;
pictures are unsigned with a zero point and weights signed with one scale a channel, which both ONNX Runtime and OpenVINO turn
into their quickest integer convolutions. Narrow convolutions, 1 x 1 ones and those that give the picture its colours stay
float32: they are quick, and their error is seen as it is. Matrix products stay float32 too: they take no time, and 8 bits in a
recurrence of vectors are heard for ever.
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
"""Narrower convolutions are the last ones, where errors show, and gain little."""
LEAST_PSNR_DB = 40.0
"""Of the pictures at each of TRIAL_STEPS, against the float32 graph on the calibration's own sound."""
TRIAL_STEPS = (8, 16, 32, 64)


def quantise_faithfully(program: onnx.ModelProto, calibration: Calibration, graph: StepGraph) -> onnx.ModelProto:
    """Return the float32 graph with as many convolutions in int8 as leave pictures of LEAST_PSNR_DB; inputs and outputs stay.

    What an early convolution rounds goes through all later ones, so the early ones are given up first; how many is found
    by bisection. Raises ModelFileError when even a quarter is too many, and for a graph without a convolution that could be
    quantised.
    """
    folded = fold_constants(program)
    chosen = convolutions(folded)
    if not chosen:
        raise ModelFileError(
            "The model has no convolution that int8 could speed up; export it with --precision float32 or float16."
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
            f"int8 leaves pictures of only {reached_db:.1f} dB of the {LEAST_PSNR_DB:g} dB expected; export this model with "
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
    """Return the graph, whose constants were folded, with the convolutions `chosen` by name in int8."""
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
            # Halving the range of weights avoids overflow on processors without VNNI, and costs a bit on all others.
            reduce_range=False,
            activation_type=_quantization.QuantType.QUInt8,
            weight_type=_quantization.QuantType.QInt8,
            calibrate_method=_quantization.CalibrationMethod.MinMax,
        )
        quantised = onnx.ModelProto.FromString(target.read_bytes())
    del quantised.metadata_props[:]
    return quantised


def convolutions(program: onnx.ModelProto) -> list[str]:
    """Name the convolutions that are worth it: wide, larger than 1 x 1, with constant weights, not last and not in the front end."""
    graph = program.graph
    ancestry = Ancestry(graph)
    shapes = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    after = ancestry.after_last_convolutions()
    last = {name for node in graph.node if node.output[0] in after for name in node.input}
    excluded = ancestry.front_end() | last
    return [
        node.name
        for node in graph.node
        if node.op_type == "Conv" and node.output[0] not in excluded and _worth_it(shapes.get(node.input[1], ()))
    ]


def _worth_it(weight_shape: tuple[int, ...]) -> bool:
    return len(weight_shape) == 4 and min(weight_shape[:2]) >= LEAST_CHANNELS and max(weight_shape[2:]) > 1


def fold_constants(program: onnx.ModelProto) -> onnx.ModelProto:
    """Compute what depends on no input: kernels that are put together from parts are no weights before that."""
    # Files, because the library loses weights of a model that it is handed in memory.
    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = Path(folder) / "whole.onnx", Path(folder) / "folded.onnx"
        source.write_bytes(program.SerializeToString())
        _shape_inference.quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
        return onnx.ModelProto.FromString(target.read_bytes())


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Keep the progress that the library prints and its advice to call what is called here out of the terminal."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
