"""Chosen channels of any source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.passed_source import PassedSource
from engine.audio.source import Source
from engine.media.channels import check_channels, picked

# T samples, C channels


class ChosenChannels(PassedSource):
    """The `channels` of a source, numbered from 1, in their order."""

    def __init__(self, inner: Source, channels: tuple[int, ...]) -> None:
        """Raises MediaError for a channel that the source lacks."""
        check_channels(channels, inner.channels, inner.name)
        super().__init__(inner)
        self._chosen = channels

    @property
    def channels(self) -> int:
        return len(self._chosen)

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block = super().read()
        return None if block is None else (picked(block[0], self._chosen), block[1])
