"""The playhead follows a loudspeaker's clock: exact where it agrees, by single samples where it drifts, with a jump where it is far off."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from engine.audio.listening.loudspeaker import stretched
from engine.audio.listening.played_sound import HELD_S, PlayedSound
from engine.audio.listening.playhead import APART_S, Playhead, Span

RATE_HZ, BLOCK = 48000, 512


def spans(
    seconds: float, clock: float = 1.0, jitter_s: float = 0.0, late_s: float = 0.0
) -> tuple[list[Span], list[float], Playhead]:
    """Return what a loudspeaker gets whose clock is `clock` times as fast as the source's, and by how much each block is early."""
    rng, playhead = random.Random(2), Playhead(RATE_HZ)
    taken, early_s = list[Span](), list[float]()
    for block in range(round(seconds * RATE_HZ / BLOCK)):
        due = 1000.0 + block * BLOCK / clock - late_s * RATE_HZ
        span = playhead.next(BLOCK, due + rng.uniform(-1, 1) * jitter_s * RATE_HZ)
        taken.append(span)
        early_s.append((span.first - due) / RATE_HZ)
    return taken, early_s, playhead


def test_with_equal_clocks_every_sample_is_played_once_also_where_the_drivers_times_jitter() -> None:
    taken, _, playhead = spans(60.0, jitter_s=0.003)
    first = taken[0].first
    assert [span.first for span in taken] == [first + BLOCK * block for block in range(len(taken))]
    assert all(span.taken == BLOCK and span.left is None for span in taken)
    assert (playhead.left_out, playhead.added, playhead.jumps) == (0, 0, 0)


@pytest.mark.parametrize("clock", [0.999, 0.9999, 1.0001, 1.001])
def test_another_clock_is_followed_without_drift_and_without_jumps(clock: float) -> None:
    seconds = 300.0
    taken, early_s, playhead = spans(seconds, clock, jitter_s=0.002)
    assert max(map(abs, early_s)) < APART_S + 0.004
    assert playhead.jumps == 0
    assert all(before.first + before.taken == after.first for before, after in pairwise(taken))
    corrected = playhead.left_out - playhead.added
    assert corrected == pytest.approx((1 / clock - 1) * seconds * RATE_HZ, abs=APART_S * RATE_HZ + 100)
    assert min(playhead.left_out, playhead.added) <= 2


def test_wrong_times_of_a_driver_at_the_start_are_corrected_at_once_and_later_ones_are_a_jump() -> None:
    playhead = Playhead(RATE_HZ)
    for block in range(400):
        wrong = 0.2 * RATE_HZ if block < 100 else 0.0
        span = playhead.next(BLOCK, block * BLOCK + wrong)
    assert span.first == 399 * BLOCK
    assert playhead.jumps == 0
    far = [playhead.next(BLOCK, block * BLOCK + RATE_HZ) for block in range(400, 500)]
    assert playhead.jumps == 1
    assert far[-1].first == 499 * BLOCK + RATE_HZ
    assert sum(span.left is not None for span in far) == 1


def test_one_wrong_block_changes_nothing() -> None:
    playhead = Playhead(RATE_HZ)
    for block in range(1000):
        span = playhead.next(BLOCK, block * BLOCK + (RATE_HZ if block % 100 == 50 else 0))
        assert span.left is None
    assert playhead.jumps == 0
    assert span.first == pytest.approx(999 * BLOCK, abs=0.01 * RATE_HZ)


def test_another_delay_takes_effect_in_the_next_block() -> None:
    playhead = Playhead(RATE_HZ)
    for block in range(10):
        playhead.next(BLOCK, block * BLOCK)
    moved = playhead.next(BLOCK, 10 * BLOCK - 4800, -4800)
    assert moved == Span(10 * BLOCK - 4800, BLOCK, left=10 * BLOCK)
    assert playhead.next(BLOCK, 11 * BLOCK - 4800) == Span(11 * BLOCK - 4800, BLOCK)


def test_a_block_of_its_own_length_passes_to_the_bit_and_another_is_bent_smoothly() -> None:
    time_s = np.arange(-1, 515) / RATE_HZ
    tone_TC = np.sin(2 * np.pi * 1000 * time_s)[:, None].astype(np.float32)
    assert np.array_equal(stretched(tone_TC[: BLOCK + 3], BLOCK), tone_TC[1 : BLOCK + 1])
    for taken in (BLOCK - 1, BLOCK + 1):
        bent_TC = stretched(tone_TC[: taken + 3], BLOCK)
        exact_T = np.sin(2 * np.pi * 1000 * np.arange(BLOCK) * taken / BLOCK / RATE_HZ)
        assert bent_TC.shape == (BLOCK, 1)
        assert bent_TC[:, 0] == pytest.approx(exact_T, abs=1e-3)


def test_played_sound_is_found_by_its_number_as_long_as_it_is_held() -> None:
    rng, played = random.Random(1), PlayedSound(1000, 2)
    whole_TC = np.random.default_rng(1).standard_normal((20000, 2)).astype(np.float32)
    end = 0
    while end < 15000:
        block_TC = whole_TC[end : end + rng.randrange(1, 900)]
        end += len(block_TC)
        played.put(block_TC, end / 1000)
        assert played.newest == (end, end / 1000)
        oldest = max(0, end - round(HELD_S * 1000))
        first = rng.randrange(oldest, end)
        assert np.array_equal(played.read(first, end - first), whole_TC[first:end])
        assert not played.read(end, 10).any()
        assert not played.read(oldest - 10, 10).any()
