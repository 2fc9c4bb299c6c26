"""What the loop asks of a source of sound."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Source(Protocol):
    """Sound at its own rate and channels. Resampling to the model's rate is the loop's (one place, live and offline)."""

    @property
    def name(self) -> str:
        """Name for messages, e.g. "mic: pulse" or "song.wav"."""
        ...

    @property
    def live(self) -> bool:
        """True: sound arrives when it arrives and goes stale. False: it is there to be taken, and it ends."""
        ...

    @property
    def rate_hz(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def dropped_samples(self) -> int:
        """Samples lost since the start because nobody took them in time; 0 for sources that cannot lose any."""
        ...

    def start(self) -> None:
        """Begin. Raises SourceError."""
        ...

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        """Take all sound that has arrived since the last read, without waiting.

        Returns ([T, channels] in [-1, 1], clock time at which its last sample was captured or None offline); T may be 0
        live. None: the sound is over. Raises SourceError when it is lost for good.
        """
        ...

    def wait(self, timeout_s: float) -> None:
        """Return as soon as sound may have arrived, or after `timeout_s`; offline sources return at once."""
        ...

    def notices(self) -> list[str]:
        """Take the lines to tell the user since the last call: overflows, stalls, a device lost or back."""
        ...

    def close(self) -> None:
        """Stop and release; safe to call twice."""
        ...
