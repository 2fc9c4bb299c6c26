"""Synchrony of made signals with known results."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from training.evaluate_synchrony import main
from training.evaluation.metrics.synchrony import loudness, motion, synchrony

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_motion_that_follows_the_sound_is_found_with_its_lag(lag: int) -> None:
    loud = RANDOM.random(300)
    moved = np.roll(3.0 * loud + 1.0, lag)
    found = synchrony(loud, moved)
    assert found.correlation == pytest.approx(1.0)
    assert found.lag_frames == lag
    assert abs(found.floor_mean) < 0.2
    assert found.above_floor > 8
    assert found.shifts >= 20


def test_independent_motion_is_at_the_floor() -> None:
    found = synchrony(RANDOM.random(400), RANDOM.random(400))
    assert abs(found.correlation) < 0.2
    assert abs(found.above_floor) < 3


def test_motion_before_the_sound_does_not_count() -> None:
    loud = RANDOM.random(300)
    assert synchrony(loud, np.roll(loud, -1)).correlation < 0.3


def test_still_frames_have_no_correlation() -> None:
    found = synchrony(RANDOM.random(100), np.zeros(100))
    assert found.correlation == 0.0
    assert found.floor_mean == 0.0


def test_loudness_of_known_levels() -> None:
    sound = np.repeat(np.array([0.0, 0.1, 1.0], np.float32), 800)
    assert loudness(sound, 4, 800).tolist() == pytest.approx([-60.0, -20.0, 0.0, -60.0])
    assert loudness(sound, 3, 800, "linear").tolist() == pytest.approx([0.0, 0.1, 1.0], abs=1e-6)
    assert len(loudness(sound, 7, 16000 / 30)) == 7


def test_motion_is_the_mean_difference() -> None:
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    frames[1:] = 10
    frames[2, :2] = 250
    assert motion(frames).tolist() == [0.0, 10.0, 120.0]


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(TrainingError, match="has 19 frames; at least 20"):
        synchrony(np.ones(19), np.ones(19))


def test_the_command_does_not_overwrite_what_it_measures(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", seconds=4.0)
    before = clip.read_bytes()
    with pytest.raises(TrainingError, match="would overwrite what is read from"):
        main([str(clip), "--json", str(clip)])
    assert clip.read_bytes() == before


def test_the_command_measures_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", seconds=4.0)
    record = tmp_path / "synchrony.json"
    assert main([str(clip), "--ceiling", str(clip), "--json", str(record)]) == 0
    found = json.loads(record.read_text())
    assert found["video"]["correlation"] > 0.8
    assert found["video"]["lag_frames"] == 0
    assert found["video"] == found["ceiling"]
    assert "video clip.mp4" in capsys.readouterr().out
