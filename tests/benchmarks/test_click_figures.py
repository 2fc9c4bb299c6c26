"""The figures of the click test, from invented times."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.click_figures import RATE_HZ, CapturedBlock, follow_clicks, histogram, left_and_captured, spread_ms
from benchmarks.click_run import GAP_S
from benchmarks.click_sound import RECORDED_BLOCK
from engine.ops.calibration.clicks import click_sound, click_starts


def test_a_late_delivery_does_not_make_its_sound_late() -> None:
    delays_s = np.full(4000, 0.002)
    delays_s[2000:2010] = 0.030
    blocks = [
        CapturedBlock((n + 1) * RECORDED_BLOCK, 100.0 + (n + 1) * RECORDED_BLOCK / RATE_HZ + delay_s)
        for n, delay_s in enumerate(delays_s)
    ]
    sample = 2005 * RECORDED_BLOCK + 7
    left_s, captured_s = left_and_captured(blocks, sample)
    assert left_s == pytest.approx(100.002 + sample / RATE_HZ)
    assert captured_s == blocks[2005].arrived_s


def test_clicks_are_paired_with_their_own_sound_and_light() -> None:
    written_s = [1.0, 1.5, 2.0, 2.5, 3.0]
    # The second never left the server, the third was never seen, and something else was bright in between.
    captured = [(t + 0.005, t + 0.007) for t in (1.0, 2.0, 2.5, 3.0)]
    clicks = follow_clicks(written_s, captured, [0.2, 1.04, 1.45, 2.53, 3.03])
    assert [click.left_s for click in clicks] == [1.005, None, 2.005, 2.505, 3.005]
    assert [click.light_s for click in clicks] == [1.04, None, None, 2.53, 3.03]


def test_spread_and_histogram_hold_every_value() -> None:
    times_s = [0.020] * 98 + [0.030, 0.050]
    spread = spread_ms(times_s)
    assert (spread["count"], spread["p50"], spread["max"]) == (100, 20.0, 50.0)
    assert spread["jitter"] == pytest.approx(spread["p99"] - 20.0)
    counts = [int(line.split()[-1]) for line in histogram(times_s)]
    assert counts == [98, 0, 1, 0, 0, 0, 1]
    assert spread_ms([]) == {"count": 0}
    assert histogram([]) == ["nothing was measured"]


def test_clicks_cover_every_phase_of_a_hop() -> None:
    starts = np.asarray(click_starts(200, 0, RATE_HZ, first_s=0.5, gap_s=GAP_S))
    assert starts[0] == RATE_HZ // 2
    assert np.diff(starts).min() >= 0.3 * RATE_HZ
    counts, _ = np.histogram(starts % (RATE_HZ // 20), bins=10)
    assert counts.min() >= 5
    assert abs(click_sound(RATE_HZ)[0]) == pytest.approx(0.9)
