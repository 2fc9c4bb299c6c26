"""A tiny random model exported as a program of torch, and once compiled; what the file holds and what is refused."""

from __future__ import annotations

import operator
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._inductor.config

from engine.core.errors import BackendError, ModelFileError, run_main
from engine.model.backends import torch_program, torch_schema
from engine.model.backends.program_file import read_description
from engine.model.backends.torch_schema import OPERATORS
from engine.model.card import Provenance
from export.targets.torch.parity import measure_program_parity
from export.targets.torch.program import export_program, trace_program
from export.to_torch import main
from export.verification.graph import StepGraph
from export.verification.parity import PARITY_STEPS
from tests.conftest import require
from tests.engine.model.backends import backend_contract as contract
from tests.export.test_to_onnx import TOLERANCE, play_both
from tests.training.models import VARIANTS, small_model, unsteady_model
from tests.training.runs import small_config
from training.core.front_end import FrontEndConfig
from training.core.streaming import StreamingModel
from training.loop.checkpoint import save_generator

PROVENANCE = Provenance(source="random weights", licence="MIT", config="small", commit="none", iterations=0)


def simple_model() -> StreamingModel:
    """Build a model with few operations, which compiles sooner."""
    return small_model(motion_layers=1, prediction="none", architecture="skip", conditional_norm=False)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[StreamingModel, Path]:
    path = tmp_path_factory.mktemp("program") / "small.pt2"
    model = small_model()
    export_program(model, PROVENANCE, path)
    return model, path


def test_the_engine_plays_what_torch_plays(exported: tuple[StreamingModel, Path]) -> None:
    model, path = exported
    backend = torch_program.open_model(path, threads=1)
    assert backend.card.parity.steps == PARITY_STEPS
    assert max(backend.card.parity.frame_max, backend.card.parity.state_max) <= TOLERANCE
    play_both(model, backend)


def test_the_file_holds_no_pickle_and_no_path_of_this_machine(exported: tuple[StreamingModel, Path]) -> None:
    _, path = exported
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    described = read_description(path)
    assert (described.kind, described.device, described.torch_version) == ("program", "any", torch.__version__)
    with zipfile.ZipFile(path) as archive:
        samples = [entry for entry in archive.infolist() if entry.filename.endswith("data/sample_inputs/model.pt")]
        assert [entry.file_size for entry in samples] == [0]
    content = path.read_bytes()
    for place in (Path(__file__).parents[2], Path(torch.__file__).parent):
        assert str(place).encode() not in content


def test_a_compiled_one_plays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(shutil.which("g++"), "g++ (apt install g++)")
    # The code that calls the kernels takes longest to compile, and is not what is tested.
    monkeypatch.setattr("torch._inductor.config.aot_inductor.compile_wrapper_opt_level", "O0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "compiled.pt2"
    model = simple_model()
    card = export_program(model, PROVENANCE, path, compiled=True)
    assert max(card.parity.frame_max, card.parity.state_max) <= TOLERANCE
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()
    backend = torch_program.open_model(path, threads=1)
    assert backend.description == "torch, 1 thread, compiled"
    assert backend.card == card
    play_both(model, backend)
    contract.check_cut_anywhere_equals_whole(backend)
    contract.check_what_was_given_and_what_came_stay(backend)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache of another user"))
    with pytest.raises(ModelFileError, match="machine code that you did not compile"):
        torch_program.open_model(path, threads=1)


FRONT_ENDS = {kind: {"front_end": FrontEndConfig(kind=kind, mel_bands=20)} for kind in ("mel", "lms", "mfcc")}


@pytest.mark.parametrize("settings", [*VARIANTS.values(), *FRONT_ENDS.values()], ids=[*VARIANTS, *FRONT_ENDS])
def test_the_engine_knows_every_operator_of_every_variant(settings: dict[str, Any]) -> None:
    program = trace_program(StepGraph(small_model(**settings)))
    targets = {f"torch.ops.{node.target}" for node in program.graph.nodes if node.op == "call_function"}
    # Taking a tensor out of several is no operator in the file.
    assert targets - {f"torch.ops.{operator.getitem}"} <= OPERATORS


def test_a_file_that_the_engine_would_refuse_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(torch_schema.NODE, "target", OPERATORS - {"torch.ops.aten.log.default"})
    with pytest.raises(ModelFileError, match=r"was not written: the engine would refuse it \(.*aten\.log\.default"):
        export_program(simple_model(), PROVENANCE, tmp_path / "bad.pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_differs_is_seen() -> None:
    step = StepGraph(simple_model())
    play = trace_program(step).module(check_guards=False)

    def other(**inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: value + 1 if name.endswith("_next") else value for name, value in play(**inputs).items()}

    assert measure_program_parity(step, play, steps=3).within_limits
    assert not measure_program_parity(step, other, steps=3).within_limits


def test_of_one_that_amplifies_rounding_each_step_begins_with_the_states_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = unsteady_model()
    step, calls = StepGraph(model), list[dict[str, torch.Tensor]]()
    play = trace_program(step).module(check_guards=False)

    def other(**inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        calls.append(inputs)
        return {name: value + 1 if name.endswith("_next") else value for name, value in play(**inputs).items()}

    assert not measure_program_parity(step, other, steps=2).within_limits
    assert len(calls) == 2, "a family that does not say so carries its states"
    monkeypatch.setattr(type(model), "amplifies_rounding", True)
    assert not measure_program_parity(step, other, steps=2).within_limits
    carried, from_ours = calls[3], calls[5]
    for name in step.state_names:
        torch.testing.assert_close(carried[name], from_ours[name] + 1, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-o", "{folder}/small.onnx"], "a file that ends in .pt2 was expected"),
        (["-o", "{folder}/checkpoint/checkpoint.json/small.pt2"], "Cannot write"),
        (["-o", "{folder}/small.pt2", "--compiled", "--device", "cuda"], "torch finds none"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("this machine has a card")
    model = simple_model()
    save_generator(tmp_path / "checkpoint", model, small_config(model=model.config), iterations=1)
    given = [word.format(folder=tmp_path) for word in words]
    monkeypatch.setattr(sys, "argv", ["to_torch", str(tmp_path / "checkpoint"), *given])
    with pytest.raises(SystemExit) as left:
        run_main(main)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]


def test_a_model_that_looks_at_later_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="plays whole sequences, not steps"):
        export_program(small_model(convolution="3d", prediction="none"), PROVENANCE, tmp_path / "small.pt2")


def test_a_file_that_fails_parity_is_not_written(tmp_path: Path) -> None:
    model = simple_model()
    with torch.no_grad():
        model.generator.to_rgb[0].weight.fill_(float("nan"))  # type: ignore[union-attr]
    with pytest.raises(ModelFileError, match="was not written"):
        export_program(model, PROVENANCE, tmp_path / "bad.pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_compilation_is_one_sentence(tmp_path: Path) -> None:
    # torch's own way of changing its settings for a while: taken back otherwise, they are gone.
    without_compiler = torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)})
    with (
        without_compiler,
        pytest.raises((ModelFileError, BackendError), match="torch cannot compile it here") as caught,
    ):
        export_program(simple_model(), PROVENANCE, tmp_path / "bad.pt2", compiled=True)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
