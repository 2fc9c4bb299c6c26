"""A backend whose model gets a context: what the card calls pictures has the frames of a still, a clip or a camera."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.core.fit import cover
from engine.model.backend import Backend, WrappedBackend
from engine.model.context.context_frames import ContextFrames
from engine.model.step import Step, StepInputs

# H W C rows, columns, channels of pixels


class ContextBackend(WrappedBackend):
    """A model that gets, for each of its pictures, the frame of the moment."""

    def __init__(self, inner: Backend, frames: Mapping[str, ContextFrames]) -> None:
        """`frames` by the name of each picture, of any size."""
        super().__init__(inner)
        self._frames = frames
        self._shown: dict[str, NDArray[np.uint8]] = {}
        self._fitted: dict[str, NDArray[np.uint8]] = {}

    def step(self, inputs: StepInputs) -> Step:
        """Take one step with the frames of its hop's time. Raises StepError when it fails."""
        time_s = inputs.hop * self.card.hop_s
        for spec in self.card.pictures:
            shown_HWC = self._frames[spec.name].frame(time_s)
            # A frame is fitted once.
            if shown_HWC is not self._shown.get(spec.name):
                self._fitted[spec.name] = np.ascontiguousarray(cover(shown_HWC, spec.width, spec.height))
                self._shown[spec.name] = shown_HWC
        return super().step(inputs.with_values(self._fitted, inputs.states))
