"""A run that is killed at any moment and resumed ends with the weights of one that never was."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terminals import Terminal
from tests.training.clips import moving_clip
from tests.training.runs import ONE_THREAD, words
from training.logging.records import read_records
from training.loop.run_folder import checkpoint_folders

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills forked processes")

ITERATIONS = 12
SETTINGS = {
    "deterministic": "true",
    "losses__adversarial_from_iteration": 3,
    "intervals__log": 1,
    "intervals__sample": 5,
    "intervals__checkpoint": 2,
    "intervals__milestone": 4,
}
WEIGHTS = ("generator.safetensors", "training.safetensors")
KILLED_AT_OPERATIONS = Path(__file__).with_name("killed_at_operations.py")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="module")
def folders(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Train one run without interruption and one that is killed again and again."""
    folder = tmp_path_factory.mktemp("runs")
    whole, killed = folder / "whole", folder / "killed"
    command = words(clip, folder, "--iterations", str(ITERATIONS), **SETTINGS)
    driver = subprocess.run(
        [sys.executable, str(KILLED_AT_OPERATIONS), str(whole), str(killed), *command],
        capture_output=True,
        text=True,
        env=ONE_THREAD,
        timeout=300,
        check=False,
    )
    assert driver.returncode == 0, driver.stderr[-3000:]
    assert "damaged" not in driver.stderr
    assert int(driver.stdout.split()[-1]) >= 6, driver.stdout
    return whole, killed


def start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "training.train", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ONE_THREAD,
    )


def kill_when(process: subprocess.Popen[str], moment: Callable[[], bool]) -> str:
    deadline = time.monotonic() + 120
    while not moment() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    return errors


def assert_same_end(run: Path, whole: Path) -> None:
    names = [folder.name for folder in checkpoint_folders(whole)]
    assert names == ["0000004", "0000008", "0000010", "0000012"]
    assert [folder.name for folder in checkpoint_folders(run)] == names
    for name in names:
        for file in WEIGHTS:
            ours, theirs = (folder / "checkpoints" / name / file for folder in (run, whole))
            assert ours.read_bytes() == theirs.read_bytes(), f"{name}/{file}"
    logged = [record["iteration"] for record in read_records(run / "stats.jsonl") if "l1" in record]
    assert logged == list(range(1, ITERATIONS + 1))
    validated = [record["iteration"] for record in read_records(run / "stats.jsonl") if "validation" in record]
    assert validated == [5, 10, 12]
    assert [path for path in run.rglob("*.part")] == []


def test_a_run_killed_between_any_two_file_operations_ends_with_the_same_weights(folders: tuple[Path, Path]) -> None:
    assert_same_end(folders[1], folders[0])


def test_a_run_killed_from_outside_ends_with_the_same_weights(
    clip: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    run, cache = tmp_path / "run", str(tmp_path / "cache")
    resume = ["--resume", str(run), "--cache-folder", cache]
    first = start(words(clip, tmp_path, "--iterations", str(ITERATIONS), **SETTINGS))
    kill_when(first, lambda: len([r for r in read_records(run / "stats.jsonl") if "l1" in r]) >= 5)
    reached = len(checkpoint_folders(run))
    assert reached >= 2
    kill_when(
        start(resume), lambda: bool(list((run / "checkpoints").glob(".*.part"))) or len(checkpoint_folders(run)) > 2
    )
    last = start(resume)
    output, errors = last.communicate(timeout=240)
    assert last.returncode == 0, errors
    assert "damaged" not in errors
    assert "12 iterations" in output
    assert_same_end(run, folders[0])
    told = [record["event"] for record in read_records(run / "stats.jsonl") if "event" in record]
    assert told == ["started", "resumed", "resumed", "finished"]
    assert "12 iterations" in (run / "report.html").read_text()


SIGNALLED_ITERATIONS = 80


@pytest.fixture(scope="module")
def unsignalled(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a run that no signal interrupts."""
    folder = tmp_path_factory.mktemp("unsignalled")
    whole = start(words(clip, folder, "--iterations", str(SIGNALLED_ITERATIONS), **UNSAVED))
    _, errors = whole.communicate(timeout=240)
    assert whole.returncode == 0, errors
    return folder / "run"


UNSAVED = {"deterministic": "true", "intervals__log": 1, "intervals__sample": 0, "intervals__checkpoint": 0}
"""Settings of a run that writes a checkpoint at its end alone."""


def wait_for_iterations(run: Path) -> None:
    deadline = time.monotonic() + 120
    while len([record for record in read_records(run / "stats.jsonl") if "l1" in record]) < 5:
        assert time.monotonic() < deadline, "it does not train"
        time.sleep(0.005)


def assert_resumes_exactly(run: Path, cache: Path, unsignalled: Path) -> None:
    reached = [int(folder.name) for folder in checkpoint_folders(run)]
    assert len(reached) == 1
    assert 5 <= reached[0] < SIGNALLED_ITERATIONS
    assert "interrupted" in (run / "report.html").read_text()
    last = start(["--resume", str(run), "--cache-folder", str(cache)])
    _, errors = last.communicate(timeout=240)
    assert last.returncode == 0, errors
    for file in WEIGHTS:
        ours, theirs = (folder / "checkpoints" / f"{SIGNALLED_ITERATIONS:07}" / file for folder in (run, unsignalled))
        assert ours.read_bytes() == theirs.read_bytes(), file


@pytest.mark.parametrize("numbers", [50 * [signal.SIGTERM], 2 * [signal.SIGHUP], 2 * [signal.SIGINT]])
def test_signals_write_a_checkpoint_and_the_run_resumes_exactly(
    clip: Path, unsignalled: Path, tmp_path: Path, numbers: list[signal.Signals]
) -> None:
    training = start(words(clip, tmp_path, "--iterations", str(SIGNALLED_ITERATIONS), **UNSAVED))
    wait_for_iterations(tmp_path / "run")
    for number in numbers:
        training.send_signal(number)
    output, errors = training.communicate(timeout=60)
    assert training.returncode == 0, errors
    assert "--resume" in output
    assert_resumes_exactly(tmp_path / "run", tmp_path / "cache", unsignalled)


def test_a_closed_terminal_writes_a_checkpoint_and_the_run_resumes_exactly(
    clip: Path, unsignalled: Path, tmp_path: Path
) -> None:
    command = words(clip, tmp_path, "--iterations", str(SIGNALLED_ITERATIONS), **UNSAVED)
    terminal = Terminal([sys.executable, "-m", "training.train", *command], Path.cwd(), ONE_THREAD)
    try:
        wait_for_iterations(tmp_path / "run")
        terminal.close()
        assert terminal.process.wait(60) == 0
    finally:
        terminal.process.kill()
    assert_resumes_exactly(tmp_path / "run", tmp_path / "cache", unsignalled)
