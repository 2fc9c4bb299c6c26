"""The feature analyser: levels, onsets and beats of a live sound, every 4 ms.

The features of a moment depend on the sound up to it and on the taps and tempos before it: not on the block size, and not on how late
a tap arrives. The sound is analysed once, by the thread that feeds it. Every recent state of the beat clock is retained, so the
clock can be rewound to the sample of a late tap.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import NEVER_S, SILENCE, AudioFeatures
from engine.audio.features.bands import HIGH_HZ, MID_HZ
from engine.audio.features.beat_clock import (
    BEATS_A_BAR,
    BeatPoint,
    ClockState,
    Command,
    advance,
    apply_command,
    apply_measurement,
)
from engine.audio.features.level import LevelMeter
from engine.audio.features.onsets import OnsetDetector
from engine.audio.features.spectra import Spectra
from engine.audio.features.tempo import (
    TICK_S,
    AccentHistory,
    BeatPosition,
    Tempo,
    TempoTracker,
    find_beat_position,
)
from engine.core.errors import ConfigError

# T samples, N frames, B bands, H frames of history

RETAINED_S = 8.0
FASTEST_BPM = 1000.0
BLOCK_FRAMES = 64


class _Analysis(NamedTuple):
    """The analysis of one frame, without the beat."""

    level: float
    low: float
    mid: float
    high: float
    onsets: int
    onset_strength: float
    onset_age_s: float
    tempo: Tempo | None
    rms: tuple[float, float, float]


class _FrameState(NamedTuple):
    """One frame: its analysis, and what the clock made of it."""

    analysis: _Analysis
    clock: ClockState
    audio_features: AudioFeatures


class FeatureAnalyser:
    """Level, onsets and beat of mono sound at any rate from 8 to 48 kHz."""

    def __init__(self, rate_hz: int, follows_beat: bool = True) -> None:
        """Without `follows_beat` there are taps and given tempos, and none that comes from the sound."""
        self._rate_hz = rate_hz
        self._follows_beat = follows_beat
        self._spectra = Spectra(rate_hz)
        frame_s = self._spectra.frame_s
        self._frame_s = frame_s
        centre_hz_B = self._spectra.centre_hz_B
        self._thirds = np.searchsorted(centre_hz_B, [0.0, MID_HZ, HIGH_HZ])
        self._levels = [LevelMeter(frame_s) for _ in range(4)]
        self._detector = OnsetDetector(frame_s, len(centre_hz_B))
        self._accents = AccentHistory(frame_s, RETAINED_S)
        self._tempo = TempoTracker(frame_s)
        self._tick_frames = round(TICK_S / frame_s)
        self._onsets, self._onset_frame = 0, -1
        self._frames = 0
        self._states: deque[_FrameState] = deque(maxlen=round(RETAINED_S / frame_s))
        self._oldest_clock = ClockState()
        """The clock before the oldest retained frame."""
        self._commands: dict[int, list[Command]] = {}
        """Commands by frame."""
        self._latest = SILENCE
        self._lock = threading.Lock()

    @property
    def frame_samples(self) -> int:
        """Samples from one analysis to the next."""
        return self._spectra.hop_samples

    def feed(self, mono_T: NDArray[np.float32]) -> None:
        """Analyse the next samples, any number of them. Samples that are not finite become silence."""
        block_samples = BLOCK_FRAMES * self._spectra.hop_samples
        for begin in range(0, len(mono_T), block_samples):
            self._feed_block(mono_T[begin : begin + block_samples])

    def latest(self) -> AudioFeatures:
        """Return the latest features; from any thread, without waiting."""
        return self._latest

    def at_sample(self, sample: int) -> AudioFeatures:
        """Return the features of the newest frame that ends by `sample`, or of the oldest retained one (8 s)."""
        with self._lock:
            frame = min(sample // self._spectra.hop_samples, self._frames) - 1
            if frame < 0:
                return SILENCE
            return self._states[max(0, frame - (self._frames - len(self._states)))].audio_features

    def tap(self, *samples: int) -> None:
        """Tap a beat at each of `samples`; the features of all later frames change.

        Two or more taps set tempo and beat position, and the sound is not followed until `set_tempo(0)`.
        """
        # A second tap at the same sample is a bounce.
        self._apply([Command(sample, "tap") for sample in sorted(set(samples))])

    def follow(self, points: Sequence[BeatPoint]) -> None:
        """Follow another clock, which says where it is at some samples; taps and given tempos have no effect until it is lost."""
        self._apply([Command(p.sample, "follow", p.bpm, p.beats, p.is_bar_known) for p in points])

    def set_tempo(self, bpm: float, sample: int | None = None) -> None:
        """Set the tempo from `sample` (default: now) on, with beats aligned to the sound; 0 follows the sound's tempo.

        Raises ConfigError for an impossible tempo.
        """
        if not 0.0 <= bpm <= FASTEST_BPM:
            raise ConfigError(
                f"A tempo is 0 (follow the sound) or up to {FASTEST_BPM:.0f} beats a minute, not {bpm!r}."
            )
        self._apply([Command(self._latest.end_sample if sample is None else sample, "tempo", bpm)])

    def _feed_block(self, mono_T: NDArray[np.float32]) -> None:
        rms_N, power_NB = self._spectra.feed(mono_T)
        onsets = self._detector.feed(power_NB)
        if not onsets:
            return
        thirds = np.sqrt(np.add.reduceat(power_NB, self._thirds, axis=1)).tolist()
        for rms, third, onset in zip(rms_N.tolist(), thirds, onsets, strict=True):
            powers = (rms, *third)
            level, low, mid, high = (meter.feed(value) for meter, value in zip(self._levels, powers, strict=True))
            if onset.is_new:
                self._onsets, self._onset_frame = self._onsets + 1, self._frames
            age_s = (self._frames - self._onset_frame) * self._frame_s if self._onsets else NEVER_S
            strength = onset.strength if self._onsets else 0.0
            with self._lock:
                self._accents.append(onset.accent)
                tempo = self._tempo.feed(self._accents.smooth(self._frames)) if self._is_tick(self._frames) else None
                self._add(_Analysis(level, low, mid, high, self._onsets, strength, age_s, tempo, self._rms()))

    def _rms(self) -> tuple[float, float, float]:
        _, low, mid, high = self._levels
        return low.rms, mid.rms, high.rms

    def _add(self, analysis: _Analysis) -> None:
        """Append one frame."""
        before = self._states[-1].clock if self._states else self._oldest_clock
        if len(self._states) == self._states.maxlen:
            self._oldest_clock = self._states[0].clock
            self._commands.pop(self._frames - len(self._states), None)
        self._states.append(self._next_state(self._frames, before, analysis))
        self._frames += 1
        self._publish(self._states[-1].audio_features)

    def _apply(self, commands: Sequence[Command]) -> None:
        """Apply commands in their order and run the clock again, once, through the frames after the first of them."""
        with self._lock:
            oldest = self._frames - len(self._states)
            frames = [max(command.sample // self._spectra.hop_samples, oldest) for command in commands]
            for frame, command in zip(frames, commands, strict=True):
                known = self._commands.get(frame, ())
                self._commands[frame] = sorted([*known, command], key=lambda each: each.sample)
            first = min(frames, default=self._frames)
            rewound = [self._states.pop() for _ in range(self._frames - first)]
            clock = self._states[-1].clock if self._states else self._oldest_clock
            for frame, state in enumerate(reversed(rewound), first):
                self._states.append(self._next_state(frame, clock, state.analysis))
                clock = self._states[-1].clock
            if rewound:
                self._publish(self._states[-1].audio_features)

    def _publish(self, audio_features: AudioFeatures) -> None:
        """Make features the latest; if beats that were published before a late tap are ahead, the clock waits instead of going back."""
        published = self._latest.beats
        self._latest = audio_features if audio_features.beats >= published else replace(audio_features, beats=published)

    def _next_state(self, frame: int, clock: ClockState, analysis: _Analysis) -> _FrameState:
        for command in self._commands.get(frame, ()):
            clock = apply_command(clock, command, frame * self._frame_s, self._rate_hz)
        clock = advance(clock, self._frame_s)
        if self._is_tick(frame):

            def find(period_s: float, assumed_age_s: float) -> BeatPosition:
                accents = self._accents
                smooth_H = accents.smooth(frame)
                return find_beat_position(smooth_H, self._frame_s, period_s, accents.delay_s, assumed_age_s)

            clock = apply_measurement(clock, analysis.tempo, find)
        audio_features = AudioFeatures(
            end_sample=(frame + 1) * self._spectra.hop_samples,
            level=analysis.level,
            low=analysis.low,
            mid=analysis.mid,
            high=analysis.high,
            onsets=analysis.onsets,
            onset_strength=analysis.onset_strength,
            onset_age_s=analysis.onset_age_s,
            beats=clock.beats,
            beats_a_bar=BEATS_A_BAR,
            tempo_bpm=60.0 / clock.period_s if clock.period_s else 0.0,
            certainty=clock.certainty,
            low_rms=analysis.rms[0],
            mid_rms=analysis.rms[1],
            high_rms=analysis.rms[2],
        )
        return _FrameState(analysis, clock, audio_features)

    def _is_tick(self, frame: int) -> bool:
        return self._follows_beat and (frame + 1) % self._tick_frames == 0
