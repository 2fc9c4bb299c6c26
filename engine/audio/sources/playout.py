"""Decides when sound is played that other programs and machines send. It comes in bursts: a radio sends seconds at once, a camera
a tenth of a second. Played as it arrives, it would be one frame for all of a burst.

So sound is played at the pace of the clock. Where a burst is late, playing waits, and from then on all sound has that much more
time. A longer wait is a stall, and silence replaces the sound. A live feed whose sound always lies ready loses what lies there
without need: the frames would stay behind it for ever. A program that sends faster than sound is played, or a sentence at a time,
loses nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.audio.sources.paced import LONGEST_LAG_S
from engine.audio.sources.watchdog import BEGINS_WITHIN_S, STALL_S

WATCHED_S, WATCHED_AT_FIRST_S = 5.0, 1.0
"""What lay ready for so long was not needed. A feed that begins often brings what was sent before."""
SPARE_S = 0.25
"""So much may lie ready, unless a feed says otherwise; more is skipped, down to RESERVE of it."""
RESERVE = 0.4
LONGEST_GAP_S = 0.45
"""A sender that pauses for longer is no live feed: it sends what is to be played whole."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do now, in samples and in this order."""

    skipped: int
    """To throw away."""
    played: int
    silent: int
    """Silence to insert."""


class Playout:
    """The pace of one source. All times come from the caller."""

    def __init__(self, rate_hz: int, started_s: float, *, skips: bool, spare_s: float = SPARE_S) -> None:
        """`skips`: sound that lies ready without need is thrown away, where it is more than `spare_s`."""
        self._rate_hz = rate_hz
        self._skips = skips
        self._spare_s = spare_s
        self._ready_samples = 0
        self._due_s = started_s
        self._last_sound_s = started_s
        self._has_begun = False
        self._stalled = False
        self._least_ready = math.inf
        self._watched_until_s = started_s + WATCHED_AT_FIRST_S
        self._sender_waited = False
        self._last_arrival_s = started_s
        self._longest_gap_s = 0.0

    @property
    def due_s(self) -> float:
        """The moment of the last sample that was played or replaced by silence."""
        return self._due_s

    @property
    def ready_s(self) -> float:
        """Length of the sound that has come and was not played yet."""
        return self._ready_samples / self._rate_hz

    @property
    def stalled(self) -> bool:
        """Whether silence replaces the sound."""
        return self._stalled

    def add(self, samples: int, now_s: float) -> None:
        """Note that sound has come."""
        self._ready_samples += samples
        self._longest_gap_s = max(self._longest_gap_s, now_s - self._last_arrival_s)
        self._last_arrival_s = now_s

    def note_wait(self) -> None:
        """Note that the sender was made to wait: it sends faster than sound is played. From any thread."""
        self._sender_waited = True

    def play(self, now_s: float, has_ended: bool = False) -> Turn:
        """Return what to do at `now_s`; `has_ended` tells that nothing more will come."""
        if now_s - self._due_s > LONGEST_LAG_S:
            # The machine slept: go on where it stopped.
            self._last_sound_s += now_s - self._due_s
            self._due_s = now_s
        skipped = self._unneeded(now_s) if self._skips and not has_ended else 0
        self._ready_samples -= skipped
        wanted = max(0, int((now_s - self._due_s) * self._rate_hz))
        played = min(wanted, self._ready_samples)
        self._ready_samples -= played
        self._due_s += played / self._rate_hz
        self._least_ready = min(self._least_ready, self._ready_samples)
        if played:
            if not self._has_begun or self._stalled:
                self._watch(now_s, WATCHED_AT_FIRST_S)
            self._last_sound_s, self._has_begun, self._stalled = now_s, True, False
        missing = wanted - played
        silent = 0 if has_ended else self._silence(missing, now_s)
        return Turn(skipped, played, silent)

    def _silence(self, missing: int, now_s: float) -> int:
        """Return the silence for `missing` samples: none while it is worth waiting for them."""
        if not missing:
            return 0
        if now_s - self._last_sound_s > (STALL_S if self._has_begun else BEGINS_WITHIN_S):
            self._stalled = True
        if self._has_begun and not self._stalled:
            self._due_s = now_s
            return 0
        self._due_s += missing / self._rate_hz
        return missing

    def _unneeded(self, now_s: float) -> int:
        """Return how many of the samples that lie ready were not needed for WATCHED_S; mostly none."""
        if now_s < self._watched_until_s:
            return 0
        least_s = self._least_ready / self._rate_hz
        pauses = max(self._longest_gap_s, now_s - self._last_arrival_s) > LONGEST_GAP_S
        is_feed = not self._sender_waited and not pauses
        needless = is_feed and math.isfinite(least_s) and least_s > self._spare_s
        self._watch(now_s, WATCHED_S)
        return int((least_s - RESERVE * self._spare_s) * self._rate_hz) if needless else 0

    def _watch(self, now_s: float, seconds: float) -> None:
        """Begin to watch how much lies ready."""
        self._least_ready, self._watched_until_s = math.inf, now_s + seconds
        self._sender_waited, self._longest_gap_s = False, 0.0
