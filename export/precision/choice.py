"""One word of the command line -> the graph in that precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import onnx

from engine.core.errors import ModelFileError
from engine.model.card import Drift
from export.drift import STEPS, measure_drift
from export.graph import StepGraph
from export.precision.calibration import calibrate
from export.precision.carried import OnnxPlayer, TorchPlayer
from export.precision.half import to_half
from export.precision.int8 import quantise_faithfully
from export.precision.sound import made_sound, read_real_sound

Precision = Literal["float32", "float16", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def in_precision(
    program: onnx.ModelProto, graph: StepGraph, precision: Precision, calibration_sound: Path | None = None
) -> tuple[onnx.ModelProto, str]:
    """Return the float32 `program` in another precision, and what the card says of its calibration.

    A bfloat16 file is the float32 graph with a card that lets the runtime round: operators of its opset know no bfloat16.
    Raises ModelFileError for int8 without a sound, a sound without int8 and a model that the precision does not suit,
    TrainingError for a sound that cannot be used.
    """
    if (precision == "int8") != (calibration_sound is not None):
        raise ModelFileError(
            "--precision int8 needs --calibrate SOUND: its ranges are measured on the kind of sound that will be played."
            if calibration_sound is None
            else f"--calibrate is for --precision int8, and {precision} was asked for; leave it out."
        )
    if calibration_sound is not None:
        calibration = calibrate(program, graph, calibration_sound)
        return quantise_faithfully(program, calibration, graph), calibration.description
    return (to_half(program) if precision == "float16" else program), ""


def drift_of(
    program: onnx.ModelProto, graph: StepGraph, sound_file: Path | None = None, steps: Sequence[int] = STEPS
) -> tuple[Drift, ...]:
    """Measure how far `program` in ONNX Runtime on the processor is from float32 torch; without a file, on the made sound."""
    rate_hz = graph.model.sample_rate_hz
    sound = read_real_sound(sound_file, rate_hz) if sound_file else made_sound(rate_hz)
    return measure_drift(graph, TorchPlayer(graph), OnnxPlayer(graph, program), sound, steps)
