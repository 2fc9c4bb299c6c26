"""--calibrate with a real sound server and a real screen, and --calibrate-from with a film: whole processes."""

from __future__ import annotations

import ctypes.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import PulseServer, require
from tests.engine.ops.calibration.test_film import write_film
from tests.processes import ENDS_WITHIN_S, environment, run

CLICKS = 12
"""Fewer than in a venue: at a random distance of 0.65 s each, they are most of the time of this test."""


def look_ahead_ms(folder: Path) -> float:
    return yaml.safe_load((folder / "venue.yaml").read_text())["controls"]["look_ahead_ms"]


def test_clicks_come_back_through_the_monitor_source(tmp_path: Path, pulse_server: PulseServer, display: str) -> None:
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    there = {name: pulse_server.environment[name] for name in ("XDG_RUNTIME_DIR", "PULSE_SERVER")}
    flags = ("--calibrate", "--source", "mic:pulse", "--window", "opencv")
    shorter = f"from engine.ops.calibration import command; command.CLICKS = {CLICKS}; import run_live; run_live.run_main(run_live.main)"
    process = subprocess.Popen(
        [sys.executable, "-c", shorter, *flags],
        cwd=tmp_path,
        env=environment(DISPLAY=display, **there),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 0, complained
    returned = re.search(r"(\d+) of (\d+) clicks", said)
    assert returned
    assert int(returned[1]) >= int(returned[2]) // 2
    assert look_ahead_ms(tmp_path) > 0


def test_a_film_gives_the_look_ahead(tmp_path: Path) -> None:
    write_film(tmp_path / "film.mp4", 0.075, 30)
    code, said, complained = run("--calibrate-from", "film.mp4", cwd=tmp_path)
    assert (code, complained) == (0, "")
    assert "venue.yaml sets a look-ahead of" in said
    assert look_ahead_ms(tmp_path) == pytest.approx(75.0, abs=10.0)


def test_a_film_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    code, _, complained = run("--calibrate-from", "absent.mp4", cwd=tmp_path)
    assert code == 2
    assert complained.startswith("error: ")
    assert complained.count("\n") == 1
