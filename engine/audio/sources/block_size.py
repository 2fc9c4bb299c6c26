"""How much sound the driver is asked for at a time: little, and more once it turns out to be too little."""

from __future__ import annotations

from collections import deque

BLOCK_SIZES = (128, 256, 512, 1024)
"""Samples. 128 of them are 2.7 ms at 48 kHz; half of that brings 0.6 ms more and twice the callbacks."""
OVERFLOWS, WITHIN_S = 3, 5.0
"""So many overflows within this time are no accident."""
SETTLE_S = 1.0
"""While a stream begins, the system may lose sound whatever the size."""


class BlockSize:
    """The size for one device. All times come from the caller."""

    def __init__(self, opened_s: float) -> None:
        self._step = 0
        self._opened_s = opened_s
        self._overflows_s: deque[float] = deque(maxlen=OVERFLOWS)

    @property
    def samples(self) -> int:
        return BLOCK_SIZES[self._step]

    def opened(self, now_s: float) -> None:
        """A stream was opened with `samples`."""
        self._opened_s = now_s
        self._overflows_s.clear()

    def overflowed(self, now_s: float) -> bool:
        """Note that the system lost sound; True when `samples` has grown, and the stream is to be opened anew."""
        if now_s - self._opened_s < SETTLE_S or self._step == len(BLOCK_SIZES) - 1:
            return False
        self._overflows_s.append(now_s)
        if len(self._overflows_s) < OVERFLOWS or now_s - self._overflows_s[0] > WITHIN_S:
            return False
        self._step += 1
        self._overflows_s.clear()
        return True
