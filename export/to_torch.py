"""Turn a checkpoint into a program of torch that the backend "torch" plays on the processor or an NVIDIA card.

    python -m export.to_torch CHECKPOINT -o MODEL.pt2 [--compiled [--device cuda]]

The program is the step that export.to_onnx writes, with inputs and outputs by name and the model card inside. With --compiled it is compiled
ahead of time (AOTInductor) for this machine: it takes minutes, needs a C++ compiler, and plays on equal hardware only.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from engine.core.atomic_files import atomic_file
from engine.core.errors import BackendError, ModelFileError, run_main
from engine.model.backends.compiled_files import note_compiled
from engine.model.backends.program_file import DESCRIPTION_FILE, ProgramDescription, read_description
from engine.model.backends.torch_program import hardware
from engine.model.card import NEXT_SUFFIX, ModelCard, Parity, Provenance
from export.graph import PICTURE_OUTPUT, StepGraph
from export.parity import PARITY_STEPS, PROBE_SOUND, probe_sound, windows
from export.to_onnx import check_parity, check_streams, model_card
from training.core.streaming import StreamingModel
from training.loop.checkpoint import load_generator

Device = Literal["cpu", "cuda"]
Play = Callable[..., Mapping[str, Tensor]]

_inductor: Any = importlib.import_module("torch._inductor")
_archive: Any = importlib.import_module("torch.export.pt2_archive._package")


class NamedStep(nn.Module):
    """A step whose inputs and outputs have names; the float picture stays among them for verification."""

    def __init__(self, step: StepGraph) -> None:
        super().__init__()
        # Not `graph`, which is a name of torch's own in what is exported.
        self.played = step
        self.inputs, self.outputs = step.input_names, step.output_names

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        given = self.played(*(inputs[name] for name in self.inputs))
        return dict(zip(self.outputs, given, strict=True))


def export_program(
    model: StreamingModel, provenance: Provenance, path: Path, compiled: bool = False, device: Device = "cpu"
) -> ModelCard:
    """Write `path` and return its card; `device` is what it is compiled for.

    A compiled file is noted as made by this user, without which it would not be opened. Raises ModelFileError when the model
    does not stream, parity fails, the engine would refuse the file or it cannot be written; BackendError for a
    device that is not here.
    """
    check_streams(model, path)
    if path.suffix != ".pt2":
        raise ModelFileError(
            f"{path} was not written: torch reads its programs from files named *.pt2; choose another -o."
        )
    if compiled and device == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            "--device cuda compiles for the card of this machine, and torch finds none; leave --compiled out."
        )
    step = StepGraph(model.eval())
    program = trace_program(step)
    parts = compiled_parts(program, example_inputs(step), path, device) if compiled else None
    play = program.module(check_guards=False) if parts is None else load_parts(parts)
    parity = measure_program_parity(step, play, device if compiled else "cpu")
    check_parity(parity, path)
    card = model_card(model, provenance, parity)
    try:
        with atomic_file(path) as partial:
            with partial.open("wb") as stream:
                if parts is None:
                    save_program(program, card, stream)
                else:
                    save_compiled(parts, card, stream, device)
            check_written(partial, path)
            if compiled:
                note_compiled(partial.read_bytes())
    except OSError as error:
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error
    return card


def trace_program(step: StepGraph) -> torch.export.ExportedProgram:
    """Export one step, by names and without notes of the machine it was exported on."""
    inputs = example_inputs(step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(NamedStep(step).eval(), (), inputs, strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def save_program(program: torch.export.ExportedProgram, card: ModelCard, stream: IO[bytes]) -> None:
    """Write a program that a torch of this version plays on any device. Takes its example inputs away."""
    described = ProgramDescription(
        card=card, kind="program", torch_version=torch.__version__, device="any", hardware=""
    )
    # They would be the only pickle in the file.
    program.example_inputs = None  # type: ignore[assignment]
    torch.export.save(program, stream, extra_files={DESCRIPTION_FILE: described.to_json()})


def check_written(partial: Path, path: Path) -> None:
    """Raise ModelFileError when the engine would refuse the file, e.g. for an operator that it does not know."""
    try:
        read_description(partial)
    except ModelFileError as error:
        reason = str(error).removeprefix(f"{partial} ").partition("; export it again")[0]
        raise ModelFileError(
            f"{path} was not written: the engine would refuse it ({reason}); change the model, or name the operator in torch_schema.py."
        ) from error


def example_inputs(step: StepGraph) -> dict[str, Tensor]:
    """Return the inputs of a step under their names."""
    return dict(zip(step.input_names, step.example_inputs(), strict=True))


def compiled_parts(
    program: torch.export.ExportedProgram, inputs: dict[str, Tensor], path: Path, device: Device
) -> list[str]:
    """Compile a program for this machine's `device` and return the files that a package is made of. Raises ModelFileError."""
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
    """Load compiled code as the backend will."""
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


@torch.no_grad()
def measure_program_parity(step: StepGraph, play: Play, device: Device = "cpu", steps: int = PARITY_STEPS) -> Parity:
    """Play `steps` steps in the model and in the program on `device`, each carrying its own states, and report the differences."""
    model = step.model
    sound = probe_sound(steps * model.hop_samples, model.sample_rate_hz)
    noise = model.draw_noise(1, steps, torch.Generator().manual_seed(1))
    ours = example_inputs(step)
    theirs = dict(ours)
    largest, squares = 0.0, 0.0
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, steps)):
        given = {"audio": torch.tensor(window), **{name: noise[name][0, k] for name in step.noise_names}}
        ours |= given
        theirs |= given
        expected = dict(zip(step.output_names, step(*ours.values()), strict=True))
        given_there = play(**{name: value.to(device) for name, value in theirs.items()})
        came = {name: value.cpu() for name, value in given_there.items()}
        difference = (came[PICTURE_OUTPUT] - expected[PICTURE_OUTPUT]).abs().numpy()
        # np.maximum, unlike max, lets a difference that is not a number through.
        largest, squares = float(np.maximum(largest, difference.max())), squares + float(np.square(difference).mean())
        for name in step.state_names:
            ours[name], theirs[name] = expected[name + NEXT_SUFFIX], came[name + NEXT_SUFFIX]
    states = [float((theirs[name] - ours[name]).abs().max()) for name in step.state_names]
    return Parity(
        steps=steps,
        frame_max=largest,
        frame_rms=(squares / steps) ** 0.5,
        state_max=float(np.max(states)),
        sound=PROBE_SOUND,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.to_torch", description="Turn a checkpoint into a program of torch."
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint or run folder written by training")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL.pt2")
    parser.add_argument("--compiled", action="store_true", help="compile for this machine: minutes, and a C++ compiler")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="with --compiled: what to compile for")
    arguments = parser.parse_args()
    logging.getLogger("torch").setLevel(logging.ERROR)
    loaded = load_generator(arguments.checkpoint)
    card = export_program(loaded.model, loaded.provenance, arguments.output, arguments.compiled, arguments.device)
    megabytes = arguments.output.stat().st_size / 1e6
    print(f"{arguments.output}: '{card.name}', {card.width}x{card.height} at {card.fps:g} fps, {megabytes:.1f} MB")
    print(
        f"parity with the model over {card.parity.steps} steps: picture {card.parity.frame_max:.1e}, states {card.parity.state_max:.1e}"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
