"""--context from the command line: a still, a clip, the replay of a take, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.engine.model.context.test_context_frames import write_clip, write_still
from tests.engine.model.probe_model import write_looking_probe
from tests.training.clips import write_wav


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run_live.py", *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )


def mean_levels(film: Path) -> list[float]:
    with av.open(str(film)) as container:
        return [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "silence.wav", np.zeros(16000, np.float32))


def test_a_rendering_looks_at_the_context(tmp_path: Path, sound: Path) -> None:
    model, clip = write_looking_probe(tmp_path / "looking.onnx"), write_clip(tmp_path / "clip.mp4", [40, 200])
    came = run("--model", model, "--render", sound, tmp_path / "film.mp4", "--context", clip)
    assert came.returncode == 0, came.stderr
    assert "context  clip.mp4, 48x32, 0.2 s that go round, its middle as 16x12" in came.stdout
    levels = mean_levels(tmp_path / "film.mp4")
    assert [level > 120 for level in levels[:6]] == [False, False, True, True, False, False]


def test_a_replay_looks_at_what_its_take_was_recorded_with(tmp_path: Path, sound: Path) -> None:
    model, still = write_looking_probe(tmp_path / "looking.onnx"), write_still(tmp_path / "photo.png", 200)
    take = tmp_path / "take"
    show = ("--model", model, "--source", sound, "--out", "null", "--no-osc", "--context", still, "--take", take)
    recorded = run(*show)
    assert recorded.returncode == 0, recorded.stderr
    replayed = run("--replay", take, tmp_path / "film.mp4")
    assert replayed.returncode == 0, replayed.stderr
    assert "context  photo.png, 40x30, its middle as 16x12" in replayed.stdout
    assert min(mean_levels(tmp_path / "film.mp4")) > 180
    other = run("--replay", take, tmp_path / "other.mp4", "--context", write_still(tmp_path / "dark.png", 60))
    assert other.returncode == 0, other.stderr
    assert max(mean_levels(tmp_path / "other.mp4")) < 90


def test_a_context_that_is_not_there_is_one_sentence(tmp_path: Path, sound: Path) -> None:
    model = write_looking_probe(tmp_path / "looking.onnx")
    came = run("--model", model, "--render", sound, tmp_path / "film.mp4", "--context", "nothing.jpg")
    assert came.returncode == 2
    assert "context is 'nothing.jpg', and there is no such file; give the path of a still or a clip." in came.stderr
    assert "Traceback" not in came.stderr
