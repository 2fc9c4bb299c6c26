"""Places spans of decoded sound by their time stamps. Pure: no PyAV.

A step that lasts is a gap, which becomes silence, or an overlap, which is left out. Jitter is not followed. A clock that runs off by
up to 1.5 % is: spans are stretched by a few samples. Each span is judged together with the ones behind it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import takewhile
from statistics import median
from typing import NamedTuple

STEP_S = 0.008
"""Time stamps jitter by less; a smaller step is followed as a clock is."""
WINDOW_SPANS = 8
FOLLOW_S = 0.0007
"""A clock that is further off is followed, until it is off by less than RIGHT_S."""
RIGHT_S = 0.00005
FOLLOWED_SHARE = 0.5
"""Part of the deviation that one span makes up for."""
MOST_STRETCH = 0.015
"""Of a span: time stamps that run off further are wrong, as no clock is."""


class Span(NamedTuple):
    """Consecutive samples; `time_s` is the time of the first one, None where the file does not tell."""

    time_s: float | None
    samples: int
    rate_hz: int


class Placement(NamedTuple):
    """Placement of one span: silence before it, samples left out of its start, samples by which the rest is stretched."""

    silence: int = 0
    left_out: int = 0
    stretch: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing sound: when it starts on the clock of the time stamps, and how long it lasts."""

    time_s: float
    seconds: float


class Timeline:
    """Says of each span where it belongs. Spans are settled in their order, a few spans after they were put in."""

    def __init__(self, stamp_s: float = 0.0) -> None:
        """Take time stamps that are rounded to multiples of `stamp_s`."""
        self._follow_s = FOLLOW_S + stamp_s / 2
        self._waiting: deque[Span] = deque()
        self._end_s: float | None = None
        self._before_s = 0.0
        """Deviation of the span before."""
        self._following = False
        self._ignored_s = 0.0
        """Part of the time stamps' deviation that is not followed."""
        self.gaps: list[Gap] = []
        self.stretched_s = 0.0
        """Seconds added, or left out if negative, to follow the clock."""
        self.followed_s = 0.0
        """Sound that was stretched."""

    @property
    def end_s(self) -> float:
        """End of the settled spans, on the clock of the time stamps."""
        return self._end_s or 0.0

    @property
    def wrong_clock(self) -> bool:
        """Whether time stamps ran off further than a clock does, and were not followed."""
        return self._ignored_s != 0.0

    def put(self, span: Span) -> list[Placement]:
        """Put in the next span; return the placements of the spans that are settled."""
        if self._end_s is None:
            self._end_s = span.time_s or 0.0
        self._waiting.append(span)
        return [self._settle()] if len(self._waiting) >= WINDOW_SPANS else []

    def finish(self) -> list[Placement]:
        """Return the placements of all spans that still wait."""
        return [self._settle() for _ in range(len(self._waiting))]

    def _settle(self) -> Placement:
        placement = self._placement()
        span = self._waiting.popleft()
        samples = placement.silence - placement.left_out + span.samples + placement.stretch
        self._end_s = self.end_s + samples / span.rate_hz
        return placement

    def _placement(self) -> Placement:
        span = self._waiting[0]
        if span.time_s is None:
            return Placement()
        deviations_s = self._deviations_s()
        now_s, lasting_s = deviations_s[0], min(deviations_s, key=abs)
        sudden = abs(now_s - self._before_s) > STEP_S / 2
        lasts = abs(lasting_s) > STEP_S and min(deviations_s) * max(deviations_s) > 0
        self._before_s = now_s
        if lasts and sudden:
            return self._step(span, lasting_s)
        if lasts:
            self._ignored_s += median(deviations_s)
            self._before_s = 0.0
            return Placement()
        # A step further on is none of this span's, and a stray time stamp is no clock.
        until_step_s = takewhile(lambda deviation_s: abs(deviation_s - now_s) <= STEP_S, deviations_s)
        return Placement() if abs(now_s) > STEP_S else self._follow(span, median(until_step_s))

    def _deviations_s(self) -> list[float]:
        """Return by how much each waiting span is later than the end of the span before it."""
        expected_s = self.end_s + self._ignored_s
        found: list[float] = []
        for span in self._waiting:
            if span.time_s is not None:
                found.append(span.time_s - expected_s)
            expected_s += span.samples / span.rate_hz
        return found

    def _step(self, span: Span, step_s: float) -> Placement:
        samples = round(step_s * span.rate_hz)
        self._before_s = 0.0
        if samples > 0:
            self.gaps.append(Gap(self.end_s, step_s))
            return Placement(silence=samples)
        left_out = min(-samples, span.samples)
        if left_out == span.samples:
            # The next span overlaps as suddenly as this one did.
            self._before_s = float("inf")
        return Placement(left_out=left_out)

    def _follow(self, span: Span, deviation_s: float) -> Placement:
        self._following = abs(deviation_s) > (RIGHT_S if self._following else self._follow_s)
        if not self._following:
            return Placement()
        most = int(MOST_STRETCH * span.samples)
        stretch = max(-most, min(most, round(FOLLOWED_SHARE * deviation_s * span.rate_hz)))
        self.stretched_s += stretch / span.rate_hz
        self.followed_s += span.samples / span.rate_hz
        return Placement(stretch=stretch)
