"""What the ranges of int8 are measured on: the inputs of steps spread over a real sound, with the states as carried there.

A state is zero at the start of a show and nowhere else, so inputs that were not carried would give ranges that the first
seconds leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from engine.core.errors import TrainingError
from export.graph import StepGraph
from export.precision.carried import Array, OnnxPlayer
from export.precision.sound import RealSound, read_real_sound

LEAST_S = 2.0
LONGEST_S = 30.0
SAMPLES = 32


@dataclass(frozen=True, slots=True)
class Calibration:
    """Inputs of single steps, the words for the model card, and the sound they come from."""

    inputs: tuple[dict[str, Array], ...]
    description: str
    sound: RealSound


class Reader:
    """The inputs one by one, as onnxruntime's calibration asks for them (its CalibrationDataReader)."""

    def __init__(self, calibration: Calibration) -> None:
        self._left = iter(calibration.inputs)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


def calibrate(program: onnx.ModelProto, graph: StepGraph, sound_file: Path, samples: int = SAMPLES) -> Calibration:
    """Play at most LONGEST_S of a sound file through the float32 `program` and keep the inputs of `samples` steps.

    Raises TrainingError for a file that is missing, damaged, silent or shorter than LEAST_S, and for fewer than one sample.
    """
    if samples < 1:
        raise TrainingError(f"{samples} calibration steps were asked for; at least 1 is needed.")
    return calibrate_on(program, graph, read_real_sound(sound_file, graph.model.sample_rate_hz, LEAST_S), samples)


def calibrate_on(program: onnx.ModelProto, graph: StepGraph, sound: RealSound, samples: int = SAMPLES) -> Calibration:
    """As `calibrate`, with a sound that was read already."""
    model = graph.model
    steps = int(min(sound.length_s, LONGEST_S) * model.sample_rate_hz) // model.hop_samples
    kept = set(np.linspace(0, steps - 1, min(samples, steps)).round().astype(int).tolist())
    player, inputs = OnnxPlayer(graph, program), list[dict[str, Array]]()
    for k in range(steps):
        if k in kept:
            inputs.append(player.inputs_of(sound, k))
        player.step(sound.window(k, model.window_samples, model.hop_samples), k)
    length_s = steps * model.hop_samples / model.sample_rate_hz
    description = f"{sound.name}, {length_s:.1f} s, {len(inputs)} steps with carried states"
    return Calibration(tuple(inputs), description, sound)
