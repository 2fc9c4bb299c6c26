"""What the engine asks of a backend: open a model file, take one step. State is a value (docs/design.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.model_card import ModelCard

# T audio samples; H W C picture rows, columns, channels; F feature bands

Arrays = Mapping[str, NDArray[np.float32]]


class Step(NamedTuple):
    """What one step gives."""

    image_HWC: NDArray[np.uint8]
    features_F: NDArray[np.float32]
    next_state: dict[str, NDArray[np.float32]]


class Backend(Protocol):
    """A model file, opened and ready to play."""

    @property
    def name(self) -> str:
        """Name as demanded on the command line, e.g. "onnx-cpu"."""
        ...

    @property
    def description(self) -> str:
        """Where it runs, in words, e.g. "onnx-cpu, 2 threads"."""
        ...

    @property
    def card(self) -> ModelCard: ...

    def initial_state(self) -> dict[str, NDArray[np.float32]]:
        """Return what the model remembers before it has heard anything."""
        ...

    def step(self, audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: Arrays) -> Step:
        """Take one step. `controls` and `noise` hold just the card's names; nothing given is changed.

        Raises BackendError when the step fails.
        """
        ...
