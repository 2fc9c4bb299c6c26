"""Conversion of a device that returns with another rate or fewer channels to the format of the show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.resample import Resampler

# T samples, C channels


class Conversion:
    """Converts from a device's rate and channels to those the show started with."""

    def __init__(self, device_rate_hz: int, device_channels: int, rate_hz: int, channels: int) -> None:
        self._channels = channels
        # A resampler mixes down; one per channel keeps the channels apart.
        self._resamplers = [Resampler(device_rate_hz, rate_hz) for _ in range(device_channels)]
        self._is_identity = (device_rate_hz, device_channels) == (rate_hz, channels)

    @property
    def delay_s(self) -> float:
        """Delay of a sample."""
        return self._resamplers[0].delay_s

    def convert(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the sound that is ready [T', channels]; the last of fewer channels is repeated."""
        if self._is_identity:
            return sound_TC
        columns = [resampler.feed(sound_TC[:, [c]]) for c, resampler in enumerate(self._resamplers)][: self._channels]
        return np.stack([*columns, *[columns[-1]] * (self._channels - len(columns))], axis=1)
