"""torch.compile changes the time of an iteration and nothing else; where it cannot run, one sentence says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.clips import moving_clip
from tests.training.runs import words


def test_a_compiled_generator_learns_the_same_under_the_same_names(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.training.core.compiled_steps", str(moving_clip(tmp_path / "clip.mp4"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (plain, names), (compiled, compiled_names) = json.loads(done.stdout.splitlines()[-1])
    assert compiled == pytest.approx(plain, rel=2e-3)
    assert compiled_names == names


def test_without_a_compiler_the_run_ends_with_one_sentence(tmp_path: Path) -> None:
    given = words(moving_clip(tmp_path / "clip.mp4"), tmp_path, "--device", "cpu", compile="true")
    done = subprocess.run(
        [sys.executable, "-m", "training.train", *given],
        env={**os.environ, "CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert "compile is true, but torch.compile failed here" in last
    assert "set compile to false" in last
