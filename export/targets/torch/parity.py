"""The difference between a program of torch and the model, on the device that plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from engine.model.card import NEXT_SUFFIX
from export.verification.graph import StepGraph
from export.verification.parity import (
    PARITY_STEPS,
    Differences,
    MeasuredParity,
    parts_by_rounding,
    probe_sound,
    windows,
)

Device = Literal["cpu", "cuda"]
Play = Callable[..., Mapping[str, Tensor]]


def example_inputs(step: StepGraph) -> dict[str, Tensor]:
    """Return the inputs of a step under their names."""
    return dict(zip(step.input_names, step.example_inputs(), strict=True))


@torch.no_grad()
def measure_program_parity(
    step: StepGraph, play: Play, device: Device = "cpu", steps: int = PARITY_STEPS
) -> MeasuredParity:
    """Play `steps` steps of the model and of the program on `device`, each carrying its own states, and report the differences.

    Where they part because rounding is amplified (`parts_by_rounding`), each step of the program begins with the model's states.
    """
    measured = _measured(step, play, device, steps, carried=True)
    if measured.within_limits or not parts_by_rounding(step):
        return measured
    return _measured(step, play, device, steps, carried=False)


def _measured(step: StepGraph, play: Play, device: Device, steps: int, *, carried: bool) -> MeasuredParity:
    model = step.model
    sound = probe_sound(steps * model.hop_samples, model.sample_rate_hz)
    noise = model.draw_noise(1, steps, torch.Generator().manual_seed(1))
    ours = example_inputs(step)
    theirs = dict(ours)
    differences = Differences(carried=carried)
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, steps)):
        given = {"audio": torch.tensor(window), **{name: noise[name][0, k] for name in step.noise_names}}
        ours |= given
        theirs |= given
        expected = dict(zip(step.output_names, step(*ours.values()), strict=True))
        given_there = play(**{name: value.to(device) for name, value in theirs.items()})
        came = {name: value.cpu() for name, value in given_there.items()}
        differences.add(*({name: value.numpy() for name, value in each.items()} for each in (expected, came)))
        for name in step.state_names:
            ours[name] = expected[name + NEXT_SUFFIX]
            theirs[name] = (came if carried else expected)[name + NEXT_SUFFIX]
    return differences.measured()
