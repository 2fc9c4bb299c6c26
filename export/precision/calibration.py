"""The inputs that the ranges of int8 are measured on: steps spread over a real sound, with carried states.

A state is zero only at the start of a show. Inputs with initial states would give ranges that hold for the first seconds alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from export.verification.graph import StepGraph
from export.verification.players import OnnxPlayer, SoundInputs
from export.verification.sound import RealSound, read_real_sound

LEAST_S = 2.0
LONGEST_S = 30.0
SAMPLES = 32


@dataclass(frozen=True, slots=True)
class Calibration:
    """Inputs of single steps, a description for the model card, and the sound they come from."""

    inputs: tuple[dict[str, NDArray[Any]], ...]
    description: str
    sound: RealSound


class Reader:
    """Gives the inputs one by one to onnxruntime's calibration (its CalibrationDataReader)."""

    def __init__(self, calibration: Calibration) -> None:
        self._remaining = iter(calibration.inputs)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._remaining, None)


def calibrate(program: onnx.ModelProto, graph: StepGraph, sound_file: Path, samples: int = SAMPLES) -> Calibration:
    """Play at most LONGEST_S of a sound file through the float32 `program` and return the inputs of `samples` steps.

    Raises TrainingError for a file that is missing, damaged, silent or shorter than LEAST_S, and for fewer than one sample.
    """
    if samples < 1:
        raise TrainingError(f"The number of calibration steps is {samples}; at least 1 is needed.")
    return calibrate_on(program, graph, read_real_sound(sound_file, graph.model.sample_rate_hz, LEAST_S), samples)


def calibrate_on(program: onnx.ModelProto, graph: StepGraph, sound: RealSound, samples: int = SAMPLES) -> Calibration:
    """Do as `calibrate` does, with a sound that is in memory."""
    model = graph.model
    steps = int(min(sound.length_s, LONGEST_S) * model.sample_rate_hz) // model.hop_samples
    sampled = set(np.linspace(0, steps - 1, min(samples, steps)).round().astype(int).tolist())
    player, sound_inputs, inputs = (
        OnnxPlayer(graph, program),
        SoundInputs(graph, sound),
        list[dict[str, NDArray[Any]]](),
    )
    states = sound_inputs.at(0).states
    for k in range(steps):
        step_inputs = sound_inputs.at(k).with_states(states)
        if k in sampled:
            inputs.append(step_inputs.as_dict())
        states = player.step(step_inputs).next_state
    length_s = steps * model.hop_samples / model.sample_rate_hz
    description = f"{sound.name}, {length_s:.1f} s, {len(inputs)} steps with carried states"
    return Calibration(tuple(inputs), description, sound)
