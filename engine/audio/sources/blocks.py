"""A source that is read as fast as its blocks come: a rendering of what is piped in or sent by a server."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

# T samples, C channels


class BlockSource:
    """Gives the blocks of a generator, once."""

    live = False
    stalled = False
    dropped_samples = 0
    block_s = buffer_s = 0.0

    def __init__(
        self,
        name: str,
        rate_hz: int,
        channels: int,
        blocks: Generator[NDArray[np.float32]],
        *,
        told: Callable[[], list[str]] = list,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """`told` returns what there is to tell after the end."""
        self.name = name
        self.rate_hz = rate_hz
        self.channels = channels
        self._blocks = blocks
        self._told = told
        self._close = close
        self._notices: list[str] = []

    def start(self) -> None:
        """Nothing to start: the sender sends."""

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block_TC = next(self._blocks, None)
        if block_TC is None:
            self._notices, self._told = self._told(), list
            return None
        return block_TC, None

    def wait(self, timeout_s: float) -> None:
        """Reading waits by itself."""

    def notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    def close(self) -> None:
        self._blocks.close()
        self._close()
