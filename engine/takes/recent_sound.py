"""The newest sound of a show, for a take that begins while it plays: its first windows reach back."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

# T samples, C channels

KEPT_S = 12.0
"""The high-pass of cleaning forgets what came before by -110 dB in 4 s, in this time to the last bit of float32."""


_LARGEST_LAG_S = 2.0
"""How far a step may lag behind the sound for a take to begin with it: what is kept before it is shorter by so much."""


class RecentSound:
    """Not to be used from several threads at once."""

    def __init__(self, rate_hz: int) -> None:
        self._kept_samples = round(KEPT_S * rate_hz)
        self._least_samples = round((KEPT_S - _LARGEST_LAG_S) * rate_hz)
        self._blocks: deque[NDArray[np.float32]] = deque()
        self.first_sample = 0
        """The oldest that is kept, counted since the start."""
        self.received_samples = 0

    def add(self, sound_TC: NDArray[np.float32]) -> None:
        """Add the next samples [T, C], and leave out what is too old."""
        self._blocks.append(sound_TC)
        self.received_samples += len(sound_TC)
        while self.received_samples - self.first_sample - len(self._blocks[0]) >= self._kept_samples:
            self.first_sample += len(self._blocks.popleft())

    def leads_into(self, sample: int) -> bool:
        """Return whether enough is kept of what came before `sample`: some seconds, or all of it."""
        return not self.first_sample or sample - self.first_sample >= self._least_samples

    def since(self, sample: int) -> list[NDArray[np.float32]]:
        """Return the blocks from `sample` on, which is not older than `first_sample`."""
        left_out, blocks = sample - self.first_sample, list[NDArray[np.float32]]()
        for block_TC in self._blocks:
            if left_out < len(block_TC):
                blocks.append(block_TC[max(left_out, 0) :])
            left_out -= len(block_TC)
        return blocks


def lead_in_hop(first_hop: int, first_sample: int, hop_samples: int, rate_hz: int, source_rate_hz: int) -> int:
    """Return the hop at which the lead-in of a take begins whose first hop is `first_hop`, where the sound from sample `first_sample` of
    the source on is kept.

    It is the oldest that begins on a sample of the source, so that the resampler has the same phase as in the show, or the oldest.
    """
    oldest = min(-(-first_sample * rate_hz // (source_rate_hz * hop_samples)), first_hop)
    on_a_sample = (hop for hop in range(oldest, first_hop + 1) if not hop * hop_samples * source_rate_hz % rate_hz)
    return next(on_a_sample, oldest)
