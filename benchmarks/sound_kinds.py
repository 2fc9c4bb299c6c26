"""Twelve kinds of sound, made by formula: what a show may hear. Each is mono [T] with its peak at full scale, but silence.

python -m benchmarks.sound_kinds OUT.wav [--kinds drums,silence,song] [--seconds 4]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import run_main

# T audio samples

Sound = NDArray[np.float64]
BEAT_S = 0.5
_SEED = 20


def silence(seconds: float, rate_hz: int) -> Sound:
    """Nothing at all."""
    return np.zeros(round(seconds * rate_hz))


def speech(seconds: float, rate_hz: int) -> Sound:
    """Vowels of a gliding voice with hisses between them: formants over a train of impulses."""
    time_s, random = _times(seconds, rate_hz), np.random.default_rng(_SEED)
    phase = np.cumsum(120.0 + 25.0 * np.sin(2 * np.pi * 0.7 * time_s)) / rate_hz
    voice = sum(
        np.sin(2 * np.pi * n * phase) / n * _formants(n * 130.0, time_s) for n in range(1, min(40, rate_hz // 300))
    )
    syllables = np.clip(np.sin(2 * np.pi * 3.3 * time_s), 0.0, 1.0) ** 0.5
    hiss = np.diff(random.standard_normal(len(time_s) + 1)) * (np.sin(2 * np.pi * 3.3 * time_s) < -0.85)
    return _full(voice * syllables + 0.5 * hiss)


def drums(seconds: float, rate_hz: int) -> Sound:
    """Kick, snare and hi-hat, dry."""
    return _full(_kick(seconds, rate_hz) + 0.7 * _snare(seconds, rate_hz) + 0.4 * _hats(seconds, rate_hz))


def dense(seconds: float, rate_hz: int) -> Sound:
    """Kick, bass and pad together, compressed as club music is."""
    time_s = _times(seconds, rate_hz)
    bass = np.sign(np.sin(2 * np.pi * 55.0 * time_s)) * 0.5
    mixed = 0.8 * _kick(seconds, rate_hz) + 0.4 * bass + 0.5 * _pad(seconds, rate_hz) + 0.2 * _hats(seconds, rate_hz)
    return _full(np.tanh(2.5 * mixed))


def drone(seconds: float, rate_hz: int) -> Sound:
    """A chord that stands still."""
    return _full(_pad(seconds, rate_hz))


def sweep(seconds: float, rate_hz: int) -> Sound:
    """A sine from 40 Hz to nearly half the rate."""
    time_s, low, high = _times(seconds, rate_hz), 40.0, 0.47 * rate_hz
    ratio = np.log(high / low)
    return np.sin(2 * np.pi * low * seconds / ratio * np.expm1(time_s / seconds * ratio))


def pink(seconds: float, rate_hz: int) -> Sound:
    """Noise of equal power in each octave."""
    return _full(_pink(seconds, rate_hz))


def clipped(seconds: float, rate_hz: int) -> Sound:
    """White noise driven far into clipping, in bursts."""
    noise = np.random.default_rng(_SEED).standard_normal(round(seconds * rate_hz))
    return np.clip(noise * 8.0, -1.0, 1.0) * (_phase(seconds, rate_hz) < 0.3)


def stabs(seconds: float, rate_hz: int) -> Sound:
    """Bright chords that begin at once, and nothing between them."""
    time_s, since_s = _times(seconds, rate_hz), _phase(seconds, rate_hz) * BEAT_S
    saws = sum(2.0 * (time_s * hz % 1.0) - 1.0 for hz in (220.0, 277.2, 329.6, 440.0, 1318.5))
    return _full(saws * np.exp(-since_s / 0.08))


def song(seconds: float, rate_hz: int) -> Sound:
    """Drums, bass, chords and a voice, with a quiet bar between two loud ones."""
    time_s = _times(seconds, rate_hz)
    mixed = drums(seconds, rate_hz) + 0.5 * drone(seconds, rate_hz) + 0.5 * speech(seconds, rate_hz)
    is_quiet = (time_s > seconds / 3) & (time_s < 2 * seconds / 3)
    return _full(mixed * np.where(is_quiet, 0.15, 1.0))


def quiet(seconds: float, rate_hz: int) -> Sound:
    """A song at -50 dB, as a microphone far away hears it, over its noise."""
    noise = np.random.default_rng(_SEED).standard_normal(round(seconds * rate_hz))
    return 10.0 ** (-50.0 / 20.0) * song(seconds, rate_hz) + 1e-4 * noise


def loud(seconds: float, rate_hz: int) -> Sound:
    """A song pressed against full scale."""
    return np.tanh(6.0 * song(seconds, rate_hz))


KINDS: Mapping[str, Callable[[float, int], Sound]] = {
    kind.__name__: kind
    for kind in (silence, speech, drums, dense, drone, sweep, pink, clipped, stabs, quiet, loud, song)
}


def _times(seconds: float, rate_hz: int) -> Sound:
    return np.arange(round(seconds * rate_hz)) / rate_hz


def _phase(seconds: float, rate_hz: int, beat_s: float = BEAT_S) -> Sound:
    """Return where in the beat each sample is, 0 to 1."""
    return _times(seconds, rate_hz) / beat_s % 1.0


def _kick(seconds: float, rate_hz: int) -> Sound:
    since_s = _phase(seconds, rate_hz) * BEAT_S
    return np.sin(2 * np.pi * (50.0 * since_s + 4.0 * (1.0 - np.exp(-since_s / 0.03)))) * np.exp(-since_s / 0.15)


def _snare(seconds: float, rate_hz: int) -> Sound:
    since_s = (_phase(seconds, rate_hz, 2 * BEAT_S) + 0.5) % 1.0 * 2 * BEAT_S
    noise = np.random.default_rng(_SEED).standard_normal(len(since_s))
    return (0.5 * noise + np.sin(2 * np.pi * 190.0 * since_s)) * np.exp(-since_s / 0.07)


def _hats(seconds: float, rate_hz: int) -> Sound:
    since_s = _phase(seconds, rate_hz, BEAT_S / 2) * BEAT_S / 2
    noise = np.random.default_rng(_SEED + 1).standard_normal(len(since_s) + 1)
    return np.diff(noise) * np.exp(-since_s / 0.02)


def _pad(seconds: float, rate_hz: int) -> Sound:
    time_s = _times(seconds, rate_hz)
    voices = ((hz * n, 1.0 / n) for hz in (110.0, 164.8, 220.0, 277.2) for n in range(1, 9))
    return sum(weight * np.sin(2 * np.pi * hz * time_s + hz) for hz, weight in voices) / 8.0  # type: ignore[return-value]


def _pink(seconds: float, rate_hz: int) -> Sound:
    count = round(seconds * rate_hz)
    spectrum = np.fft.rfft(np.random.default_rng(_SEED).standard_normal(count))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), count)


def _formants(hz: float, time_s: Sound) -> Sound:
    first_hz = 500.0 + 250.0 * np.sin(2 * np.pi * 1.65 * time_s)
    return sum(np.exp(-(((hz - centre_hz) / 180.0) ** 2)) for centre_hz in (first_hz, 1400.0, 2500.0)) + 0.05  # type: ignore[return-value]


def _full(sound: Sound) -> Sound:
    return sound / max(float(np.abs(sound).max()), 1e-9)


def main() -> int:
    """Write kinds of sound one after another."""
    from training.data.scenes.make_scene import write_wav
    from training.data.scenes.soundtrack import RATE_HZ

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.wav")
    parser.add_argument("--kinds", default=",".join(KINDS), help="in their order; a kind may come again")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each")
    arguments = parser.parse_args()
    write_wav(
        arguments.out, np.concatenate([KINDS[kind](arguments.seconds, RATE_HZ) for kind in arguments.kinds.split(",")])
    )
    return 0


if __name__ == "__main__":
    run_main(main)
