"""The backend of torch-tensorrt up to its import, and its calls against what the documentation says; it runs where a card is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends import graphics_card, torch_tensorrt
from engine.model.backends.selection import open_backend
from engine.model.backends.torch_tensorrt import COMPARED_STEPS, LIBRARY, check_same, compiled, load_library, open_model
from tests.engine.model.backends import backend_contract as contract
from tests.engine.model.backends.test_torch_program import ProbeStep, write_program
from tests.engine.model.probe_model import CARD


@pytest.fixture(scope="module")
def program_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_program(tmp_path_factory.mktemp("program") / "probe.pt2")


class FakeFinder:
    """Makes `import torch_tensorrt` raise what a test wants, as an import hook."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == LIBRARY:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [Exception("No CUDA here"), ImportError("no module"), OSError("libnvinfer.so: cannot open"), RuntimeError()],
)
def test_an_import_that_fails_is_one_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, LIBRARY, raising=False)
    monkeypatch.setattr(sys, "meta_path", [FakeFinder(error), *sys.meta_path])
    with pytest.raises(
        BackendError, match=r'does not load \(.*\); install it with: pip install -e "\.\[tensorrt\]"'
    ) as caught:
        load_library()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [ZeroDivisionError("a fault"), KeyboardInterrupt()])
def test_other_errors_of_the_import_go_on(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, LIBRARY, raising=False)
    monkeypatch.setattr(sys, "meta_path", [FakeFinder(error), *sys.meta_path])
    with pytest.raises(type(error)):
        load_library()


@pytest.mark.parametrize("absent", ["torch", LIBRARY, "card"])
def test_the_obstacle_says_what_to_install(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known: Callable[[str], Any] = lambda name: None if name == absent else object()  # noqa: E731
    monkeypatch.setattr(torch_tensorrt.importlib.util, "find_spec", known)
    card = graphics_card.GraphicsCard("RTX 4090", "8.9", "580.1")
    monkeypatch.setattr(torch_tensorrt, "find_card", lambda: None if absent == "card" else card)
    reason = torch_tensorrt.obstacle() or ""
    assert ("NVIDIA card" if absent == "card" else 'pip install -e ".[tensorrt]"') in reason
    assert "\n" not in reason
    assert LIBRARY not in sys.modules


def test_other_files_are_refused_before_anything_is_loaded(
    probe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_tensorrt, "load_library", pytest.fail)
    with pytest.raises(BackendError, match=r"plays \.pt2 files"):
        open_model(probe_file)
    with pytest.raises(ModelFileError, match="no model file"):
        open_model(tmp_path / "absent.pt2")
    with pytest.raises(BackendError, match="without --compiled"):
        open_model(write_program(tmp_path / "compiled.pt2", kind="compiled", device="cpu", hardware="any"))


def test_without_a_card_it_is_refused_in_one_sentence(program_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY, ModuleType(LIBRARY))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="torch finds none") as caught:
        open_model(program_file)
    assert "\n" not in str(caught.value)


class Documented:
    """torch_tensorrt.dynamo with the arguments that its documentation gives `compile`; it gives the program back."""

    def __init__(self, error: Exception | None = None) -> None:
        self.dynamo = self
        self.error = error
        self.inputs: dict[str, Any] = {}

    def compile(
        self,
        exported_program: Any,
        inputs: Any = None,
        *,
        arg_inputs: Any = None,
        kwarg_inputs: Any = None,
        **settings: bool,
    ) -> Any:
        assert inputs is None
        assert arg_inputs == ()
        assert settings == {"use_explicit_typing": True, "disable_tf32": True}
        self.inputs = kwarg_inputs
        if self.error:
            raise self.error
        return exported_program.module()


def on_the_processor() -> Any:
    """torch, but what is sent to the card stays."""
    return SimpleNamespace(from_numpy=lambda value: SimpleNamespace(to=lambda device: torch.from_numpy(value)))


def test_the_program_is_handed_over_undecomposed_with_every_input_by_name(program_file: Path) -> None:
    library = Documented()
    program = torch.export.load(program_file)
    program.run_decompositions = pytest.fail  # type: ignore[assignment]
    play = compiled(on_the_processor(), library, program, CARD)
    assert {name: tuple(value.shape) for name, value in library.inputs.items()} == {
        i.name: i.shape for i in CARD.input_tensors()
    }
    check_same(torch, ProbeStep(), play, CARD, "cpu", program_file)


def test_a_compilation_that_fails_is_one_sentence(program_file: Path) -> None:
    library = Documented(RuntimeError("no converter\nfor something"))
    with pytest.raises(BackendError, match=r"cannot compile 'probe' \(no converter\)") as caught:
        compiled(on_the_processor(), library, torch.export.load(program_file), CARD)
    assert "\n" not in str(caught.value)


def test_other_frames_than_the_program_are_refused(program_file: Path) -> None:
    steps = 0

    def drifts(**inputs: Tensor) -> dict[str, Tensor]:
        nonlocal steps
        steps += 1
        given = ProbeStep()(**inputs)
        return {**given, "memory_next": given["memory_next"] + 0.02}

    with pytest.raises(BackendError, match="of 255 levels, and at most") as caught:
        check_same(torch, ProbeStep(), drifts, CARD, "cpu", program_file)
    assert steps == COMPARED_STEPS
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(
    torch_tensorrt.obstacle() is not None, reason="torch-tensorrt or an NVIDIA card is missing, see --backends"
)
def test_on_the_card_it_plays_what_onnx_cpu_plays(program_file: Path, probe_file: Path) -> None:
    on_card = open_backend(program_file, "torch-tensorrt")
    contract.check_close(on_card, open_backend(probe_file, "onnx-cpu", threads=1))
    contract.check_cut_anywhere_equals_whole(on_card)
