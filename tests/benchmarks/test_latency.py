"""The click test itself, with a few clicks through the real show. Times are not judged."""

from __future__ import annotations

import ctypes.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.ops.calibration.film import offset_of_film
from tests.conftest import require

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = 120.0


def click_test(*options: str) -> subprocess.CompletedProcess[str]:
    for program, package in (("pulseaudio",) * 2, ("pactl", "pulseaudio-utils"), ("Xvfb", "xvfb"), ("openbox",) * 2):
        require(shutil.which(program), f"{program} (apt install {package})")
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    command = [sys.executable, "-m", "benchmarks.latency", "--no-record", "--size", "32", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def test_clicks_become_light_and_a_film_of_it_gives_the_same_offset(tmp_path: Path) -> None:
    clicks = 12
    process = click_test(
        "--fps", "20", "--clicks", str(clicks), "--json", str(tmp_path / "a.json"), "--png", str(tmp_path / "a.png"),
        "--film", str(tmp_path / "film.mp4"),
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    figures = json.loads((tmp_path / "a.json").read_text())
    assert len(figures["clicks"]) == clicks
    seen = figures["sound_to_light_ms"]
    assert seen["count"] + figures["missed"] + figures["lost_by_server"] == clicks
    assert seen["count"] >= clicks // 2
    assert seen["min"] <= seen["p50"] <= seen["p95"] <= seen["p99"] <= seen["max"]
    assert {
        "capture block, waking the step",
        "resampler",
        "wait for the hop",
        "step",
        "present",
        "sound to light",
    } <= set(figures["stages_ms"])
    assert (tmp_path / "a.png").stat().st_size > 1000
    # A film resolves a flash to a frame interval, the click test to a millisecond or two.
    offset = offset_of_film(tmp_path / "film.mp4")
    assert 1e3 * offset.median_s == pytest.approx(seen["p50"], abs=40.0)


def test_a_missing_model_is_reported() -> None:
    process = click_test("--model", "nowhere.onnx", "--clicks", "1")
    assert process.returncode == 2
    assert "nowhere.onnx" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("latency", "--beside", "projektm"), "no program 'projektm' to measure beside. Did you mean 'projectm'"),
        (("latency", "--beside", "gstreamer", "--server", "jack"), "--beside needs --server pulse"),
        (("capture", "--ways", "parec"), "'parec' is no way in; NAME:SIZE was expected"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{arguments[0]}", "--no-record", *arguments[1:]]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert process.returncode == 2
    assert says in process.stderr
    assert process.stderr.count("\n") == 1
