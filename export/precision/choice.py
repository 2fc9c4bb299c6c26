"""The choice of a precision: the graph in it, and how far that is from float32."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import onnx

from engine.core.errors import ModelFileError
from engine.model.card import Drift
from export.precision.calibration import calibrate
from export.precision.half import to_half
from export.precision.int8 import LEAST_PSNR_DB, quantise_faithfully
from export.verification.drift import STEPS, measure_drift
from export.verification.graph import StepGraph
from export.verification.players import OnnxPlayer, TorchPlayer
from export.verification.sound import made_sound, read_real_sound

Precision = Literal["float32", "float16", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
SETTLED_STEP = 64
"""From this step on the recorded frames of a file in fewer bits must reach LEAST_PSNR_DB."""


def in_precision(
    program: onnx.ModelProto, graph: StepGraph, precision: Precision, calibration_sound: Path | None = None
) -> tuple[onnx.ModelProto, str]:
    """Return the float32 `program` in another precision, and the text for `calibration` in the card.

    A bfloat16 file is the float32 graph with a card that lets the runtime round: the operators of its opset have no bfloat16.
    Raises ModelFileError for int8 without a sound, a sound without int8 and a model that the precision does not suit,
    TrainingError for a sound that cannot be used.
    """
    if (precision == "int8") != (calibration_sound is not None):
        raise ModelFileError(
            "--precision int8 needs --calibrate SOUND: its ranges are measured on the kind of sound in the show."
            if calibration_sound is None
            else f"--calibrate is for --precision int8, and the precision is {precision}; leave it out."
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


def check_drift(drift: tuple[Drift, ...], precision: Precision, path: Path) -> None:
    """Raise ModelFileError when fewer bits leave a frame further than LEAST_PSNR_DB from float32 torch."""
    settled = [one for one in drift if one.step >= SETTLED_STEP]
    worst = min(settled, key=lambda one: one.psnr_db, default=None)
    # Written this way round, a figure that is not a number fails too.
    if precision != "float32" and worst is not None and not worst.psnr_db >= LEAST_PSNR_DB:
        raise ModelFileError(
            f"{path} was not written: at step {worst.step} its frame in {precision} is {worst.psnr_db:.1f} dB from float32; "
            f"at least {LEAST_PSNR_DB:g} dB was expected. Export it with --precision float32."
        )
