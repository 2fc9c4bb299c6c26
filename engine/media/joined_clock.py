"""One clock for files whose clock jumps: recordings joined to one file, clocks that wrap. Sound and video keep a common zero.

Packets of both tracks are put in as they lie in the file. A jump is judged when both tracks have come to it, so both get the same
shift, whoever reads them. Pure: no PyAV.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

JUMP_AHEAD_S = 10.0
"""A step ahead up to this is a gap: the clock is right, and something is missing."""
JUMP_BACK_S = 0.5
"""A step back up to this is an overlap."""
LONGEST_GAP_S = 120.0
"""A track that alone steps further ahead has a wrong clock."""
LOOK_AHEAD_S = 3.0
LOOK_AHEAD_PACKETS = 3000
RETURN_PACKETS = 3
"""A wrong time stamp is over after so many packets."""


class Stamp(NamedTuple):
    """Decoding time of one packet of track number `track`; None where the file has none."""

    track: int
    time_s: float | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class Join:
    """A place where the clock jumps: time on the joined clock, and the seconds by which the file's clock jumped there."""

    time_s: float
    jump_s: float


@dataclass(slots=True)
class _Track:
    shift_s: float = 0.0
    end_s: float | None = None
    """End of the packet before, on the joined clock."""

    def step_s(self, time_s: float, shift_s: float) -> float:
        return 0.0 if self.end_s is None else time_s + shift_s - self.end_s


def _jumps(step_s: float) -> bool:
    return step_s > JUMP_AHEAD_S or step_s < -JUMP_BACK_S


class JoinedClock:
    """Says by how many seconds each packet's time stamps must be shifted. The lowest track number leads at a join."""

    def __init__(self, tracks: int) -> None:
        self._tracks = [_Track() for _ in range(tracks)]
        self._waiting: deque[Stamp] = deque()
        self._shift_s = 0.0
        self.joins: list[Join] = []

    def put(self, stamp: Stamp) -> list[float | None]:
        """Put in the next packet; return the shifts [s] of the packets that are settled, in their order.

        None: the packet's time stamp is wrong and must be dropped. Most packets are settled at once.
        """
        self._waiting.append(stamp)
        return self._settled(at_end=False)

    def finish(self) -> list[float | None]:
        """Return the shifts of all packets that still wait."""
        return self._settled(at_end=True)

    def _settled(self, at_end: bool) -> list[float | None]:
        shifts: list[float | None] = []
        while self._waiting:
            stamp = self._waiting[0]
            track = self._tracks[stamp.track]
            if stamp.time_s is not None and _jumps(track.step_s(stamp.time_s, track.shift_s)):
                if not (at_end or self._can_judge(stamp)):
                    break
                if self._returns(stamp):
                    self._pass(stamp, wrong=True)
                    shifts.append(None)
                    continue
                self._judge(stamp)
            self._pass(stamp)
            shifts.append(track.shift_s)
        return shifts

    def _pass(self, stamp: Stamp, wrong: bool = False) -> None:
        """Take the first waiting packet out; the next of its track is expected at its end."""
        self._waiting.popleft()
        track = self._tracks[stamp.track]
        if stamp.time_s is not None and not wrong:
            track.end_s = stamp.time_s + track.shift_s + stamp.duration_s
        elif track.end_s is not None:
            track.end_s += stamp.duration_s

    def _can_judge(self, first: Stamp) -> bool:
        """Tell whether every other track has come to the jump too, or has gone on without one for long enough."""
        own = [stamp for stamp in self._waiting if stamp.track == first.track]
        if len(self._waiting) >= LOOK_AHEAD_PACKETS:
            return True
        if len(own) <= RETURN_PACKETS:
            return False
        others = [number for number in range(len(self._tracks)) if number != first.track]
        waited_s = sum(stamp.duration_s for stamp in own)
        return waited_s >= LOOK_AHEAD_S or all(self._jump_of(number) is not None for number in others)

    def _returns(self, first: Stamp) -> bool:
        """Tell whether the track is soon back where it was expected: then a time stamp was wrong, and the clock did not jump."""
        track = self._tracks[first.track]
        own = [stamp.time_s for stamp in self._waiting if stamp.track == first.track][1 : RETURN_PACKETS + 1]
        return any(time_s is not None and not _jumps(track.step_s(time_s, track.shift_s)) for time_s in own)

    def _jump_of(self, number: int) -> Stamp | None:
        """Return the waiting packet at which a track jumps."""
        track = self._tracks[number]
        for stamp in self._waiting:
            own = stamp.track == number and stamp.time_s is not None
            if own and _jumps(track.step_s(stamp.time_s or 0.0, track.shift_s)):
                return stamp
        return None

    def _judge(self, stamp: Stamp) -> None:
        """Give the track of `stamp`, which jumps, its new shift."""
        track = self._tracks[stamp.track]
        assert stamp.time_s is not None
        step_s = track.step_s(stamp.time_s, track.shift_s)
        if not _jumps(track.step_s(stamp.time_s, self._shift_s)):
            # Another track has come to this jump before.
            track.shift_s = self._shift_s
            return
        jumps = {number: self._jump_of(number) for number in range(len(self._tracks))}
        alone = len(jumps) > 1 and sum(jump is not None for jump in jumps.values()) == 1
        if alone and JUMP_AHEAD_S < step_s <= LONGEST_GAP_S and self._others_go_on(stamp.track):
            return
        leading = next(jump for jump in jumps.values() if jump is not None)
        leader = self._tracks[leading.track]
        assert leading.time_s is not None
        assert leader.end_s is not None
        end_s = leader.end_s + sum(
            before.duration_s for before in _before(self._waiting, leading) if before.track == leading.track
        )
        track.shift_s = end_s - leading.time_s
        if not alone:
            self._shift_s = track.shift_s
        self.joins.append(Join(end_s, step_s))

    def _others_go_on(self, number: int) -> bool:
        return any(stamp.track != number for stamp in self._waiting)


def _before(waiting: deque[Stamp], last: Stamp) -> list[Stamp]:
    """Return the packets before `last`."""
    found: list[Stamp] = []
    for stamp in waiting:
        if stamp is last:
            break
        found.append(stamp)
    return found
