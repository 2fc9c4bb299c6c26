"""When a gain is heard: two hops after the hop that brought it, whatever was skipped, and whoever trims first."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.band_trim import NEUTRAL, BandGains
from engine.audio.trimmed_sound import TRIM_HOPS, TrimmedSound
from engine.audio.window_buffer import WindowBuffer
from tests.engine.model.probe_model import CARD

HOP = CARD.hop_samples
Sound = NDArray[np.float32]
LOUD = BandGains(6.0, 6.0, 6.0)


def filled(hops: int) -> tuple[WindowBuffer, TrimmedSound]:
    """Return a buffer with a square wave, which is zero at its beginning alone, and what trims it."""
    window_buffer = WindowBuffer(CARD, CARD.sample_rate_hz, 1)
    wave_T = np.where(np.arange(hops * HOP) // 20 % 2, -0.1, 0.1)
    window_buffer.append(wave_T[:, None].astype(np.float32), 0.0)
    return window_buffer, TrimmedSound(window_buffer)


def test_nothing_is_trimmed_before_the_first_step_says_how() -> None:
    window_buffer, trimmed = filled(3)
    plain_T = window_buffer.sound(0, 3 * HOP).copy()
    assert trimmed.advance(3 * HOP) == 0
    trimmed.pick(2)
    trimmed.begin(LOUD)
    assert trimmed.advance(3 * HOP) == 3 * HOP
    assert np.allclose(window_buffer.sound(0, 3 * HOP), plain_T * 10 ** (6 / 20), atol=1e-5)


def test_a_hop_that_is_being_stepped_holds_back_what_it_will_trim() -> None:
    window_buffer, trimmed = filled(8)
    plain_T = window_buffer.sound(0, 8 * HOP).copy()
    trimmed.pick(3)
    trimmed.begin(NEUTRAL)
    assert trimmed.advance(8 * HOP) == (3 + TRIM_HOPS) * HOP
    trimmed.give(LOUD)
    assert trimmed.advance(8 * HOP) == 8 * HOP
    gain_T = np.divide(window_buffer.sound(0, 8 * HOP), plain_T, out=np.ones_like(plain_T), where=plain_T != 0.0)
    assert (gain_T[: (3 + TRIM_HOPS) * HOP] == 1.0).all()
    assert (np.diff(gain_T[(3 + TRIM_HOPS) * HOP :][: HOP // 2]) >= -1e-6).all()
    assert gain_T[-1] > 1.5


def test_what_was_heard_before_the_start_has_the_first_gains() -> None:
    window_buffer = WindowBuffer(CARD, CARD.sample_rate_hz, 1)
    wave_T = np.where(np.arange(10 * HOP) // 20 % 2, -0.1, 0.1).astype(np.float32)
    window_buffer.lead_in(wave_T[: 6 * HOP, None], 6)
    window_buffer.append(wave_T[6 * HOP :, None], 0.0)
    plain_T = window_buffer.sound(-6 * HOP, 4 * HOP).copy()
    trimmed = TrimmedSound(window_buffer)
    trimmed.pick(0)
    trimmed.begin(LOUD)
    assert trimmed.advance(HOP) == HOP
    trimmed_T = window_buffer.sound(-6 * HOP, HOP)
    assert np.allclose(trimmed_T, plain_T[: 7 * HOP] * 10 ** (6 / 20), atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_capture_thread_and_a_replay_trim_alike_to_the_bit(seed: int) -> None:
    """The one trims what it can at once, the other hop by hop."""
    rng, hops = random.Random(seed), 40
    sound_TC = np.random.default_rng(seed).standard_normal((hops * HOP, 1)).astype(np.float32)
    live_T, steps = trimmed_live(rng, sound_TC)
    assert len(steps) > 5
    assert np.array_equal(live_T, replayed(sound_TC, steps)[: len(live_T)])


def trimmed_live(rng: random.Random, sound_TC: Sound) -> tuple[Sound, list[tuple[int, BandGains]]]:
    """Step the newest complete hop whenever a step has ended; sound comes all the while. Return what was trimmed, and the steps."""
    window_buffer = WindowBuffer(CARD, CARD.sample_rate_hz, 1)
    trimmed, received_samples = TrimmedSound(window_buffer), 0
    steps: list[tuple[int, BandGains]] = []

    def receive(samples: int) -> None:
        nonlocal received_samples
        block_TC = sound_TC[received_samples : received_samples + samples]
        window_buffer.append(block_TC, 0.0)
        received_samples += len(block_TC)
        trimmed.advance(received_samples)

    while received_samples < len(sound_TC):
        receive(rng.randrange(1, 2 * HOP))
        newest = received_samples // HOP - 1
        if newest <= (steps[-1][0] if steps else -1):
            continue
        trimmed.pick(newest)
        for _ in range(rng.randrange(4)):
            receive(rng.randrange(1, 2 * HOP))
        trimmed.begin(NEUTRAL)
        assert trimmed.advance((newest + 1) * HOP) >= (newest + 1) * HOP
        gains = BandGains(*(rng.choice([0.0, rng.uniform(-24, 24)]) for _ in range(3)))
        steps.append((newest, gains))
        trimmed.give(gains)
        trimmed.advance(received_samples)
    return window_buffer.sound(0, trimmed.end).copy(), steps


def replayed(sound_TC: Sound, steps: Sequence[tuple[int, BandGains]]) -> Sound:
    """Trim up to the end of each hop when it is stepped, and the rest at the end."""
    window_buffer = WindowBuffer(CARD, CARD.sample_rate_hz, 1)
    window_buffer.append(sound_TC, 0.0)
    trimmed = TrimmedSound(window_buffer)
    for hop, gains in steps:
        trimmed.pick(hop)
        trimmed.begin(NEUTRAL)
        assert trimmed.advance((hop + 1) * HOP) == (hop + 1) * HOP
        trimmed.give(gains)
    return window_buffer.sound(0, trimmed.advance(len(sound_TC))).copy()
