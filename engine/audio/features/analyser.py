"""Hears a show's rhythm as the sound comes in: levels, onsets and beats, every 4 ms.

What is told of a moment depends on the sound up to it and on the taps and tempos given for moments before it: not on blocks, and not
on how late a tap arrives. The sound is looked at once, by the thread that brings it; of the cheap clock of beats every recent state
is kept, and it is taken back to the moment of a late tap.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import NEVER_S, SILENCE, AudioFeatures
from engine.audio.features.beat_clock import BEATS_A_BAR, ClockState, Command, gone_on, measured, obeyed
from engine.audio.features.level import LevelMeter
from engine.audio.features.onsets import OnsetDetector
from engine.audio.features.spectra import Spectra
from engine.audio.features.tempo import TICK_S, AccentHistory, Place, Tempo, TempoFollower, beat_place
from engine.core.errors import ConfigError

# T samples, N frames, B bands

KEPT_S = 8.0
FASTEST_BPM = 1000.0
BLOCK_FRAMES = 64
MID_HZ, HIGH_HZ = 200.0, 2000.0
"""Where the bass ends and the treble begins."""


class _Heard(NamedTuple):
    """One frame, without the beat."""

    level: float
    low: float
    mid: float
    high: float
    onsets: int
    strength: float
    onset_age_s: float
    tempo: Tempo | None


class _Moment(NamedTuple):
    heard: _Heard
    clock: ClockState
    audio_features: AudioFeatures


class FeatureAnalyser:
    """Level, hits and beat of mono sound at any rate from 8 to 48 kHz."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._spectra = Spectra(rate_hz)
        frame_s = self._spectra.frame_s
        self._frame_s = frame_s
        centre_hz_B = self._spectra.centre_hz_B
        self._thirds = np.searchsorted(centre_hz_B, [0.0, MID_HZ, HIGH_HZ])
        self._loudness = [LevelMeter(frame_s) for _ in range(4)]
        self._onsets = OnsetDetector(frame_s, len(centre_hz_B))
        self._accents = AccentHistory(frame_s, KEPT_S)
        self._follower = TempoFollower(frame_s)
        self._tick_frames = round(TICK_S / frame_s)
        self._onset_count, self._onset_frame = 0, -1
        self._frames = 0
        self._moments: deque[_Moment] = deque(maxlen=round(KEPT_S / frame_s))
        self._oldest_clock = ClockState()
        """Before the oldest kept moment."""
        self._commands: dict[int, list[Command]] = {}
        """By frame."""
        self._newest = SILENCE
        self._lock = threading.Lock()

    def hear(self, mono_T: NDArray[np.float32]) -> None:
        """Take the next sound, any number of samples. Samples that are not finite are silence."""
        block_samples = BLOCK_FRAMES * self._spectra.hop_samples
        for begin in range(0, len(mono_T), block_samples):
            self._hear_block(mono_T[begin : begin + block_samples])

    def newest(self) -> AudioFeatures:
        """Return the newest moment; from any thread, without waiting."""
        return self._newest

    def at(self, sample: int) -> AudioFeatures:
        """Return the newest moment that had ended by `sample`, or the oldest that is kept (of the last 8 s)."""
        with self._lock:
            frame = min(sample // self._spectra.hop_samples, self._frames) - 1
            if frame < 0:
                return SILENCE
            return self._moments[max(0, frame - (self._frames - len(self._moments)))].audio_features

    def tap(self, sample: int) -> None:
        """Hear that a beat is at `sample`; what is told of later moments changes, also if they were told already.

        From two taps on they set tempo and place and the sound is no longer followed, until `set_tempo(0)`.
        """
        self._obey(Command(sample, "tap"))

    def set_tempo(self, bpm: float, sample: int | None = None) -> None:
        """Go at `bpm` from `sample` (default: now) on, the beats still placed by the sound; 0 follows the sound's tempo.

        Raises ConfigError for what is no tempo.
        """
        if not 0.0 <= bpm <= FASTEST_BPM:
            raise ConfigError(
                f"A tempo is 0 (follow the sound) or up to {FASTEST_BPM:.0f} beats a minute, not {bpm!r}."
            )
        self._obey(Command(self._newest.end_sample if sample is None else sample, "tempo", bpm))

    def _hear_block(self, mono_T: NDArray[np.float32]) -> None:
        rms_N, power_NB = self._spectra.feed(mono_T)
        onsets = self._onsets.feed(power_NB)
        if not onsets:
            return
        thirds = np.sqrt(np.add.reduceat(power_NB, self._thirds, axis=1)).tolist()
        for rms, third, onset in zip(rms_N.tolist(), thirds, onsets, strict=True):
            loud = (rms, *third)
            level, low, mid, high = (loudness.feed(value) for loudness, value in zip(self._loudness, loud, strict=True))
            if onset.is_new:
                self._onset_count, self._onset_frame = self._onset_count + 1, self._frames
            age_s = (self._frames - self._onset_frame) * self._frame_s if self._onset_count else NEVER_S
            strength = onset.strength if self._onset_count else 0.0
            with self._lock:
                self._accents.append(onset.accent)
                tempo = self._follower.feed(self._accents.smooth(self._frames)) if self._is_tick(self._frames) else None
                self._add(_Heard(level, low, mid, high, self._onset_count, strength, age_s, tempo))

    def _add(self, heard: _Heard) -> None:
        """Go on by one frame."""
        before = self._moments[-1].clock if self._moments else self._oldest_clock
        if len(self._moments) == self._moments.maxlen:
            self._oldest_clock = self._moments[0].clock
            self._commands.pop(self._frames - len(self._moments), None)
        self._moments.append(self._moment(self._frames, before, heard))
        self._frames += 1
        self._tell(self._moments[-1].audio_features)

    def _obey(self, command: Command) -> None:
        """Take a command in, and let the clock go once more through the frames that end after it."""
        with self._lock:
            oldest = self._frames - len(self._moments)
            first = max(command.sample // self._spectra.hop_samples, oldest)
            self._commands[first] = sorted([*self._commands.get(first, ()), command], key=lambda known: known.sample)
            again = [self._moments.pop() for _ in range(self._frames - first)]
            clock = self._moments[-1].clock if self._moments else self._oldest_clock
            for frame, moment in enumerate(reversed(again), first):
                self._moments.append(self._moment(frame, clock, moment.heard))
                clock = self._moments[-1].clock
            if again:
                self._tell(self._moments[-1].audio_features)

    def _tell(self, audio_features: AudioFeatures) -> None:
        """Make it the newest; whoever was shown more beats before a late tap sees the clock wait, not go back."""
        shown = self._newest.beats
        self._newest = audio_features if audio_features.beats >= shown else replace(audio_features, beats=shown)

    def _moment(self, frame: int, clock: ClockState, heard: _Heard) -> _Moment:
        for command in self._commands.get(frame, ()):
            clock = obeyed(clock, command, frame * self._frame_s, self._rate_hz)
        clock = gone_on(clock, self._frame_s)
        if self._is_tick(frame):

            def find(period_s: float, asked_age_s: float) -> Place:
                accents = self._accents
                return beat_place(accents.smooth(frame), self._frame_s, period_s, accents.delay_s, asked_age_s)

            clock = measured(clock, heard.tempo, find)
        audio_features = AudioFeatures(
            end_sample=(frame + 1) * self._spectra.hop_samples,
            level=heard.level,
            low=heard.low,
            mid=heard.mid,
            high=heard.high,
            onsets=heard.onsets,
            onset_strength=heard.strength,
            onset_age_s=heard.onset_age_s,
            beats=clock.beats,
            beats_a_bar=BEATS_A_BAR,
            tempo_bpm=60.0 / clock.period_s if clock.period_s else 0.0,
            certainty=clock.certainty,
        )
        return _Moment(heard, clock, audio_features)

    def _is_tick(self, frame: int) -> bool:
        return (frame + 1) % self._tick_frames == 0
