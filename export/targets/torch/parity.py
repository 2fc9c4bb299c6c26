"""The difference between a program of torch and the model, on the device that plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from export.verification.graph import StepGraph
from export.verification.parity import PARITY_STEPS, MeasuredParity, compare_with_torch

Device = Literal["cpu", "cuda"]
Play = Callable[..., Mapping[str, Tensor]]


def example_inputs(step: StepGraph) -> dict[str, Tensor]:
    """Return the inputs of a step under their names."""
    return dict(zip(step.input_names, step.example_inputs(), strict=True))


@torch.no_grad()
def measure_program_parity(
    step: StepGraph, play: Play, device: Device = "cpu", steps: int = PARITY_STEPS
) -> MeasuredParity:
    """Do as `compare_with_torch` does with a program on `device`."""

    def played(inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        came = play(**{name: torch.tensor(value, device=device) for name, value in inputs.items()})
        return {name: value.cpu().numpy() for name, value in came.items()}

    return compare_with_torch(step, played, steps)
