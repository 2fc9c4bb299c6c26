"""A paced source tells of its sound ahead, for a loudspeaker, and plays as it would without."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.paced import LONGEST_LAG_S, PacedSource
from engine.audio.sources.samples import SampleSource
from tests.engine.app.shows import InventedClock

RATE_HZ, AHEAD_S = 1000, 0.5


def paced(sound_TC: NDArray[np.float32], block_samples: int, clock: InventedClock) -> PacedSource:
    return PacedSource(SampleSource("wave", sound_TC, RATE_HZ, block_samples=block_samples), clock)


@pytest.mark.parametrize("block_samples", [1, 64, 5000])
def test_every_sample_is_told_once_ahead_with_its_time_and_played_in_its_own(block_samples: int) -> None:
    sound_TC = np.random.default_rng(1).standard_normal((3000, 2)).astype(np.float32)
    clock, told, played = InventedClock(), list[NDArray[np.float32]](), list[NDArray[np.float32]]()
    source = paced(sound_TC, block_samples, clock)

    def hear(part_TC: NDArray[np.float32], played_s: float) -> None:
        told.append(part_TC)
        assert played_s == pytest.approx(1000.0 + sum(map(len, told)) / RATE_HZ)

    source.tell_ahead(hear, AHEAD_S)
    source.start()
    for read in range(2000):
        block = source.read()
        if block is None:
            break
        played.append(block[0])
        due = min(len(sound_TC), read * 7)
        assert sum(map(len, played)) == pytest.approx(due, abs=1)
        assert sum(map(len, told)) == pytest.approx(min(len(sound_TC), due + AHEAD_S * RATE_HZ), abs=1)
        clock.sleep(0.007)
    assert np.array_equal(np.concatenate(told), sound_TC)
    assert np.array_equal(np.concatenate(played), sound_TC)


def test_after_a_pause_of_the_machine_the_new_time_is_told() -> None:
    clock, times_s = InventedClock(), list[float]()
    source = paced(np.zeros((9000, 1), np.float32), 100, clock)
    source.tell_ahead(lambda part_TC, played_s: times_s.append(played_s), AHEAD_S)
    source.start()
    source.read()
    clock.sleep(LONGEST_LAG_S + 4.0)
    source.read()
    assert times_s == pytest.approx([1000.0 + AHEAD_S, 1005.0 + AHEAD_S])
