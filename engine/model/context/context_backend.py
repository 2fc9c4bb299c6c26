"""A backend whose model gets a context: what the card calls pictures has the frames of a still, a clip or a camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.fit import cover
from engine.model.backend import Backend, WrappedBackend
from engine.model.context.context_frames import ContextFrames
from engine.model.step import Step, StepInputs

# H W C rows, columns, channels of pixels


class ContextBackend(WrappedBackend):
    """A model that looks at no context is stepped as it is."""

    def __init__(self, inner: Backend, frames: ContextFrames) -> None:
        super().__init__(inner)
        self._frames = frames
        self._shown: NDArray[np.uint8] | None = None
        self._fitted: dict[str, NDArray[np.uint8]] = {}

    def step(self, inputs: StepInputs) -> Step:
        """Take one step with the frame of its hop's time. Raises StepError when it fails."""
        if self.card.pictures:
            inputs = inputs.with_values(self._at(inputs.hop * self.card.hop_s), inputs.states)
        return super().step(inputs)

    def _at(self, time_s: float) -> dict[str, NDArray[np.uint8]]:
        """Return the frame of a time in the size of every input; a frame is fitted once."""
        shown_HWC = self._frames.frame(time_s)
        if shown_HWC is not self._shown:
            self._fitted = {
                spec.name: np.ascontiguousarray(cover(shown_HWC, spec.width, spec.height))
                for spec in self.card.pictures
            }
            self._shown = shown_HWC
        return self._fitted
