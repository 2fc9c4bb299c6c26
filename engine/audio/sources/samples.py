"""A source that plays an array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# T samples, C channels

BLOCK_SAMPLES = 1024


class SampleSource:
    """Plays an array, once or in a loop, as fast as it is read."""

    live = False
    stalled = False
    dropped_samples = 0
    block_s = buffer_s = 0.0

    def __init__(
        self,
        name: str,
        sound_TC: NDArray[np.float32],
        rate_hz: int,
        repeat: bool = False,
        block_samples: int = BLOCK_SAMPLES,
    ) -> None:
        self.name = name
        self.rate_hz = rate_hz
        self.channels = sound_TC.shape[1]
        self._sound_TC = sound_TC
        self._repeat = repeat
        self._block_samples = block_samples
        self._position = 0

    def start(self) -> None:
        self._position = 0

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        if self._position >= len(self._sound_TC):
            if not self._repeat:
                return None
            self._position = 0
        block_TC = self._sound_TC[self._position : self._position + self._block_samples]
        self._position += len(block_TC)
        return block_TC, None

    def wait(self, timeout_s: float) -> None:
        """Sound is always available."""

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing to release."""
