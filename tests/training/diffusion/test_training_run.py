"""A run ends at its last iteration or when it is asked to, leaves its losses once each, and says what it cannot write."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from engine.core.errors import TrainingError
from tests.training.diffusion.shared_learning import train_both, write_given
from training.diffusion.avsyncd.learner import UNET_FILE
from training.diffusion.iterations import checkpoint_place
from training.diffusion.tempotokens.mapper_training import WEIGHTS
from training.diffusion.training_run import LOSSES, RunPlan, run


@dataclass
class Counter:
    """Learns the number of the iteration."""

    iteration: int = 0
    network: nn.Module = field(default_factory=lambda: nn.Linear(1, 1))
    interrupted_at: int = -1

    def learn(self) -> float:
        self.iteration += 1
        if self.iteration == self.interrupted_at:
            os.kill(os.getpid(), signal.SIGINT)
        return float(self.iteration)

    def save(self, folder: Path) -> Path:
        place = checkpoint_place(folder, self.iteration)
        place.mkdir()
        torch.save({}, place / "weights")
        return place


def plan(folder: Path, iterations: int = 5) -> RunPlan:
    return RunPlan(folder, "ckpts", iterations, checkpoint_every=2)


def saved(folder: Path) -> list[str]:
    return sorted(place.name for place in (folder / "ckpts").iterdir())


def losses(folder: Path) -> list[int]:
    return [json.loads(line)["iteration"] for line in (folder / LOSSES).read_text().splitlines()]


def test_a_run_saves_now_and_then_and_at_its_end(tmp_path: Path) -> None:
    one = Counter()
    assert run(one, one.learn, plan(tmp_path / "run"))
    assert saved(tmp_path / "run") == ["checkpoint-2", "checkpoint-4", "checkpoint-5"]
    assert losses(tmp_path / "run") == [1, 2, 3, 4, 5]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, as in a terminal; a process that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_run_that_is_asked_to_stop_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = Counter(interrupted_at=3)
    assert not run(one, one.learn, plan(tmp_path))
    assert saved(tmp_path) == ["checkpoint-2", "checkpoint-3"]
    assert "stopped after iteration 3; the same command with --resume goes on" in capsys.readouterr().out
    # As before: the next Ctrl-C is not swallowed.
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_iterations_that_are_done_again_are_written_once(tmp_path: Path) -> None:
    """A process that was killed after iteration 5 goes on from checkpoint 4; half a line and half a checkpoint are of the kill."""
    first = Counter()
    run(first, first.learn, plan(tmp_path, 4))
    with (tmp_path / LOSSES).open("a") as file:
        file.write('{"iteration": 5, "loss": 5.0}\n{"iterat')
    (tmp_path / "ckpts" / ".checkpoint-6.123.part").mkdir()
    second = Counter(iteration=4)
    assert run(second, second.learn, plan(tmp_path, 6))
    assert losses(tmp_path) == [1, 2, 3, 4, 5, 6]
    assert not list((tmp_path / "ckpts").glob("*.part"))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    one = Counter()
    with pytest.raises(TrainingError, match=r"Cannot write to .*run .*choose another --run-folder"):
        run(one, one.learn, plan(tmp_path / "file" / "run"))


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one process has trained both families, and two processes have gone on from its second iteration."""
    folder = tmp_path_factory.mktemp("shared")
    write_given(folder)
    (folder / "one").mkdir()
    train_both(folder, folder / "one", 2)
    shutil.copytree(folder / "one", folder / "two")
    train_both(folder, folder / "one", 4, "--resume")
    process = subprocess.run(
        [*TORCHRUN, "-m", "tests.training.diffusion.shared_learning", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=600,
    )
    assert process.returncode == 0, process.stderr
    # The first process alone speaks.
    assert process.stdout.count("checkpoint-4: loss") == 2
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="torch's wheels for Windows rendezvous without libuv only")
@pytest.mark.parametrize(
    ("family", "file"), [("avsyncd", f"ckpts/checkpoint-4/{UNET_FILE}"), ("tempotokens", f"checkpoint-4/{WEIGHTS}")]
)
def test_two_processes_go_on_as_one_does(shared: Path, family: str, file: str) -> None:
    """They add the same numbers in another order."""
    one, two = (shared / count / family for count in ("one", "two"))
    lines = [[json.loads(line) for line in (run / LOSSES).read_text().splitlines()] for run in (one, two)]
    assert [line["iteration"] for line in lines[1]] == [1, 2, 3, 4]
    assert [line["loss"] for line in lines[1]] == pytest.approx([line["loss"] for line in lines[0]], rel=1e-4)
    before = load_file(one / file.replace("checkpoint-4", "checkpoint-2")) if family == "tempotokens" else {}
    weights = load_file(two / file)
    for name, value in load_file(one / file).items():
        torch.testing.assert_close(weights[name], value, rtol=0.0, atol=3e-4, msg=lambda m, name=name: f"{name}: {m}")
    assert all(not torch.equal(value, weights[name]) for name, value in before.items() if name.endswith("fc1.weight"))
