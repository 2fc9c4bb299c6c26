"""Steers the clock of a Link session to the show's beat: its tempo is bent for small errors, and it jumps for large ones that last."""

from __future__ import annotations

from typing import Protocol

from engine.audio.features.audio_features import AudioFeatures
from engine.audio.features.beat_clock import BEATS_A_BAR
from engine.control.tempo.tempo_input import TempoPosition

SLOWEST_BPM, FASTEST_BPM = 20.0, 999.0
"""What Link takes."""
LEAST_CERTAINTY = 0.5
"""Of a beat heard in the sound that others may follow."""
STEERED_EVERY_S = 0.25
NEAR_S = 0.001
"""A smaller error is left as it is."""
FAR_S = 0.05
MOST_FAR = 4
"""Times in a row that the error must be larger than FAR_S before the session jumps."""
BENT_S = 1.0
"""An error is corrected in about this time."""
SAME_BPM = 0.01


class LinkClock(Protocol):
    """What aalink.Link offers for it."""

    tempo: float

    def force_beat(self, beat: float, /) -> None: ...


class LinkSteering:
    """Steers one session."""

    def __init__(self) -> None:
        self._begun_s = -STEERED_EVERY_S
        self._off_beats: list[float] = []
        self._far = 0

    def attend(self, link: LinkClock, session: TempoPosition, show: AudioFeatures) -> None:
        """Compare the session with the show's beat at the same time, and correct it now and then."""
        is_sure = show.certainty >= LEAST_CERTAINTY and SLOWEST_BPM <= show.tempo_bpm <= FASTEST_BPM
        if not is_sure:
            self._off_beats.clear()
            return
        self._off_beats.append((show.beats - session.beats + 0.5 * BEATS_A_BAR) % BEATS_A_BAR - 0.5 * BEATS_A_BAR)
        if session.at_s - self._begun_s < STEERED_EVERY_S:
            return
        off_s = sum(self._off_beats) / len(self._off_beats) * 60.0 / show.tempo_bpm
        self._begun_s = session.at_s
        self._off_beats.clear()
        if abs(off_s) > FAR_S:
            self._far += 1
            self._set_tempo(link, show.tempo_bpm, session.bpm)
            if self._far >= MOST_FAR:
                self._far = 0
                link.force_beat(show.beats)
            return
        self._far = 0
        bent = off_s / BENT_S if abs(off_s) > NEAR_S else 0.0
        self._set_tempo(link, show.tempo_bpm * (1.0 + bent), session.bpm)

    @staticmethod
    def _set_tempo(link: LinkClock, bpm: float, now_bpm: float) -> None:
        if abs(bpm - now_bpm) > SAME_BPM:
            link.tempo = min(max(bpm, SLOWEST_BPM), FASTEST_BPM)
