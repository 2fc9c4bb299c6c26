"""Two clocks: what arrives at the pace of one is handed out at the pace of the other, and nobody waits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.arrival_buffer import AWAY_S, GREATEST_S, MOST_S, START_S, ArrivalBuffer, WholeBuffer

RATE_HZ = 48000
BLOCK = 128
TONE_HZ = 220.0


def tone(first: int, samples: int) -> NDArray[np.float32]:
    """Return samples of an endless tone [T, 1]."""
    return np.sin(2 * np.pi * TONE_HZ * np.arange(first, first + samples) / RATE_HZ).astype(np.float32)[:, None]


class Clocks:
    """A device whose clock runs `ppm` fast, and a show that takes a block at a time."""

    def __init__(self, ppm: float = 0.0, burst: int = BLOCK) -> None:
        self.buffer = ArrivalBuffer(RATE_HZ, 1)
        self._speed, self._burst = 1.0 + 1e-6 * ppm, burst
        self._taken = self._added = 0
        self.is_away = False

    def run(self, seconds: float) -> NDArray[np.float32]:
        """Return what the show was given in so much time [T]."""
        parts = []
        for _ in range(round(seconds * RATE_HZ / BLOCK)):
            self._taken += BLOCK
            due = int(self._taken * self._speed) // self._burst * self._burst
            if due > self._added:
                if not self.is_away:
                    self.buffer.add(tone(self._added, due - self._added))
                self._added = due
            parts.append(self.buffer.take(BLOCK))
        return np.concatenate(parts)[:, 0]


@pytest.mark.parametrize("ppm", [-200.0, -40.0, 0.0, 40.0, 200.0])
@pytest.mark.parametrize("burst", [96, 480])
def test_clocks_that_drift_are_held_together_without_a_gap_or_a_click(ppm: float, burst: int) -> None:
    clocks = Clocks(ppm, burst)
    # Until the delay fits the bursts.
    clocks.run(20.0)
    buffer = clocks.buffer
    silent, corrected = buffer.silent_samples, buffer.dropped_samples - buffer.repeated_samples
    sound_T = clocks.run(120.0)
    assert buffer.silent_samples == silent
    drift_samples = 1e-6 * ppm * 120.0 * RATE_HZ
    assert buffer.dropped_samples - buffer.repeated_samples - corrected == pytest.approx(
        drift_samples, abs=GREATEST_S * RATE_HZ
    )
    # A crossfade is a little steeper than the tone, a click would be many times as steep.
    assert np.abs(np.diff(sound_T)).max() < 2.0 * 2 * np.pi * TONE_HZ / RATE_HZ
    assert buffer.waiting_samples < GREATEST_S * RATE_HZ + 2 * burst + BLOCK


def test_equal_clocks_are_never_corrected() -> None:
    clocks = Clocks()
    sound_T = clocks.run(60.0)
    assert (clocks.buffer.dropped_samples, clocks.buffer.repeated_samples, clocks.buffer.silent_samples) == (0, 0, 0)
    began = int(np.flatnonzero(sound_T)[0])
    assert began < 2 * START_S * RATE_HZ
    end_T = sound_T[-RATE_HZ:]
    lags = [lag for lag in range(2 * began) if np.array_equal(end_T, tone(len(sound_T) - RATE_HZ - lag, RATE_HZ)[:, 0])]
    assert lags


def test_a_device_that_stops_is_silence_and_comes_back_without_a_delay() -> None:
    clocks = Clocks()
    clocks.run(1.0)
    clocks.is_away = True
    away_T = clocks.run(3.0)
    assert not away_T[round(2 * START_S * RATE_HZ) :].any()
    clocks.is_away = False
    back_T = clocks.run(1.0)
    assert np.abs(back_T[-4800:]).max() > 0.9
    assert clocks.buffer.waiting_samples <= START_S * RATE_HZ + BLOCK
    # Silence of a device that is away is no lateness.
    assert clocks.buffer.silent_samples <= AWAY_S * RATE_HZ + BLOCK


def test_sound_that_comes_all_at_once_is_bounded() -> None:
    buffer = ArrivalBuffer(RATE_HZ, 2)
    for _ in range(20):
        buffer.add(np.ones((RATE_HZ, 2), np.float32))
        assert buffer.take(BLOCK).shape == (BLOCK, 2)
        assert buffer.waiting_samples <= MOST_S * RATE_HZ
    assert buffer.take(0).shape == (0, 2)


def test_before_the_first_sound_there_is_silence_that_nobody_counts() -> None:
    buffer = ArrivalBuffer(RATE_HZ, 1)
    assert not buffer.take(RATE_HZ).any()
    assert buffer.silent_samples == 0


def test_offline_every_sample_comes_out_in_order_and_then_silence() -> None:
    buffer = WholeBuffer(1)
    buffer.add(tone(0, 500))
    buffer.add(tone(500, 500))
    out_T = np.concatenate([buffer.take(300) for _ in range(4)])[:, 0]
    assert np.array_equal(out_T[:1000], tone(0, 1000)[:, 0])
    assert not out_T[1000:].any()
    assert buffer.silent_samples == 200
