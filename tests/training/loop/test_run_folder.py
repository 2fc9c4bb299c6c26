"""The folder of a run: which checkpoints there are, which are kept, who may write."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.errors import TrainingError
from training.loop.run_folder import (
    checkpoint_folder,
    checkpoint_folders,
    claimed,
    find_checkpoint,
    prune_checkpoints,
    run_of,
    set_aside,
)


def checkpoints(run: Path, *iterations: int) -> None:
    for each in iterations:
        checkpoint_folder(run, each).mkdir(parents=True)
        (checkpoint_folder(run, each) / "checkpoint.json").write_text("{}")


def names(run: Path) -> list[int]:
    return [int(folder.name) for folder in checkpoint_folders(run)]


def test_a_run_folder_means_its_newest_complete_checkpoint(tmp_path: Path) -> None:
    checkpoints(tmp_path, 20, 100, 5)
    checkpoint_folder(tmp_path, 200).mkdir()
    (tmp_path / "checkpoints" / ".0000300.9.part").mkdir()
    assert names(tmp_path) == [5, 20, 100]
    assert find_checkpoint(tmp_path) == checkpoint_folder(tmp_path, 100)
    assert find_checkpoint(checkpoint_folder(tmp_path, 5)).name == "0000005"
    assert run_of(checkpoint_folder(tmp_path, 5)) == tmp_path
    assert run_of(tmp_path) == tmp_path
    set_aside(checkpoint_folder(tmp_path, 100))
    assert names(tmp_path) == [5, 20]


def test_the_newest_roll_and_milestones_stay(tmp_path: Path) -> None:
    checkpoints(tmp_path, 10, 20, 30, 40, 50, 60)
    prune_checkpoints(tmp_path, 2, milestone=30)
    assert names(tmp_path) == [30, 50, 60]
    prune_checkpoints(tmp_path, 1)
    assert names(tmp_path) == [60]
    assert [entry.name for entry in (tmp_path / "checkpoints").iterdir()] == ["0000060"]


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    held = "import sys; from training.loop.run_folder import claimed; from pathlib import Path\n"
    held += "with claimed(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", held, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match="is being trained by another process"), claimed(tmp_path / "run"):
            pass
        process.kill()
    with claimed(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(TrainingError, match=r"Cannot write to .*choose another --run-folder"),
        claimed(tmp_path / "file"),
    ):
        pass
