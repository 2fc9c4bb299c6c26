"""What backends with memory of their own have in common: the state stays on the device from step to step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from engine.core.errors import BackendError
from engine.model.backend import OpenedModel
from engine.model.card import ModelCard
from engine.model.step import Step, StepInputs, resting_inputs


class DeviceBackend(OpenedModel, ABC):
    """A model with ping-pong buffers for its state (ping_pong.py)."""

    @abstractmethod
    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises StepError.

        `inputs.states` is compared with what the last step returned before anyone looks at its values: looking copies them.
        """

    def warm_up(self) -> None:
        """Take two steps from silence, one from each state buffer, so that libraries compile and capture. Raises StepError."""
        inputs = resting_inputs(self.card)
        for _ in range(2):
            inputs = inputs.with_states(self.step(inputs).next_state)


def refuse_int8(card: ModelCard, file: Path, backend: str) -> None:
    """Raise BackendError for a file in int8, before a library refuses it with an error about something else.

    Its zero points are for processors: TensorRT takes none, and CUDA rounds for nothing and computes in float32.
    """
    if card.precision == "int8":
        raise BackendError(
            f"{backend} plays no int8, which is for processors, and {file} is in int8; play it with --backend onnx-cpu, "
            "or export the model again with --precision float16."
        )
