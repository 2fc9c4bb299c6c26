"""Lock-free ring buffer between the audio callback and the capture thread.

One thread writes, one reads. Only the writer changes `_written` and only the reader `_taken`, each after the samples are in place;
the interpreter lock makes both assignments atomic. Writing allocates nothing: a full ring drops the block and counts it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# T samples, C channels


class Block(NamedTuple):
    """The samples of one callback."""

    sound_TC: NDArray[np.float32]
    arrived_s: float
    """Clock time of the callback."""
    captured_s: float
    """Clock time at which the last sample was captured."""


class Ring:
    """Holds up to `capacity_samples` of sound in `channels` channels, in at most `capacity_blocks` blocks."""

    def __init__(self, capacity_samples: int, channels: int, capacity_blocks: int = 4096) -> None:
        self._sound_TC = np.zeros((capacity_samples, channels), np.float32)
        self._ends = [0] * capacity_blocks
        self._arrived_s = [0.0] * capacity_blocks
        self._captured_s = [0.0] * capacity_blocks
        # Samples and blocks since the start; positions in the arrays are these modulo the capacity.
        self._written = 0
        self._taken = 0
        self._blocks_written = 0
        self._blocks_taken = 0
        self._dropped_samples = 0

    @property
    def channels(self) -> int:
        return self._sound_TC.shape[1]

    @property
    def dropped_samples(self) -> int:
        """Samples dropped since the start because the ring was full."""
        return self._dropped_samples

    @property
    def waiting_blocks(self) -> int:
        """Blocks written and not yet read."""
        return self._blocks_written - self._blocks_taken

    def write(self, sound_TC: NDArray[np.float32], arrived_s: float, captured_s: float) -> bool:
        """Copy one block in; return False and count its samples as dropped when the ring is full. For the writing thread."""
        samples, capacity = len(sound_TC), len(self._sound_TC)
        full = self._blocks_written - self._blocks_taken >= len(self._ends)
        if full or self._written - self._taken + samples > capacity:
            self._dropped_samples += samples
            return False
        start = self._written % capacity
        first = min(samples, capacity - start)
        self._sound_TC[start : start + first] = sound_TC[:first]
        self._sound_TC[: samples - first] = sound_TC[first:]
        slot = self._blocks_written % len(self._ends)
        self._ends[slot] = self._written + samples
        self._arrived_s[slot] = arrived_s
        self._captured_s[slot] = captured_s
        self._written += samples
        self._blocks_written += 1
        return True

    def read(self) -> list[Block]:
        """Remove and return all blocks, as copies. For the reading thread."""
        blocks: list[Block] = []
        for count in range(self._blocks_taken, self._blocks_written):
            slot = count % len(self._ends)
            sound_TC = self._copy(self._taken, self._ends[slot])
            blocks.append(Block(sound_TC, self._arrived_s[slot], self._captured_s[slot]))
            self._taken = self._ends[slot]
            self._blocks_taken = count + 1
        return blocks

    def _copy(self, begin: int, end: int) -> NDArray[np.float32]:
        capacity = len(self._sound_TC)
        start, samples = begin % capacity, end - begin
        first = min(samples, capacity - start)
        return np.concatenate([self._sound_TC[start : start + first], self._sound_TC[: samples - first]])
