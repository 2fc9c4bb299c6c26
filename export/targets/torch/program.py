"""Programs of torch (.pt2): the step as an exported program, or compiled ahead of time for this machine."""

from __future__ import annotations

import hashlib
import importlib
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from engine.core.atomic_files import atomic_file
from engine.core.errors import BackendError, ModelFileError
from engine.model.backends.compiled_files import note_compiled
from engine.model.backends.program_file import DESCRIPTION_FILE, ProgramDescription, read_description
from engine.model.backends.torch_program import hardware
from engine.model.card import ModelCard, Provenance
from engine.model.known_models import note_made_here
from engine.model.training_sound import TrainingSound
from export.targets.card import check_streams, model_card
from export.targets.layers import refuse_layers
from export.targets.torch.parity import Device, Play, example_inputs, measure_program_parity
from export.verification.control_effects import chosen_controls
from export.verification.graph import StepGraph
from export.verification.parity import check_parity
from training.core.layered import LayeredModel
from training.core.streaming import StreamingModel

_inductor: Any = importlib.import_module("torch._inductor")
_archive: Any = importlib.import_module("torch.export.pt2_archive._package")


class NamedStep(nn.Module):
    """A step whose inputs and outputs have names; the float frame is among them, for parity."""

    def __init__(self, step: StepGraph) -> None:
        super().__init__()
        # Not `graph`: torch uses that name in an exported program.
        self.played = step
        self.inputs, self.outputs = step.input_names, step.output_names

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        given = self.played(*(inputs[name] for name in self.inputs))
        return dict(zip(self.outputs, given, strict=True))


def export_program(
    model: StreamingModel,
    provenance: Provenance,
    path: Path,
    compiled: bool = False,
    device: Device = "cpu",
    training_sound: TrainingSound | None = None,
) -> ModelCard:
    """Write `path` and return its card; `device` is what it is compiled for.

    A compiled file is noted as made by this user; without the note it would not be opened. Raises ModelFileError when the model
    does not stream, parity fails, the engine would refuse the file or it cannot be written; BackendError for a device that is
    not here.
    """
    check_streams(model, path)
    refuse_layers(isinstance(model, LayeredModel), path)
    if path.suffix != ".pt2":
        raise ModelFileError(
            f"{path} was not written: torch reads its programs from files named *.pt2; choose another -o."
        )
    if compiled and device == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            "--device cuda compiles for the graphics card of this machine, and torch finds none; leave --compiled out."
        )
    controls, measured_effects = chosen_controls(model.eval(), None, all_controls=False)
    step = StepGraph(model, controls=controls)
    program = trace_program(step)
    parts = compiled_parts(program, example_inputs(step), path, device) if compiled else None
    play = program.module(check_guards=False) if parts is None else load_parts(parts)
    measured = measure_program_parity(step, play, device if compiled else "cpu")
    check_parity(measured, path, step)
    card = replace(
        model_card(step, provenance, measured.recorded), training_sound=training_sound, control_effects=measured_effects
    )
    try:
        with atomic_file(path) as partial:
            with partial.open("wb") as stream:
                if parts is None:
                    save_program(program, card, stream)
                else:
                    save_compiled(parts, card, stream, device)
            check_written(partial, path)
            content = partial.read_bytes()
            if compiled:
                note_compiled(content)
            note_made_here(hashlib.sha256(content).hexdigest())
    except OSError as error:
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error
    return card


def check_written(partial: Path, path: Path) -> None:
    """Raise ModelFileError when the engine would refuse the file, e.g. for an operator that it does not know."""
    try:
        read_description(partial)
    except ModelFileError as error:
        reason = str(error).removeprefix(f"{partial} ").partition("; export it again")[0]
        raise ModelFileError(
            f"{path} was not written: the engine would refuse it ({reason}); change the model, or name the operator in "
            "torch_schema.py."
        ) from error


def trace_program(step: StepGraph) -> torch.export.ExportedProgram:
    """Export one step by names, without notes about this machine."""
    inputs = example_inputs(step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(NamedStep(step).eval(), (), inputs, strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def save_program(program: torch.export.ExportedProgram, card: ModelCard, stream: IO[bytes]) -> None:
    """Write a program that this version of torch plays on any device. Removes its example inputs."""
    described = ProgramDescription(
        card=card, kind="program", torch_version=torch.__version__, device="any", hardware=""
    )
    # They would be the only pickle in the file.
    program.example_inputs = None  # type: ignore[assignment]
    torch.export.save(program, stream, extra_files={DESCRIPTION_FILE: described.to_json()})


def compiled_parts(
    program: torch.export.ExportedProgram, inputs: dict[str, Tensor], path: Path, device: Device
) -> list[str]:
    """Compile a program for `device` of this machine and return the files of its package. Raises ModelFileError."""
    if device == "cuda":
        program = importlib.import_module("torch.export.passes").move_to_device_pass(program, device)
        inputs = {name: value.to(device) for name, value in inputs.items()}
    try:
        module = program.module(check_guards=False)
        return _inductor.aot_compile(module, (), inputs, options={"aot_inductor.package": True})
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ModelFileError(
            f"{path} was not written: torch cannot compile it here ({reason}); install a C++ compiler (g++), or leave --compiled out."
        ) from error


def load_parts(parts: list[str]) -> Play:
    """Load compiled code as the backend does."""
    with tempfile.TemporaryDirectory() as folder:
        package = str(Path(folder) / "parts.pt2")
        _archive.package_pt2(package, aoti_files=parts)
        return _inductor.aoti_load_package(package, run_single_threaded=True)


def save_compiled(parts: list[str], card: ModelCard, stream: IO[bytes], device: Device) -> None:
    """Write a package of compiled code that plays on equal hardware with the same torch."""
    described = ProgramDescription(
        card=card, kind="compiled", torch_version=torch.__version__, device=device, hardware=hardware(torch, device)
    )
    _archive.package_pt2(stream, aoti_files=parts, extra_files={DESCRIPTION_FILE: described.to_json()})
