"""The built-in demo sound: half a minute of kick, bass, hats and a melody, computed by formula.

Sixteen bars of 4/4 at 120 beats a minute in A minor: four with soft drums, a build-up, one quiet bar, a full second half.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.samples import SampleSource

# T samples, C channels

RATE_HZ = 48000
BEAT_S = 0.5
BARS = 16
QUIET_BAR = 7
PEAK = 0.8

_A2_HZ = 110.0
# Semitones of the bass above A, one per bar, in a loop of four bars: A F C G.
_ROOTS = (0, -4, 3, -2)
# Eighth notes of the melody in semitones above A4; None is a rest.
MELODY = (
    (0, None, 7, None, 12, None, 10, 7),
    (8, None, 12, None, 15, 12, None, 8),
    (7, None, 10, None, 15, None, 12, 10),
    (10, None, 5, 10, None, 14, 12, None),
)

Sound = NDArray[np.float64]


def demo_source(repeat: bool = False) -> SampleSource:
    """Return the demo sound as a source: 32 s in stereo, the same samples every time."""
    return SampleSource("demo", demo_sound(), RATE_HZ, repeat)


def demo_sound() -> NDArray[np.float32]:
    """Return the demo sound [T, 2]."""
    sound_TC = np.zeros((round(BARS * 4 * BEAT_S * RATE_HZ), 2))
    for bar in range(BARS):
        _add_bar(sound_TC, bar)
    # tanh limits the loudest peaks without clipping.
    sound_TC = np.tanh(1.4 * sound_TC)
    return (PEAK / np.abs(sound_TC).max() * sound_TC).astype(np.float32)


def _add_bar(sound_TC: Sound, bar: int) -> None:
    start_s = bar * 4 * BEAT_S
    quiet, full = bar == QUIET_BAR, bar >= 4
    for eighth, step in enumerate(MELODY[bar % 4]):
        if step is not None and (bar >= 2 or eighth % 4 == 0):
            loudness = 0.12 if quiet else 0.3
            _add(
                sound_TC,
                _pluck(2 * 2 * _A2_HZ * 2 ** (step / 12)),
                start_s + eighth * BEAT_S / 2,
                loudness,
                0.4 * (-1) ** eighth,
            )
    if quiet:
        return
    for beat in range(4):
        _add(sound_TC, _KICK, start_s + beat * BEAT_S, 0.9 if full else 0.6)
        if full and beat % 2:
            _add(sound_TC, _CLAP, start_s + beat * BEAT_S, 0.45)
    for eighth in range(8):
        if bar >= 2:
            _add(sound_TC, _HAT, start_s + eighth * BEAT_S / 2, 0.25 if eighth % 2 else 0.1, 0.3)
        if bar >= 1 and eighth not in (0, 4):
            _add(sound_TC, _bass(_A2_HZ / 2 * 2 ** (_ROOTS[bar % 4] / 12)), start_s + eighth * BEAT_S / 2, 0.45)


def _add(sound_TC: Sound, note_T: Sound, at_s: float, loudness: float, pan: float = 0.0) -> None:
    """Mix one note in, `pan` from -1 left to 1 right; a tail beyond the end continues at the start of the loop."""
    begin = round(at_s * RATE_HZ)
    fits = min(len(note_T), len(sound_TC) - begin)
    for channel, side in ((0, 1.0 - pan), (1, 1.0 + pan)):
        sound_TC[begin : begin + fits, channel] += loudness * side * note_T[:fits]
        sound_TC[: len(note_T) - fits, channel] += loudness * side * note_T[fits:]


def _time_s(duration_s: float) -> Sound:
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def _kick() -> Sound:
    t = _time_s(0.35)
    return np.sin(2 * np.pi * (48.0 * t + 3.2 * (1.0 - np.exp(-t / 0.025)))) * np.exp(-t / 0.11)


def _noise_burst(duration_s: float, decay_s: float, seed: int, brightness: int) -> Sound:
    """Decaying noise, differentiated `brightness` times to remove low frequencies."""
    t = _time_s(duration_s)
    noise = np.random.default_rng(seed).standard_normal(len(t) + brightness)
    return np.diff(noise, n=brightness) / 2.0**brightness * np.exp(-t / decay_s)


@functools.cache
def _bass(note_hz: float) -> Sound:
    t = _time_s(0.24)
    wave = (
        np.sin(2 * np.pi * note_hz * t) + 0.4 * np.sin(4 * np.pi * note_hz * t) + 0.2 * np.sin(6 * np.pi * note_hz * t)
    )
    return wave * np.exp(-t / 0.12) * np.minimum(1.0, t / 0.004)


@functools.cache
def _pluck(note_hz: float) -> Sound:
    t = _time_s(0.6)
    wave = np.sin(2 * np.pi * note_hz * t + 1.5 * np.exp(-t / 0.06) * np.sin(4 * np.pi * note_hz * t))
    return wave * np.exp(-t / 0.2) * np.minimum(1.0, t / 0.003)


_KICK = _kick()
_CLAP = _noise_burst(0.2, 0.05, 1, 1)
_HAT = _noise_burst(0.08, 0.02, 2, 3)
