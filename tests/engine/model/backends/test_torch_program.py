"""The backend of torch programs on the processor: the contract of a step, the ping-pong buffers, and the refused files."""

from __future__ import annotations

import inspect
import json
import sys
import zipfile
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends import torch_program
from engine.model.backends.program_file import DESCRIPTION_FILE, ProgramDescription, read_card
from engine.model.backends.selection import open_backend
from engine.model.backends.torch_program import TorchBackend, captured, open_model
from engine.model.step import resting_inputs
from tests.engine.model.backends import backend_contract as contract
from tests.engine.model.probe_model import CARD, DECAY, NEWEST_SAMPLES


class ProbeStep(nn.Module):
    """The probe model in torch."""

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        level = inputs["audio"][-NEWEST_SAMPLES:].abs().mean(dim=0, keepdim=True) * inputs["gain"]
        memory = DECAY * inputs["memory"] + level
        bright = memory * torch.linspace(0.5, 2.0, CARD.width) + 0.05 * inputs["jitter"]
        row = (bright.clamp(0.0, 1.0) * 255.0).to(torch.uint8)
        frame = row[None, :, None].repeat(CARD.height, 1, 3)
        return {
            "frame": frame,
            "features": torch.cat([level, memory]),
            "memory_next": memory,
            "float_frame": bright + 0.0,
        }


def write_program(path: Path, **changes: Any) -> Path:
    """Write the probe as a .pt2 file; `changes` alter its description, text replaces it, example=True keeps a pickle."""
    inputs = {info.name: torch.zeros(info.shape) for info in CARD.input_tensors()}
    program = torch.export.export(ProbeStep(), (), inputs, strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    if not changes.pop("example", False):
        program.example_inputs = None  # type: ignore[assignment]
    values = {"card": CARD, "kind": "program", "torch_version": torch.__version__, "device": "any", "hardware": ""}
    text = changes.pop("text", None)
    described = ProgramDescription(**{**values, **changes}).to_json() if text is None else text
    torch.export.save(program, path, extra_files={DESCRIPTION_FILE: described})
    return path


@pytest.fixture(scope="module")
def program_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_program(tmp_path_factory.mktemp("program") / "probe.pt2")


@pytest.fixture
def backend(program_file: Path, monkeypatch: pytest.MonkeyPatch) -> TorchBackend:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return open_model(program_file, threads=1)


@contract.promises
def test_keeps(check: Callable[[Any], None], backend: TorchBackend) -> None:
    check(backend)


def test_plays_what_onnx_cpu_plays(backend: TorchBackend, probe_file: Path) -> None:
    contract.check_close(backend, open_backend(probe_file, "onnx-cpu", threads=1))


def test_auto_plays_a_program(program_file: Path) -> None:
    assert open_backend(program_file, "torch", threads=1).name == "torch"
    assert read_card(program_file) == CARD


def test_a_state_that_decays_does_not_reach_denormal_numbers(backend: TorchBackend) -> None:
    contract.check_decay_ends_at_zero(backend)


@pytest.mark.parametrize("wrong", ["audio", "state", "control"])
def test_a_failing_step_is_a_backend_error_and_the_next_one_plays(wrong: str, backend: TorchBackend) -> None:
    contract.check_a_failing_step_leaves_the_next_one_whole(wrong, backend)


def rewrite(path: Path, changes: dict[str, bytes]) -> None:
    """Replace or add entries of a .pt2 file, by their names below its folder."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    folder = next(iter(entries)).partition("/")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (entries | {f"{folder}/{name}": content for name, content in changes.items()}).items():
            archive.writestr(name, content)


def test_a_program_with_a_card_of_version_2_is_read(tmp_path: Path, program_file: Path) -> None:
    described = torch_program.read_description(program_file)
    values = json.loads(described.to_json())
    card = values["card"]
    del card["pictures"], card["outputs"]
    card |= {"format_version": 2, "rooms": card.pop("batch")}
    text = json.dumps({**values, "format": "fluid program 1, model card 2"})
    assert torch_program.read_description(write_program(tmp_path / "before.pt2", text=text)) == described


def bad_file(kind: str, path: Path, good: Path) -> Path:
    content = good.read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is no program\n")
    elif kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "one byte changed":
        place = content.index(b'"graph_module"')
        path.write_bytes(content[:place] + b"'" + content[place + 1 :])
    elif kind == "example inputs":
        write_program(path, example=True)
    elif kind == "without description":
        write_program(path, text="")
    elif kind == "another format":
        write_program(path, text=json.dumps({"format": "fluid program 0"}))
    elif kind == "a faulty description":
        write_program(path, kind="something")
    elif kind not in ("missing", "folder"):
        path.write_bytes(content)
        rewrite(path, ADDITIONS[kind])
    elif kind == "folder":
        path.mkdir()
    return path


ADDITIONS: dict[str, dict[str, bytes]] = {
    "legacy weights": {"data/weights/model.pt": b"a pickle"},
    "a custom object": {"data/constants/custom_obj_0": b"a pickle"},
    "a pickled weight": {"data/weights/model_weights_config.json": b'{"config": {"w": {"use_pickle": true}}}'},
    "another graph": {"models/model.json": b"{}"},
}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no model file"),
        ("folder", "is a folder, not a file"),
        ("empty", "damaged or no .pt2"),
        ("text", "damaged or no .pt2"),
        ("truncated", "damaged or no .pt2"),
        ("one byte changed", "damaged or no .pt2"),
        ("without description", "was not written by this version"),
        ("another format", "was not written by this version"),
        ("a faulty description", "faulty description"),
        ("example inputs", "sample_inputs"),
        ("legacy weights", "data/weights/model.pt"),
        ("a custom object", "custom_obj_0"),
        ("a pickled weight", "model_weights_config.json"),
        ("another graph", "models/model.json is {}"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(kind: str, says: str, tmp_path: Path, program_file: Path) -> None:
    path = bad_file(kind, tmp_path / "bad.pt2", program_file)
    with pytest.raises(ModelFileError) as caught:
        open_model(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_program_of_another_torch_that_does_not_load_names_both(tmp_path: Path, program_file: Path) -> None:
    path = write_program(tmp_path / "old.pt2", torch_version="1.0")
    assert open_model(path, threads=1).card == CARD
    with zipfile.ZipFile(path) as archive:
        program = archive.read("old/models/model.json")
    rewrite(
        path, {"models/model.json": program.replace(b'"schema_version": {"major": ', b'"schema_version": {"major": 9')}
    )
    with pytest.raises(ModelFileError, match=rf"made by torch 1\.0, and torch {torch.__version__.split('+')[0]}"):
        open_model(path)


def test_a_program_at_odds_with_its_card_is_refused(tmp_path: Path) -> None:
    path = write_program(tmp_path / "odd.pt2", card=replace(CARD, height=CARD.height + 1))
    with pytest.raises(ModelFileError, match="output 'frame'"):
        open_model(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"torch_version": "1.0", "device": "cpu"}, "compiled by torch 1.0"),
        ({"hardware": "m68k", "device": "cpu"}, "compiled for m68k"),
        ({"device": "cuda", "hardware": "9.9"}, "compiled for"),
    ],
)
def test_code_compiled_elsewhere_is_refused_before_it_is_loaded(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    path = write_program(tmp_path / "compiled.pt2", kind="compiled", **changes)
    with pytest.raises((BackendError, ModelFileError)) as caught:
        open_model(path)
    assert says in str(caught.value)
    assert "--compiled" in str(caught.value)


def test_other_files_are_for_other_backends(probe_file: Path) -> None:
    with pytest.raises(BackendError, match=r"plays \.pt2 files"):
        open_model(probe_file)


def test_without_torch_it_says_what_to_install(program_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch_program.obstacle() is None
    monkeypatch.setattr(torch_program.importlib.util, "find_spec", lambda name: None)
    assert 'pip install -e ".[train]"' in (torch_program.obstacle() or "")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BackendError, match=r'pip install -e "\.\[train\]"'):
        open_model(program_file)


class CudaCalls:
    """Notes the calls of torch.cuda that a capture makes, in order; what it captures runs at once."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def Stream(self) -> Any:
        return SimpleNamespace(wait_stream=lambda other: self.said.append("aside waits"))

    def current_stream(self) -> Any:
        return SimpleNamespace(wait_stream=lambda other: self.said.append("waits"))

    def stream(self, stream: Any) -> Any:
        return nullcontext()

    def CUDAGraph(self) -> Any:
        return SimpleNamespace(replay=lambda: self.said.append("replay"))

    @contextmanager
    def graph(self, *given: Any, **named: Any) -> Any:
        bound = inspect.signature(torch.cuda.graph).bind(*given, **named)
        # The mode in which the model that plays meanwhile, in another thread, does not end the capture.
        self.said.append(f"capture {bound.arguments['capture_error_mode']}")
        yield
        self.said.append("captured")


def test_a_capture_runs_aside_first_and_is_replayed_after() -> None:
    calls = CudaCalls()
    replay = captured(SimpleNamespace(cuda=calls, no_grad=nullcontext), lambda: calls.said.append("step"))
    replay()
    assert calls.said == [
        "aside waits",
        "step",
        "step",
        "step",
        "waits",
        "capture thread_local",
        "step",
        "captured",
        "replay",
    ]


def test_the_state_is_what_a_step_writes_last(backend: TorchBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Tensor] = []
    copy = Tensor.copy_

    def noted(self: Tensor, *arguments: Any) -> Tensor:
        written.append(self)
        return copy(self, *arguments)

    monkeypatch.setattr(Tensor, "copy_", noted)
    sound = {"audio": np.full(CARD.window_samples, 0.3, np.float32)}
    step = backend.step(resting_inputs(CARD).with_values(sound, backend.initial_state()))
    expected = (step.pixels_HWC, step.features_F, step.next_state["memory"])
    for tensor, values in zip(written[-3:], expected, strict=True):
        assert np.array_equal(tensor.numpy(), values)
    assert len({tensor.data_ptr() for tensor in written[-3:]}) == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA card that torch finds")
def test_on_the_card_it_plays_what_it_plays_on_the_processor(program_file: Path, probe_file: Path) -> None:
    on_card = open_model(program_file)
    assert torch.cuda.get_device_name() in on_card.description
    contract.check_close(on_card, open_backend(probe_file, "onnx-cpu", threads=1))
    contract.check_cut_anywhere_equals_whole(on_card)
    contract.check_what_was_given_and_what_came_stay(on_card)
