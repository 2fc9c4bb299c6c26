"""The command line: flags, dry run, training, Ctrl-C in a process of its own, resuming."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from engine.errors import TrainingError
from tests.training.clips import moving_clip
from training.checkpoint import find_checkpoint, load_generator
from training.train import main

TINY = "configs/train/tiny.yaml"
SMALL = [
    "--set",
    "threads=1",
    "--set",
    "model.image_size=16",
    "--set",
    "model.generator.place_levels=1",
    "--set",
    "sequence_frames=4",
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def words(clip: Path, folder: Path, *more: str) -> list[str]:
    return [
        TINY,
        "--clip",
        str(clip),
        "--run-folder",
        str(folder / "run"),
        "--cache-folder",
        str(folder / "cache"),
        *SMALL,
        *more,
    ]


def test_a_dry_run_prints_what_was_resolved_and_writes_nothing(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(clip, tmp_path, "--iterations", "7", "--minutes", "2", "--dry-run")) == 0
    printed, _, sizes = capsys.readouterr().out.partition("\n---\n")
    resolved = yaml.safe_load(printed)
    assert (resolved["total_iterations"], resolved["minutes"], resolved["clip"]["path"]) == (7, 2.0, str(clip))
    assert resolved["losses"]["adversarial"] == "hinge"
    for line in ("generator", "image discriminator", "video discriminator", "[1, 4, 3, 16, 16]"):
        assert line in sizes
    assert list(tmp_path.iterdir()) == []


def test_a_run_trains_refuses_to_be_overwritten_and_resumes(clip: Path, tmp_path: Path) -> None:
    assert main(words(clip, tmp_path, "--iterations", "2")) == 0
    with pytest.raises(TrainingError, match=r"holds a run already; go on with --resume"):
        main(words(clip, tmp_path, "--iterations", "2"))
    run, cache = str(tmp_path / "run"), str(tmp_path / "cache")
    assert main(["--resume", run, "--iterations", "3", "--cache-folder", cache]) == 0
    assert load_generator(tmp_path / "run").iterations == 3
    with pytest.raises(TrainingError, match=r"another model\.image_size"):
        main(["--resume", run, "--set", "model.image_size=32", "--iterations", "4", "--cache-folder", cache])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "Nothing to train"),
        ([TINY], "names no clip"),
        ([TINY, "--clip", "absent.mp4"], "absent.mp4 does not exist"),
        ([TINY, "--set", "losses.l1"], "has no '='"),
        ([TINY, "--set", "losses.l9=1"], r"losses\.l9"),
        (["configs/train/absent.yaml"], "Cannot read the configuration"),
        (["--resume", "absent"], "neither a checkpoint nor a run folder"),
    ],
)
def test_wrong_flags_are_a_sentence(tmp_path: Path, flags: list[str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        main([*flags, "--run-folder", str(tmp_path / "run")] if "--resume" not in flags else flags)


def test_a_clip_that_is_too_short_says_how_long_it_must_be(tmp_path: Path) -> None:
    short = moving_clip(tmp_path / "short.mp4", seconds=0.2)
    with pytest.raises(TrainingError, match=r"has 4 pictures .* at least 10 are needed"):
        main(words(short, tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a whole console group on Windows")
def test_control_c_writes_a_checkpoint_and_leaves(clip: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "training.train",
        *words(clip, tmp_path, "--iterations", "100000", "--set", "intervals.log=1"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    stats = tmp_path / "run" / "stats.jsonl"
    deadline = time.monotonic() + 60
    while not stats.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "--resume" in output
    assert "Traceback" not in errors
    assert int(find_checkpoint(tmp_path / "run").name) >= 1
