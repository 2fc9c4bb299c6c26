"""A source that passes another one on, for those that look at its sound or change it on the way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.source import Source

# T samples, C channels


class PassedSource:
    """Everything as the `inner` source says it; whoever extends this changes what differs."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner
        self.live = inner.live

    @property
    def name(self) -> str:
        # Another source may take over while the show plays.
        return self._inner.name

    @property
    def rate_hz(self) -> int:
        return self._inner.rate_hz

    @property
    def channels(self) -> int:
        return self._inner.channels

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
        return self._inner.read()

    def wait(self, timeout_s: float) -> None:
        self._inner.wait(timeout_s)

    def notices(self) -> list[str]:
        return self._inner.notices()

    def close(self) -> None:
        self._inner.close()
