"""When a gain of the input trim is heard: a rule of hops alone, so that a take replays it to the bit.

    hop h is trimmed by the values of the newest hop that was stepped among 0 .. h - TRIM_HOPS

The values of hop k are known when it is stepped, shortly after its last sample. By then the next hop is being received and analysed, so
they hold from the hop after that. The first hops, and what was heard before them, have the values that the first step found, as they
were set.
"""

from __future__ import annotations

from collections import deque

from engine.audio.band_trim import BandGains, BandTrim
from engine.audio.window_buffer import WindowBuffer

# T audio samples

TRIM_HOPS = 2
"""Hops from the one with whose snapshot a gain came to the first that it holds for."""
_FIRST = -TRIM_HOPS


class TrimmedSound:
    """Trims the sound in the window buffer as far as its gains are decided. Not to be used from several threads at once."""

    def __init__(self, window_buffer: WindowBuffer) -> None:
        self._window_buffer = window_buffer
        self._hop_samples = window_buffer.hop_samples
        self._trim = BandTrim(window_buffer.rate_hz, window_buffer.hop_samples)
        self._given: deque[tuple[int, BandGains]] = deque()
        """Gains with the hop that gave them, the oldest that still counts first."""
        self._picked: int | None = None
        self._end = -window_buffer.lead_in_samples
        """Samples trimmed so far; what was heard before the start has its gains, too."""

    @property
    def end(self) -> int:
        """Samples trimmed so far."""
        return self._end

    def pick(self, index: int) -> None:
        """Note that hop `index` is stepped from now on: what lies TRIM_HOPS after it waits for its gains."""
        self._picked = index

    def begin(self, gains: BandGains) -> None:
        """Take the gains of the first hop that is stepped as they were set; later calls change nothing."""
        if not self._given:
            self._given.append((_FIRST, gains))

    def give(self, gains: BandGains) -> None:
        """Take the gains of the hop that was picked."""
        if self._picked is not None and gains != self._given[-1][1]:
            self._given.append((self._picked, gains))
        self._picked = None

    def advance(self, until: int) -> int:
        """Trim up to sample `until` as far as gains are decided, and return where that ends.

        A hop that is complete, has a successor that is complete and was not picked is never stepped live. Offline, the caller asks
        for no more than the hop that is stepped.
        """
        if not self._given:
            return self._end
        if self._picked is not None:
            until = min(until, (self._picked + TRIM_HOPS) * self._hop_samples)
        while self._end < until:
            hop, begun_samples = divmod(self._end, self._hop_samples)
            if not begun_samples:
                self._trim.begin_hop(self._gains_of(hop))
            end = min(until, (hop + 1) * self._hop_samples)
            self._window_buffer.change(self._end, end, self._trim.feed)
            self._end = end
        return self._end

    def _gains_of(self, hop: int) -> BandGains:
        while len(self._given) > 1 and self._given[1][0] <= hop - TRIM_HOPS:
            self._given.popleft()
        return self._given[0][1]
