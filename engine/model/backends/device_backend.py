"""What backends with memory of their own have in common: states that stay on the device, and a step told apart from their values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.model.backends import backend
from engine.model.backends.backend import Arrays, OpenedModel, State, Step

# T audio samples


class DeviceBackend(OpenedModel, ABC):
    """A model whose two sets of states take turns (ping_pong.py)."""

    @abstractmethod
    def run(self, inputs: Arrays, state: State) -> Step:
        """Take one step from `state` with every other input under its name. Raises BackendError."""

    def step(self, audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: State) -> Step:
        # The state is told apart from its values: looking at them would fetch them.
        return self.run(backend.step_inputs(audio_T, controls, noise, {}), state)

    def warm_up(self) -> None:
        """Take two steps from silence, one from each set of states: libraries compile and capture then. Raises BackendError."""
        inputs = backend.resting_inputs(self.card)
        state: State = {spec.name: inputs.pop(spec.name) for spec in self.card.states}
        for _ in range(2):
            state = self.run(inputs, state).next_state
