"""When the timing clocks of a show's beat are due: a function of invented or real times, without a port."""

from __future__ import annotations

from engine.control.remotes.midi.clock import CLOCKS_A_BEAT, CLOCKS_A_SIXTEENTH

FASTEST, SLOWEST = 0.75, 4 / 3
"""How far the distance between two clocks may be from that of the tempo while they catch up with a beat that jumped."""
SHARE_A_REPORT = 0.1
"""How much of a small difference is corrected at each report of the beat: what the beat was measured with trembles."""
JUMPS_FROM_BEATS = 0.05
"""Larger differences are a beat that was tapped or jumped."""


class ClockTicks:
    """Counts timing clocks so that each beat of the show is one clock of 24. For one thread."""

    def __init__(self) -> None:
        self._beats, self._at_s, self._tempo_bpm, self._beats_a_bar = 0.0, 0.0, 0.0, 4
        self._sent = 0
        """Clocks of the show's beats, the next one's number."""
        self._last_s: float | None = None

    def follow(self, at_s: float, beats: float, tempo_bpm: float, beats_a_bar: int = 4) -> None:
        """Take where the show's beat was at a time. A tempo of 0 stops the clocks."""
        if self._tempo_bpm <= 0.0 or tempo_bpm <= 0.0 or abs(self._ahead(at_s, beats)) > JUMPS_FROM_BEATS:
            self._beats = beats
        else:
            self._beats = self._beats_at(at_s) + SHARE_A_REPORT * self._ahead(at_s, beats)
        if self._tempo_bpm <= 0.0:
            self._last_s = None
        self._at_s, self._tempo_bpm, self._beats_a_bar = at_s, tempo_bpm, beats_a_bar
        bar = CLOCKS_A_BEAT * beats_a_bar
        if self._last_s is None:
            self._sent = int(-(-self._beats * CLOCKS_A_BEAT // 1))
        else:
            # Whole bars that were skipped or repeated are not sent again: the nearest clock of the same place in the bar.
            ahead = self._beats * CLOCKS_A_BEAT - self._sent
            self._sent += bar * round(ahead / bar)

    @property
    def is_at_bar(self) -> bool:
        """Whether the next clock is the first of a bar."""
        return self._sent % (CLOCKS_A_BEAT * self._beats_a_bar) == 0

    @property
    def sixteenths(self) -> int:
        """The song position of the next clock, counted from the beginning of the show's beats."""
        return self._sent // CLOCKS_A_SIXTEENTH

    def due_s(self) -> float | None:
        """Return when the next clock is due; None while there is no tempo."""
        if self._tempo_bpm <= 0.0:
            return None
        beat_s = 60.0 / self._tempo_bpm
        due_s = self._at_s + (self._sent / CLOCKS_A_BEAT - self._beats) * beat_s
        if self._last_s is None:
            return due_s
        distance_s = beat_s / CLOCKS_A_BEAT
        return min(max(due_s, self._last_s + FASTEST * distance_s), self._last_s + SLOWEST * distance_s)

    def sent(self, at_s: float) -> None:
        """Count the clock that was due at `at_s`, as `due_s` said: what the machine is late is not carried on."""
        self._sent += 1
        self._last_s = at_s

    def _beats_at(self, at_s: float) -> float:
        return self._beats + (at_s - self._at_s) * self._tempo_bpm / 60.0

    def _ahead(self, at_s: float, beats: float) -> float:
        return beats - self._beats_at(at_s)


class Transport:
    """Starts and stops sequencers at a bar: their start goes just before the bar's first clock."""

    def __init__(self) -> None:
        self._runs = False
        self._is_wanted = False
        self._begins_song = True
        self._stopped_at = 0
        self._started_at = 0

    def want(self, runs: bool) -> list[list[int]]:
        """Let sequencers run from the next bar on, or stop them; return the messages to send now."""
        self._is_wanted = runs
        if runs or not self._runs:
            return []
        self._runs = False
        return [[0xFC]]

    def rewind(self) -> list[list[int]]:
        """Let them begin again with the song, at the next bar if they run; return the messages to send now."""
        self._begins_song = True
        self._stopped_at = 0
        if not self._runs:
            return []
        self._runs = False
        return [[0xFC]]

    def before_clock(self, ticks: ClockTicks) -> list[list[int]]:
        """Return the messages to send before the next clock."""
        here = ticks.sixteenths
        if self._runs:
            self._stopped_at = here - self._started_at
            return []
        if not self._is_wanted or not ticks.is_at_bar:
            return []
        self._runs = True
        if self._begins_song:
            self._begins_song, self._started_at = False, here
            return [[0xFA]]
        # It goes on at the bar in which it stopped.
        position = self._stopped_at - self._stopped_at % 16
        self._started_at = here - position
        return [[0xF2, position & 0x7F, position >> 7 & 0x7F], [0xFB]]
