"""A file or generated sound, played live."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.audio.source import Source
from engine.core.clock import Clock

# T samples, C channels

BLOCK_S = 0.005
"""Length of the blocks in which the sound arrives."""
LONGEST_LAG_S = 1.0
"""After a longer pause of the machine the sound continues where it stopped instead of catching up."""


def due_samples(now_s: float, start_s: float, rate_hz: int) -> int:
    """Return how many samples have been played by `now_s` if sample 0 began at `start_s`."""
    return max(0, int((now_s - start_s) * rate_hz))


class PacedSource:
    """Plays an offline source live: sample n arrives n / rate seconds after the start."""

    live = True
    stalled = False
    dropped_samples = 0
    block_s = buffer_s = 0.0

    def __init__(self, inner: Source, clock: Clock) -> None:
        self.name = inner.name
        self.rate_hz = inner.rate_hz
        self.channels = inner.channels
        self.inner = inner
        """What is played, as fast as it is read."""
        self.clock = clock
        self._start_s = 0.0
        self._played_samples = 0
        self._pending_TC = np.zeros((0, inner.channels), np.float32)
        self._has_ended = False
        self._ahead_samples = self._told_samples = 0
        self._ahead: Callable[[NDArray[np.float32], float], None] | None = None

    def tell_ahead(self, callback: Callable[[NDArray[np.float32], float], None], ahead_s: float) -> None:
        """Let each read call `callback` with the sound [T, C] up to `ahead_s` later, and with the time at which its last sample is played.

        Every sample comes once, in order; T may be 0. Before `start` only.
        """
        self._ahead, self._ahead_samples = callback, round(ahead_s * self.rate_hz)

    def start(self) -> None:
        self.inner.start()
        self._start_s = self.clock.now_s()
        self._played_samples = 0

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        wanted = due_samples(self.clock.now_s(), self._start_s, self.rate_hz) - self._played_samples
        lag_s = wanted / self.rate_hz
        if lag_s > LONGEST_LAG_S:
            self._start_s += lag_s
            wanted = 0
        while len(self._pending_TC) < wanted + self._ahead_samples and not self._has_ended:
            block = self.inner.read()
            if block is None:
                self._has_ended = True
            else:
                self._pending_TC = np.concatenate([self._pending_TC, block[0]])
        self._tell_ahead(wanted + self._ahead_samples)
        sound_TC, self._pending_TC = self._pending_TC[:wanted], self._pending_TC[wanted:]
        if self._has_ended and wanted and not len(sound_TC):
            return None
        self._played_samples += len(sound_TC)
        return sound_TC, self._start_s + self._played_samples / self.rate_hz

    def _tell_ahead(self, samples: int) -> None:
        """Tell of the next `samples`, as far as they are there and were not told."""
        if self._ahead is None:
            return
        end = self._played_samples + min(samples, len(self._pending_TC))
        new_TC = self._pending_TC[self._told_samples - self._played_samples : end - self._played_samples]
        self._told_samples = max(end, self._told_samples)
        self._ahead(new_TC, self._start_s + self._told_samples / self.rate_hz)

    def wait(self, timeout_s: float) -> None:
        self.clock.sleep(min(BLOCK_S, timeout_s))

    def notices(self) -> list[str]:
        return self.inner.notices()

    def close(self) -> None:
        self.inner.close()
