"""The show's own meter and the suite agree where they measure the same."""

from __future__ import annotations

import numpy as np
import pytest

from engine.render.sync_meter import measure
from training.evaluation.synchrony.av_align import av_align

FPS = 20.0


@pytest.mark.parametrize("seed", range(20))
def test_the_sync_meter_matches_onsets_and_peaks_as_av_align_v2025_does(seed: int):
    random = np.random.default_rng(seed)
    # Peaks stand out, so that each counts here and there, and nothing happens at the ends, which the meter does not judge.
    motion_B = np.where(random.random(200) < 0.1, 50.0 + random.random(200), random.random(200) * 0.2)
    motion_B[:5] = motion_B[-5:] = 0.0
    motion_B[1:][(motion_B[1:] > 50.0) & (motion_B[:-1] > 50.0)] = 0.0
    onsets_N = np.sort(random.uniform(5.0, 195.0, 25))
    is_peak = motion_B > 50.0
    flow_B = np.where(is_peak, motion_B, 0.0)
    expected = av_align(onsets_N / FPS, flow_B, FPS, "v2025")
    assert measure(motion_B, onsets_N, 1.0 / FPS).value == pytest.approx(expected)
