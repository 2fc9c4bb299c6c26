"""What backends with memory of their own have in common: the state stays on the device from step to step."""

from __future__ import annotations

from abc import ABC, abstractmethod

from engine.model.backend import OpenedModel
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
