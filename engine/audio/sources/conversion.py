"""A device that comes back with another rate or fewer channels goes on as what it was before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.resample import Resampler

# T samples, C channels


class Conversion:
    """From a device's rate and channels to those that the show began with."""

    def __init__(self, device_rate_hz: int, device_channels: int, rate_hz: int, channels: int) -> None:
        self._channels = channels
        # A resampler mixes what it is given; given one channel, it keeps it as it is.
        self._resamplers = [Resampler(device_rate_hz, rate_hz) for _ in range(device_channels)]
        self._neutral = (device_rate_hz, device_channels) == (rate_hz, channels)

    @property
    def delay_s(self) -> float:
        """How long a sample is held back."""
        return self._resamplers[0].delay_s

    def convert(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the sound that has come out now [T', channels]; of fewer channels the last one is repeated."""
        if self._neutral:
            return sound_TC
        columns = [resampler.feed(sound_TC[:, [c]]) for c, resampler in enumerate(self._resamplers)][: self._channels]
        return np.stack([*columns, *[columns[-1]] * (self._channels - len(columns))], axis=1)
