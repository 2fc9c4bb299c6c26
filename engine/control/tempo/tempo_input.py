"""What gives a tempo from outside: Ableton Link, a MIDI clock, OS2L."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class TempoPosition(NamedTuple):
    """Where a clock outside is at one time."""

    at_s: float
    """As WallClock tells the time."""
    beats: float
    bpm: float
    is_bar_known: bool
    """Whether `beats` is a multiple of the beats of a bar where a bar begins."""

    def beats_at(self, time_s: float) -> float:
        """Return where it will be at another time if nothing changes."""
        return self.beats + (time_s - self.at_s) * self.bpm / 60.0


class TempoInput(Protocol):
    """A clock outside. Any thread may ask it."""

    @property
    def name(self) -> str:
        """Its name among the choices of the parameter `tempo_source`."""
        ...

    def position(self, now_s: float) -> TempoPosition | None:
        """Return where it is; None while it is not there or stands still."""
        ...
