"""torch.compile changes the time of an iteration and nothing else; where it cannot run, one sentence says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.clips import moving_clip
from tests.training.runs import MODEL, PLAIN, small_config, words
from training.data.cache import load_clip
from training.trainer import Trainer


def test_a_compiled_generator_learns_the_same_under_the_same_names(tmp_path: Path) -> None:
    found, names = {}, {}
    for compiled in (False, True):
        config = small_config(PLAIN, compile=compiled, model=MODEL)
        trainer = Trainer(config, load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path))
        found[compiled] = [float(trainer.step()["l1"]) for _ in range(2)]
        names[compiled] = list(trainer.model.state_dict())
    assert found[True] == pytest.approx(found[False], rel=1e-4)
    assert names[True] == names[False]


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
