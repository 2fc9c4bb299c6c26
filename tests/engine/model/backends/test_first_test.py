"""An unknown model is tested in a process of its own; what fails there decides who is at fault."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engine.core.errors import BackendError, ModelFileError, StoppedError
from engine.model.backends import first_test, onnx_cpu, selection, tensorrt_rtx
from engine.model.backends.first_test import FirstTestWatch
from engine.model.backends.selection import open_backend, open_with_fallback
from engine.model.content import FileContent, read_content
from engine.model.file import sealed
from tests.engine.model.backends.test_plan_file import write_plan
from tests.engine.model.probe_model import CARD, program
from tests.engine.model.switchers import Stage

ROOT = Path(__file__).parents[4]
TESTED_WITHIN_S = 60.0

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks are those of POSIX")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(path: Path, model: Any) -> Path:
    path.write_bytes(sealed(model.SerializeToString(), CARD))
    return path


def run(content: FileContent, watch: FirstTestWatch | None = None) -> None:
    first_test.run_first_test(content, "onnx-cpu", "onnx_cpu", 1, lambda line: None, watch or FirstTestWatch())


def write_failing(path: Path) -> Path:
    """Write a probe that asks for a row of its frame that silence does not have: its step fails wherever it plays."""
    model = program(CARD)
    model.graph.initializer.append(numpy_helper.from_array(np.array([7], np.int64), "far"))
    features = next(node for node in model.graph.node if "features" in node.output)
    features.output[0] = "own_features"
    model.graph.node.append(helper.make_node("NonZero", ["audio"], ["loud"]))
    model.graph.node.append(helper.make_node("Gather", ["loud", "far"], ["seventh"], axis=1))
    model.graph.node.append(helper.make_node("Cast", ["seventh"], ["number"], to=1))
    model.graph.node.append(helper.make_node("Mul", ["number", "zero"], ["nothing"]))
    model.graph.node.append(helper.make_node("Reshape", ["nothing", "one_axis"], ["flat"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "one_axis"))
    model.graph.node.append(helper.make_node("Add", ["own_features", "flat"], ["features"]))
    onnx.checker.check_model(model)
    return write(path, model)


def test_an_unknown_model_is_tested_once_for_each_backend_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = write(tmp_path / "stranger.onnx", program(CARD)), []
    for _ in range(2):
        assert open_backend(path, "onnx-cpu", threads=1, tell=told.append).card == CARD
    assert told == ["First time with this model: testing 'stranger.onnx' on onnx-cpu ..."]
    path.write_bytes(sealed(program(CARD).SerializeToString(), replace(CARD, name="other")))
    open_backend(path, "onnx-cpu", threads=1, tell=told.append)
    assert len(told) == 2


def test_code_in_the_current_folder_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("open('ran', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    path = write(tmp_path / "stranger.onnx", program(CARD))
    open_backend(path, "onnx-cpu", threads=1)
    assert not (tmp_path / "ran").exists()


def test_where_nothing_can_be_kept_it_is_tested_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    path, told = write(tmp_path / "stranger.onnx", program(CARD)), []
    open_backend(path, "onnx-cpu", threads=1, tell=told.append)
    assert "cannot be kept" in told[1]


def test_a_model_whose_step_fails_is_refused_and_not_handed_on(tmp_path: Path) -> None:
    path, told = write_failing(tmp_path / "failing.onnx"), []
    with pytest.raises(ModelFileError, match=r"cannot be played: .*the step failed .* tested on ") as caught:
        open_backend(path, threads=1, tell=told.append)
    assert len(told) == 1
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        pytest.param(
            "signal", ModelFileError, r"ended the process that tested it on onnx-cpu \(SIGSEGV\)", marks=posix
        ),
        pytest.param("late", ModelFileError, "took longer than 2 s to open and play", marks=posix),
        pytest.param("leaves a child", ModelFileError, r"\(code 0x3\)", marks=posix),
        ("step", ModelFileError, "cannot be played: onnx-cpu: the step failed"),
        ("file", ModelFileError, r"^onnx-cpu: the step failed \(because\)\.$"),
        ("backend", BackendError, r"^onnx-cpu: the step failed \(because\)\.$"),
        ("nothing known", ModelFileError, r"\(code 0x0\)"),
    ],
)
def test_every_end_of_the_process_is_one_sentence(
    how: str, error: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUID_TEST_END", how)
    monkeypatch.setenv("FLUID_TEST_ID", str(tmp_path / "id"))
    monkeypatch.setattr(first_test, "PROCESS", "tests.engine.model.backends.fault_process")
    if how == "late":
        monkeypatch.setattr(first_test, "OPENS_WITHIN_S", 1.0)
        monkeypatch.setattr(first_test, "PLAYS_WITHIN_S", 1.0)
    content = read_content(write(tmp_path / "stranger.onnx", program(CARD)))
    with pytest.raises(error, match=says) as caught:
        run(content)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_where_the_backend_is_at_fault_the_next_one_is_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[str] = []

    def refuse(content: object, backend: str, *others: object) -> None:
        refused.append(backend)
        raise BackendError(f"{backend} lacks an operator of this file.")

    monkeypatch.setattr(selection, "run_first_test", refuse)
    with pytest.raises(BackendError, match=r"No backend plays .*onnx-cpu lacks an operator"):
        open_backend(write(tmp_path / "stranger.onnx", program(CARD)))
    assert refused[0] == "onnx-cpu"


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    content = read_content(write(tmp_path / "stranger.onnx", program(CARD)))
    content.path.write_bytes(b"another file")
    with pytest.raises(ModelFileError, match="changed while it was tested"):
        run(content)


@posix
def test_a_test_that_is_stopped_ends_its_process_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id_file, waits_s = tmp_path / "id", list[float]()
    monkeypatch.setenv("FLUID_TEST_END", "late")
    monkeypatch.setenv("FLUID_TEST_ID", str(id_file))
    monkeypatch.setattr(first_test, "PROCESS", "tests.engine.model.backends.fault_process")
    content = read_content(write(tmp_path / "stranger.onnx", program(CARD)))
    watch = FirstTestWatch(lambda: id_file.exists() and bool(id_file.read_text()), waits_s.append)
    with pytest.raises(StoppedError):
        run(content, watch)
    with pytest.raises(ProcessLookupError):
        os.kill(int(id_file.read_text()), 0)
    assert waits_s == [first_test.OPENS_WITHIN_S + first_test.PLAYS_WITHIN_S, 0.0]
    # It has not passed.
    monkeypatch.setenv("FLUID_TEST_END", "step")
    with pytest.raises(ModelFileError):
        run(content)


@pytest.mark.parametrize("at_fault", [False, True])
def test_a_plan_beside_a_known_model_is_tested_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_fault: bool
) -> None:
    """The plan plays in place of the model, and may be a stranger's."""
    model = write(tmp_path / "known.onnx", program(CARD))
    plan = write_plan(tmp_path / "known.plan", model)
    tested, opened = list[Path](), list[object]()

    def test(content: FileContent, *others: object) -> None:
        tested.append(content.path)
        if at_fault and content.path == plan:
            raise ModelFileError(f"{plan} ended the process that tested it on tensorrt-rtx (SIGSEGV).")

    monkeypatch.setattr(selection, "run_first_test", test)
    monkeypatch.setattr(tensorrt_rtx, "obstacle", lambda: None)

    def open_opened(content: FileContent, threads: int | None) -> object:
        opened.append(content)
        return onnx_cpu.open_model(content, threads)

    monkeypatch.setattr(tensorrt_rtx, "open_model", open_opened)
    if at_fault:
        with pytest.raises(BackendError, match="SIGSEGV"):
            open_backend(model, "tensorrt-rtx")
        assert opened == []
        # The model itself is not at fault, and plays on the next backend.
        monkeypatch.setattr(selection, "MODULES", {"tensorrt-rtx": "tensorrt_rtx", "onnx-cpu": "onnx_cpu"})
        assert open_backend(model, threads=1).name == "onnx-cpu"
        return
    open_backend(model, "tensorrt-rtx")
    assert tested == [model, plan]
    assert len(opened) == 1


def test_no_other_backend_is_tried_once_the_test_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[str] = []

    def stop(content: object, backend: str, *others: object) -> None:
        tested.append(backend)
        raise StoppedError("stopped.")

    monkeypatch.setattr(selection, "run_first_test", stop)
    with pytest.raises(StoppedError):
        open_backend(write(tmp_path / "stranger.onnx", program(CARD)))
    assert len(tested) == 1


@posix
def test_more_memory_than_half_the_machine_has_is_an_error_of_the_child_alone(tmp_path: Path) -> None:
    model = program(CARD)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1 << 19, 1 << 19], np.int64), "vast"))
    model.graph.node.insert(0, helper.make_node("Expand", ["gain", "vast"], ["terabyte"]))
    features = next(node for node in model.graph.node if "features" in node.output)
    features.output[0] = "own_features"
    model.graph.node.append(helper.make_node("ReduceMax", ["terabyte"], ["largest"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["own_features", "largest"], ["features"]))
    path = write(tmp_path / "vast.onnx", model)
    with pytest.raises((BackendError, ModelFileError), match=r"memory|alloc|SIG") as caught:
        open_backend(path, "onnx-cpu", threads=1)
    assert str(caught.value).isprintable()
    assert os.path.exists(path)


def test_a_show_goes_on_with_its_model_when_an_unknown_one_fails(probe_file: Path, tmp_path: Path) -> None:
    stage, told = Stage(probe_file), []
    stage.open_model = lambda path: open_with_fallback(path, selection.AUTO, 1, lambda line: None, told.append)
    stage.play(0, 3)
    for number, path in enumerate(
        (write_failing(tmp_path / "failing.onnx"), write(tmp_path / "good.onnx", program(CARD)))
    ):
        stage.switcher.swap_to(str(path))
        # Steps go on while the test runs in the background.
        stage.play(3 + number, 4 + number)
        assert stage.switcher.wait_until_open(TESTED_WITHIN_S)
        stage.play(5 + number, 6 + number)
    assert [line.partition(":")[0] for line in told] == ["First time with this model"] * 2
    assert len(stage.told) == 1
    assert stage.told[0].endswith("probe keeps playing.")
    stage.play(7, 8)
    assert stage.switcher.playing_path == str(tmp_path / "good.onnx")


def test_the_command_says_that_it_tests_and_remembers_it(tmp_path: Path) -> None:
    path, told = write(tmp_path / "stranger.onnx", program(CARD)), []
    command = [sys.executable, str(ROOT / "run_live.py"), "--no-osc", "--source", "tone", "--out", "null"]
    arguments = [*command, "--seconds", "0.2", "--backend", "onnx-cpu", "--model", str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "First time with this model: testing 'stranger.onnx' on onnx-cpu ..." in done.stdout
    open_backend(path, "onnx-cpu", tell=told.append)
    assert told == []
