"""What is heard of a show's rhythm at one moment: how loud it is, the newest hit, and where in the bar it stands."""

from __future__ import annotations

from dataclasses import dataclass

NEVER_S = 1e9
"""Age of a hit where there was none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pulse:
    """A moment of the sound, `end_sample` samples after its beginning, at the model's rate."""

    end_sample: int = 0
    level: float = 0.0
    """Loudness of the newest milliseconds: 0 silence, 1 as loud as the loudest of the last seconds."""
    low: float = 0.0
    """The same of the bass, the middle and the treble alone."""
    mid: float = 0.0
    high: float = 0.0
    hits: int = 0
    """Onsets since the beginning."""
    hit_strength: float = 0.0
    """How strong the newest onset was, 0 to 1."""
    hit_age_s: float = NEVER_S
    beats: float = 0.0
    """Beats since the beginning; its fraction is the place between two beats."""
    beats_a_bar: int = 4
    tempo_bpm: float = 0.0
    """0 while no tempo is known."""
    certainty: float = 0.0
    """How sure the tempo is, 0 to 1; a tapped or given tempo is sure."""

    @property
    def beat_phase(self) -> float:
        """Place between two beats, from 0 up to 1."""
        return self.beats % 1.0

    @property
    def bar_phase(self) -> float:
        """Place in the bar, from 0 up to 1."""
        return self.beats / self.beats_a_bar % 1.0


SILENCE = Pulse()
