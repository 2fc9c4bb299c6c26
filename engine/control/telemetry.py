"""What a show tells of itself many times a second: one definition for OSC, OSCQuery and the web page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Telemetry:
    """A show at one moment. Every remote that reports calls the same function for it and names no figure of its own."""

    level: float = 0.0
    """Level of the sound, 0 to 1, and that of the bass, the mid range and the treble."""
    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0
    low_rms: float = 0.0
    """RMS of the bass, the mid range and the treble re full scale, for meters."""
    mid_rms: float = 0.0
    high_rms: float = 0.0
    onsets: int = 0
    """Onsets since the beginning."""
    onset_strength: float = 0.0
    beats: float = 0.0
    """Beats since the start; the fraction is the beat phase."""
    beats_a_bar: int = 4
    tempo_bpm: float = 0.0
    """0 while no tempo is known."""
    certainty: float = 0.0
    followed_clock: str = ""
    """The clock outside that the beat follows: link, midi or os2l; empty where it is the show's own."""
    link_peers: int = 0
    """Other peers in the session of Ableton Link."""
    fps: float = 0.0
    """Frames made in the last second."""
    frame_age_ms: float = 0.0
    """Median age of the frames of the last second when they were shown, or where there is no window, made."""
    sync: float | None = None
    """How well onsets and the motion of the model's frames have gone together in the last seconds, 0 to 1; None while undefined."""
    sync_floor: float | None = None
    """The same with the onsets moved."""
    sync_undefined: str = ""
    """Why it is undefined; empty when it is not."""
    skipped_hops: int = 0
    failed_steps: int = 0
    softened_flashes: int = 0
    recording: bool = False
    recording_take: bool = False
    scene: int = 0
    """The scene that was recalled or saved last; 0 before the first."""
    scene_name: str = ""
    model: str = ""
    source: str = ""
    problem: str = ""
    """Why the show is not alive; empty when it is."""
    inputs: Mapping[str, float] = field(default_factory=dict[str, float])
    """The level of each named input."""

    @property
    def beat_phase(self) -> float:
        """Position between two beats, from 0 up to 1."""
        return self.beats % 1.0

    @property
    def bar(self) -> int:
        """Bars since the start, counted from 1."""
        return int(self.beats // self.beats_a_bar) + 1

    @property
    def beat(self) -> int:
        """The beat of the bar, counted from 1."""
        return int(self.beats % self.beats_a_bar) + 1
