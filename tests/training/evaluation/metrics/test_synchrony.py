"""Synchrony of made signals with known results."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from tests.training.clips import RATE_HZ, moving_clip, numbered_frames, write_clip
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


@pytest.mark.parametrize("fps", [-3, 0, 241])
def test_a_rate_that_is_none_is_refused(fps: int, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"--fps is {fps}; 1 to 240 was expected"):
        main([str(tmp_path / "clip.mp4"), "--fps", str(fps)])


def test_the_command_measures_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", seconds=4.0)
    record = tmp_path / "synchrony.json"
    assert main([str(clip), "--ceiling", str(clip), "--json", str(record)]) == 0
    found = json.loads(record.read_text())
    assert found["video"]["correlation"] > 0.8
    assert found["video"]["lag_frames"] == 0
    assert found["video"] == found["ceiling"]
    assert "video clip.mp4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sound_S", "is_still", "sentence"),
    [
        (np.zeros(4 * RATE_HZ), False, "the sound is silent"),
        (0.3 * np.sin(2763.0 * np.arange(4 * RATE_HZ) / RATE_HZ), False, "varies by less than 0.5 dB"),
        (RANDOM.normal(0.0, 0.1, 4 * RATE_HZ), True, "its frames never change"),
    ],
)
def test_where_nothing_can_be_in_time_the_command_says_undefined(
    sound_S: np.ndarray, is_still: bool, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = np.full((80, 48, 64, 3), 60, np.uint8) if is_still else numbered_frames(80, 64, 48)
    clip = write_clip(tmp_path / "clip.mp4", frames, sound_S.astype(np.float32)[None])
    record = tmp_path / "synchrony.json"
    assert main([str(clip), "--json", str(record)]) == 0
    said = capsys.readouterr().out
    assert "undefined" in said
    assert sentence in said
    assert json.loads(record.read_text())["video"] == {"file": str(clip), "correlation": None}


def test_a_film_of_few_frames_is_undefined_and_one_measured_above_its_rate_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", seconds=0.8)
    assert main([str(clip)]) == 0
    assert "has 16 frames; loudness-motion needs 20" in capsys.readouterr().out
    assert main([str(clip), "--fps", "60"]) == 0
    assert "is measured at 60, so frames repeat" in capsys.readouterr().out
