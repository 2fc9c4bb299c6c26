"""The sound that a take gets that begins while a show plays."""

from __future__ import annotations

import numpy as np
import pytest

from engine.takes.recent_sound import KEPT_S, RecentSound, lead_in_hop

RATE_HZ = 1000


def test_the_newest_seconds_are_kept_whatever_the_blocks() -> None:
    sound, all_T1 = RecentSound(RATE_HZ), np.arange(30 * RATE_HZ, dtype=np.float32)[:, None]
    begin = 0
    for size in np.random.default_rng(2).integers(1, 400, 1000):
        sound.add(all_T1[begin : begin + size])
        begin = min(begin + size, len(all_T1))
        assert sound.received_samples - sound.first_sample <= KEPT_S * RATE_HZ + 400
    assert sound.received_samples == len(all_T1)
    assert sound.received_samples - sound.first_sample >= KEPT_S * RATE_HZ
    for sample in (sound.first_sample, sound.first_sample + 777, len(all_T1) - 1):
        np.testing.assert_array_equal(np.concatenate(sound.since(sample)), all_T1[sample:])
    assert sound.since(len(all_T1)) == []


def test_after_a_stall_too_little_is_kept() -> None:
    sound, block_TC = RecentSound(RATE_HZ), np.zeros((100, 1), np.float32)
    for _ in range(50):
        sound.add(block_TC)
    assert sound.leads_into(0)
    assert sound.leads_into(5000)
    for _ in range(250):
        sound.add(block_TC)
    assert sound.leads_into(30_000 - 1000)
    assert not sound.leads_into(30_000 - 3000)
    assert not sound.leads_into(5000)


@pytest.mark.parametrize(
    ("hop_samples", "rate_hz", "source_rate_hz", "expected"),
    [(800, 16000, 48000, 80), (800, 16000, 44100, 80), (533, 16000, 44100, 160), (997, 16001, 44101, 65)],
)
def test_a_lead_in_begins_on_a_sample_of_the_source_where_one_does(
    hop_samples: int, rate_hz: int, source_rate_hz: int, expected: int
) -> None:
    """The last of these rates has none, so the oldest hop is taken."""
    first_sample = 4 * source_rate_hz
    assert lead_in_hop(300, first_sample, hop_samples, rate_hz, source_rate_hz) == expected
    assert expected * hop_samples * source_rate_hz >= first_sample * rate_hz


def test_a_young_show_is_heard_from_its_start() -> None:
    assert lead_in_hop(7, 0, 800, 16000, 44100) == 0
    assert lead_in_hop(0, 0, 800, 16000, 44100) == 0
