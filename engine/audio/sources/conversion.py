"""Conversion from what a device gives, rate and channels, to the format of the show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.audio.resample import Resampler

# T samples, C channels


class Conversion:
    """Picks channels and converts their rate.

    `columns` says for each channel of the show which one of the device it is, numbered from 0; None: silence, because the device
    has no such channel any more.
    """

    def __init__(self, device_rate_hz: int, device_channels: int, rate_hz: int, columns: Sequence[int | None]) -> None:
        self._columns = tuple(columns)
        self._is_identity = device_rate_hz == rate_hz and self._columns == tuple(range(device_channels))
        # A resampler mixes down; one per channel keeps the channels apart.
        self._resamplers = {column: Resampler(device_rate_hz, rate_hz) for column in sorted(self._used())}

    @property
    def delay_s(self) -> float:
        """Delay of a sample."""
        return next(iter(self._resamplers.values())).delay_s

    def convert(self, sound_TC: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the sound that is ready [T', channels of the show]."""
        if self._is_identity:
            return sound_TC
        came = {column: resampler.feed(sound_TC[:, [column]]) for column, resampler in self._resamplers.items()}
        silence_T = np.zeros_like(next(iter(came.values())))
        return np.stack([silence_T if column is None else came[column] for column in self._columns], axis=1)

    def _used(self) -> set[int]:
        # Where all channels are gone the first one tells how much sound there would be.
        return {column for column in self._columns if column is not None} or {0}
