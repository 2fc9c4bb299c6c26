"""Clicks are played whole at their sample for every block size, and detected in a stream."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from engine.audio.sources.portaudio import SoundDevice
from engine.ops.calibration.clicks import OUTPUT_RATE_HZ, ClickDetector, ClickOutput, click_sound, click_starts
from tests.engine.app.shows import InventedClock

RATE_HZ = OUTPUT_RATE_HZ


@pytest.mark.parametrize("block", [64, 441, 5000])
def test_every_click_is_played_whole_at_its_sample(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    device = SoundDevice(index=0, name="out", channels=2, rate_hz=RATE_HZ, is_default=True)
    monkeypatch.setattr("engine.ops.calibration.clicks.find_output", lambda name: device)
    clock, starts = InventedClock(), [0, 500, 3000, 9000]
    output, parts = ClickOutput(starts, clock), []
    begin_s = clock.now_s()
    while not output.has_ended:
        block_TC = np.full((block, 2), 7.0, np.float32)
        output.fill(block_TC, block, SimpleNamespace(currentTime=3.0, outputBufferDacTime=3.01), None)
        parts.append(block_TC)
        clock.sleep(block / RATE_HZ)
    played_TC = np.concatenate(parts)
    expected_T = np.zeros(len(played_TC), np.float32)
    for start in starts:
        expected_T[start : start + len(click_sound(RATE_HZ))] = click_sound(RATE_HZ)
    assert np.array_equal(played_TC, np.stack([expected_T, expected_T], 1))
    assert output.played_s == pytest.approx([begin_s + 0.01 + start / RATE_HZ for start in starts])


@pytest.mark.parametrize("block", [128, 1000])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_clicks_are_detected_in_the_stream_and_nothing_else(block: int, noise: float) -> None:
    starts = click_starts(20, 0, RATE_HZ, first_s=1.0, gap_s=(0.4, 0.9))
    sound_T = noise * np.random.default_rng(1).standard_normal(starts[-1] + RATE_HZ)
    for start in starts:
        sound_T[start : start + len(click_sound(RATE_HZ))] += 0.5 * click_sound(RATE_HZ)
    detector, found = ClickDetector(RATE_HZ), []
    for begin in range(0, len(sound_T), block):
        part_T = sound_T[begin : begin + block].astype(np.float32)
        behind = detector.feed(part_T)
        if behind is not None:
            found.append(begin + len(part_T) - behind)
    assert detector.feed(np.zeros(0, np.float32)) is None
    assert found == pytest.approx(starts, abs=round(0.001 * RATE_HZ))


def test_no_second_holds_more_than_three_clicks() -> None:
    from engine.ops.calibration.live import CLICKS, GAP_S

    starts_s = np.asarray(click_starts(CLICKS, 0, RATE_HZ, first_s=0.0, gap_s=GAP_S)) / RATE_HZ
    assert max(((starts_s >= s) & (starts_s < s + 1.0)).sum() for s in starts_s) <= 3
