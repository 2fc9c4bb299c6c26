"""Chosen channels of any source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.source import Source
from engine.media.channels import check_channels, picked

# T samples, C channels


class ChosenChannels:
    """The `channels` of a source, numbered from 1, in their order."""

    def __init__(self, inner: Source, channels: tuple[int, ...]) -> None:
        """Raises MediaError for a channel that the source lacks."""
        check_channels(channels, inner.channels, inner.name)
        self._inner = inner
        self._chosen = channels
        self.name = inner.name
        self.live = inner.live
        self.rate_hz = inner.rate_hz
        self.channels = len(channels)

    @property
    def dropped_samples(self) -> int:
        return self._inner.dropped_samples

    @property
    def stalled(self) -> bool:
        return self._inner.stalled

    @property
    def block_s(self) -> float:
        return self._inner.block_s

    @property
    def buffer_s(self) -> float:
        return self._inner.buffer_s

    def start(self) -> None:
        self._inner.start()

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block = self._inner.read()
        return None if block is None else (picked(block[0], self._chosen), block[1])

    def wait(self, timeout_s: float) -> None:
        self._inner.wait(timeout_s)

    def notices(self) -> list[str]:
        return self._inner.notices()

    def close(self) -> None:
        self._inner.close()
