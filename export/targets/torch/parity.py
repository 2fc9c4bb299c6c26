"""The difference between a program of torch and the model, on the device that plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from engine.model.card import NEXT_SUFFIX, Parity
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph
from export.verification.parity import PARITY_STEPS, PROBE_SOUND, probe_sound, windows

Device = Literal["cpu", "cuda"]
Play = Callable[..., Mapping[str, Tensor]]


def example_inputs(step: StepGraph) -> dict[str, Tensor]:
    """Return the inputs of a step under their names."""
    return dict(zip(step.input_names, step.example_inputs(), strict=True))


@torch.no_grad()
def measure_program_parity(step: StepGraph, play: Play, device: Device = "cpu", steps: int = PARITY_STEPS) -> Parity:
    """Play `steps` steps of the model and of the program on `device`, each carrying its own states, and report the differences."""
    model = step.model
    sound = probe_sound(steps * model.hop_samples, model.sample_rate_hz)
    noise = model.draw_noise(1, steps, torch.Generator().manual_seed(1))
    ours = example_inputs(step)
    theirs = dict(ours)
    largest, squares = 0.0, 0.0
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, steps)):
        given = {"audio": torch.tensor(window), **{name: noise[name][0, k] for name in step.noise_names}}
        ours |= given
        theirs |= given
        expected = dict(zip(step.output_names, step(*ours.values()), strict=True))
        given_there = play(**{name: value.to(device) for name, value in theirs.items()})
        came = {name: value.cpu() for name, value in given_there.items()}
        difference = (came[FLOAT_FRAME_OUTPUT] - expected[FLOAT_FRAME_OUTPUT]).abs().numpy()
        # np.maximum, unlike max, lets a difference that is not a number through.
        largest, squares = float(np.maximum(largest, difference.max())), squares + float(np.square(difference).mean())
        for name in step.state_names:
            ours[name], theirs[name] = expected[name + NEXT_SUFFIX], came[name + NEXT_SUFFIX]
    states = [float((theirs[name] - ours[name]).abs().max()) for name in step.state_names]
    return Parity(
        steps=steps,
        frame_max=largest,
        frame_rms=(squares / steps) ** 0.5,
        state_max=float(np.max(states)),
        sound=PROBE_SOUND,
    )
