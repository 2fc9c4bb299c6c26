"""The block size asked of the driver: small, and larger after overflows."""

from __future__ import annotations

from collections import deque

BLOCK_SIZES = (128, 256, 512, 1024)
"""In samples. 128 are 2.7 ms at 48 kHz; half of that would save 0.6 ms and double the callbacks."""
OVERFLOWS, WITHIN_S = 3, 5.0
"""So many overflows within this time make the blocks grow."""
SETTLE_S = 1.0
"""Overflows in the first moments of a stream do not count: they happen at every size."""


class BlockSize:
    """The block size of one device. All times come from the caller."""

    def __init__(self, opened_s: float) -> None:
        self._step = 0
        self._opened_s = opened_s
        self._overflows_s: deque[float] = deque(maxlen=OVERFLOWS)

    @property
    def samples(self) -> int:
        return BLOCK_SIZES[self._step]

    def note_opened(self, now_s: float) -> None:
        """Note that a stream was opened with `samples`."""
        self._opened_s = now_s
        self._overflows_s.clear()

    def note_overflow(self, now_s: float) -> bool:
        """Note an overflow; return True when `samples` has grown and the stream must be reopened."""
        if now_s - self._opened_s < SETTLE_S or self._step == len(BLOCK_SIZES) - 1:
            return False
        self._overflows_s.append(now_s)
        if len(self._overflows_s) < OVERFLOWS or now_s - self._overflows_s[0] > WITHIN_S:
            return False
        self._step += 1
        self._overflows_s.clear()
        return True
