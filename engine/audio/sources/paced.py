"""Any sound that is simply there, arriving as if it were played now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.source import Source
from engine.core.clock import Clock

# T samples, C channels

BLOCK_S = 0.005
"""How finely the sound arrives, like the blocks of a device."""
LONGEST_LAG_S = 1.0
"""A machine that was away for longer goes on where it stopped instead of catching up."""


def due_samples(now_s: float, start_s: float, rate_hz: int) -> int:
    """Return how many samples have been played by `now_s` if sample 0 began at `start_s`."""
    return max(0, int((now_s - start_s) * rate_hz))


class PacedSource:
    """Another source's sound, live: sample n arrives n / rate seconds after the start."""

    live = True
    dropped_samples = 0

    def __init__(self, inner: Source, clock: Clock) -> None:
        self.name = inner.name
        self.rate_hz = inner.rate_hz
        self.channels = inner.channels
        self._inner = inner
        self._clock = clock
        self._start_s = 0.0
        self._given_samples = 0
        self._ahead_TC = np.zeros((0, inner.channels), np.float32)
        self._over = False

    def start(self) -> None:
        self._inner.start()
        self._start_s = self._clock.now_s()
        self._given_samples = 0

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        wanted = due_samples(self._clock.now_s(), self._start_s, self.rate_hz) - self._given_samples
        lag_s = wanted / self.rate_hz
        if lag_s > LONGEST_LAG_S:
            self._start_s += lag_s
            wanted = 0
        while len(self._ahead_TC) < wanted and not self._over:
            came = self._inner.read()
            if came is None:
                self._over = True
            else:
                self._ahead_TC = np.concatenate([self._ahead_TC, came[0]])
        sound_TC, self._ahead_TC = self._ahead_TC[:wanted], self._ahead_TC[wanted:]
        if self._over and wanted and not len(sound_TC):
            return None
        self._given_samples += len(sound_TC)
        return sound_TC, self._start_s + self._given_samples / self.rate_hz

    def wait(self, timeout_s: float) -> None:
        self._clock.sleep(min(BLOCK_S, timeout_s))

    def notices(self) -> list[str]:
        return self._inner.notices()

    def close(self) -> None:
        self._inner.close()
