"""The protocol of audio sources."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """Sound at the source's own rate and channels. The window buffer resamples it, the same live and offline."""

    @property
    def name(self) -> str:
        """Name for messages, e.g. "mic: pulse" or "song.wav"."""
        ...

    @property
    def live(self) -> bool:
        """True: sound arrives at its own pace and becomes stale. False: all of it can be read at once, and it ends."""
        ...

    @property
    def rate_hz(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def dropped_samples(self) -> int:
        """Samples dropped since the start because nobody read them in time; 0 for sources that drop none."""
        ...

    @property
    def stalled(self) -> bool:
        """Whether the source sends silence because no sound arrives."""
        ...

    @property
    def block_s(self) -> float:
        """Length of the driver's blocks; 0 without a driver."""
        ...

    @property
    def buffer_s(self) -> float:
        """Most sound that the driver holds back; 0 without a driver."""
        ...

    def start(self) -> None:
        """Start. Raises SourceError."""
        ...

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        """Return all sound that has arrived since the last read, without waiting.

        Returns ([T, channels] in [-1, 1], capture time of the last sample or None offline); T may be 0 live. Returns None
        when the sound has ended. Raises SourceError when the source has failed for good.
        """
        ...

    def wait(self, timeout_s: float) -> None:
        """Return as soon as sound may have arrived, or after `timeout_s`; at once offline."""
        ...

    def notices(self) -> list[str]:
        """Return the notices since the last call: overflows, stalls, a device lost or back."""
        ...

    def close(self) -> None:
        """Stop and release; safe to call twice."""
        ...
