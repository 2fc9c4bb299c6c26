"""Turn a checkpoint into a model file the engine plays.

    python -m export.to_onnx CHECKPOINT -o MODEL.onnx
    python -m export.to_onnx CHECKPOINT -o MODEL.onnx --for openvino --precision int8 --calibrate SOUND.wav

Front end, network and pixel conversion become one graph; the model card goes into its metadata. The graph is compared with
torch over 64 carried steps first, and a file that fails is not written.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import logging
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import torch

from engine.core.atomic_files import write_bytes
from engine.core.errors import ModelFileError, run_main
from engine.model.card import Drift, ModelCard, Parity, Provenance, StateSpec
from engine.model.file import graph_sha256, sealed
from export.graph import PICTURE_OUTPUT, StepGraph
from export.half_storage import round_weights, store_in_half
from export.parity import PARITY_LIMIT, measure_parity
from export.precision.choice import PRECISIONS, Precision, drift_of, in_precision
from export.precision.int8 import LEAST_PSNR_DB
from training.core.streaming import StreamingModel
from training.families.registry import family
from training.families.rewriting import Rewrites
from training.loop.checkpoint import load_generator

OPSET = 18
MOST_ROOMS = 64
SETTLED_STEP = 64
"""From here on the recorded pictures of a file that computes in fewer bits must reach LEAST_PSNR_DB."""
DRIFT_STEPS = (1, 64)
LONG_DRIFT_STEPS = (1, 64, 1000, 20000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How a model is to be written; what is left out gives the plain float32 file of one room."""

    half: bool = False
    """Round the weights to 16 bits and store them so; they compute in 32."""
    precision: Precision = "float32"
    calibration_sound: Path | None = None
    """Of int8: what its ranges are measured on."""
    passes: tuple[str, ...] = ()
    """Graph rewrites by name, see training/families/rewriting.py."""
    rooms: int = 1
    drift_steps: tuple[int, ...] = DRIFT_STEPS
    drift_sound: Path | None = None


def export_model(model: StreamingModel, provenance: Provenance, path: Path, form: Form | None = None) -> ModelCard:
    """Write `path` and return its card.

    Raises ModelFileError when the model does not stream, parity fails or the file cannot be written, TrainingError for
    an unknown rewrite or a calibration sound that cannot be used.

    With `half` the weights of `model` are rounded to 16 bits, in place; parity is with the rounded model, without rewrites.
    """
    form = form or Form()
    check_streams(model, path)
    if form.half:
        round_weights(model)
    plain = StepGraph(model.eval(), form.rooms)
    rewritten = copy.deepcopy(model)
    passes = family(model.family).rewrites.apply(rewritten, form.passes)
    program = trace(StepGraph(rewritten.eval(), form.rooms))
    parity = measure_parity(plain, program.SerializeToString())
    check_parity(parity, path)
    program, calibration = in_precision(program, plain, form.precision, form.calibration_sound)
    if form.half:
        store_in_half(program)
    # A bfloat16 file computes in float32 here: its runtime rounds, and export.verify measures it there.
    # int8 is for the kind of sound that its ranges were measured on, and is judged on it.
    heard = form.drift_sound or form.calibration_sound
    drift = () if form.precision == "bfloat16" else drift_of(program, plain, heard, form.drift_steps)
    check_drift(drift, form.precision, path)
    kept = [output for output in program.graph.output if output.name != PICTURE_OUTPUT]
    del program.graph.output[:]
    program.graph.output.extend(kept)
    card = model_card(model, provenance, parity, form, calibration, passes, drift)
    content = sealed(program.SerializeToString(), card)
    write_model_file(content, path)
    return replace(card, graph_sha256=graph_sha256(content))


def trace(graph: StepGraph) -> onnx.ModelProto:
    """Export one step with all weights inside the file."""
    # The exporter reports its progress on stdout, warns about its own internals and logs that it misses torchvision.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        # Annotated because torch's own annotation is incomplete.
        export: Any = torch.onnx.export  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        program = export(
            graph,
            graph.example_inputs(),
            dynamo=True,
            opset_version=OPSET,
            input_names=graph.input_names,
            output_names=graph.output_names,
            verbose=False,
        )
    assert program is not None
    return without_traces(program.model_proto)


def without_traces(program: onnx.ModelProto) -> onnx.ModelProto:
    """Take away what the exporter notes of its own run: stack traces with the paths of the machine it ran on."""
    graph = program.graph
    for part in (program, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    return program


def model_card(
    model: StreamingModel,
    provenance: Provenance,
    parity: Parity,
    form: Form | None = None,
    calibration: str = "",
    passes: tuple[str, ...] = (),
    drift: tuple[Drift, ...] = (),
) -> ModelCard:
    """Describe a model as its file's card."""
    form = form or Form()
    size = model.image_size
    return ModelCard(
        name=model.name,
        family=model.family,
        sample_rate_hz=model.sample_rate_hz,
        window_samples=model.window_samples,
        hop_samples=model.hop_samples,
        look_ahead_s=model.look_ahead_samples / model.sample_rate_hz,
        height=size,
        width=size,
        feature_bands=model.feature_count,
        states=tuple(StateSpec(name=name, shape=shape) for name, shape in model.state_shapes().items()),
        noises=model.noise_specs(),
        controls=model.control_specs(),
        rooms=form.rooms,
        precision=form.precision,
        calibration=calibration,
        passes=passes,
        parity=parity,
        drift=drift,
        provenance=provenance,
    )


def check_streams(model: StreamingModel, path: Path) -> None:
    """Raise ModelFileError for a generator that has no single step."""
    if not model.streams:
        raise ModelFileError(
            f"{path} was not written: '{model.name}' plays whole sequences, not steps: {model.offline_reason}."
        )


def check_parity(parity: Parity, path: Path) -> None:
    """Raise ModelFileError when the exported graph is further than PARITY_LIMIT from torch."""
    # Asked this way round, a difference that is not a number fails too.
    if not (parity.frame_max <= PARITY_LIMIT and parity.state_max <= PARITY_LIMIT):
        raise ModelFileError(
            f"{path} was not written: after {parity.steps} carried steps the exported graph "
            f"differs from torch by {parity.frame_max:.2g} in the picture and {parity.state_max:.2g} in the states; "
            f"at most {PARITY_LIMIT:g} is allowed. Check the checkpoint for weights that are not finite or very large."
        )


def check_drift(drift: tuple[Drift, ...], precision: Precision, path: Path) -> None:
    """Raise ModelFileError when fewer bits leave a picture further than LEAST_PSNR_DB from float32 torch."""
    settled = [one for one in drift if one.step >= SETTLED_STEP]
    worst = min(settled, key=lambda one: one.psnr_db, default=None)
    # Asked this way round, a figure that is not a number fails too.
    if precision != "float32" and worst is not None and not worst.psnr_db >= LEAST_PSNR_DB:
        raise ModelFileError(
            f"{path} was not written: at step {worst.step} its picture in {precision} is {worst.psnr_db:.1f} dB from float32; at "
            f"least {LEAST_PSNR_DB:g} dB was expected. Export it with --precision float32."
        )


def write_model_file(content: bytes, path: Path) -> None:
    """Write a model file atomically into a folder that exists. Raises ModelFileError."""
    if not path.parent.is_dir():
        raise ModelFileError(f"Cannot write {path}: there is no such folder; choose another place with -o.")
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.to_onnx", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="checkpoint or run folder written by training")
    add("-o", "--output", type=Path, required=True, metavar="MODEL.onnx")
    add("--half", action="store_true", help="store weights in 16 bits: half the file, computed in 32 all the same")
    add("--for", dest="backend", metavar="BACKEND", default="any", help="rewrite the graph for a backend")
    add("--passes", nargs="*", metavar="PASS", help="or by these rewrites (docs/inference.md lists them)")
    add("--precision", choices=PRECISIONS, default="float32", help="what the file computes in (default %(default)s)")
    add("--calibrate", type=Path, metavar="SOUND", help="of int8: the kind of sound that will be played")
    add("--rooms", type=int, default=1, metavar="B", help="that take their step together (docs/rooms.md)")
    add("--drift", type=Path, metavar="SOUND", help="measure drift over 20,000 steps of this sound: minutes to hours")
    return parser


def form_of(arguments: argparse.Namespace, rewrites: Rewrites) -> Form:
    """Return what the command line asks for. Raises ModelFileError for what cannot be."""
    if arguments.backend not in ("any", *rewrites.defaults):
        known = ", ".join(("any", *rewrites.defaults))
        raise ModelFileError(f"--for is '{arguments.backend}'; one of {known} was expected.")
    if not 1 <= arguments.rooms <= MOST_ROOMS:
        raise ModelFileError(f"--rooms is {arguments.rooms}; a whole number from 1 to {MOST_ROOMS} was expected.")
    return Form(
        half=arguments.half,
        precision=arguments.precision,
        calibration_sound=arguments.calibrate,
        passes=tuple(
            arguments.passes if arguments.passes is not None else rewrites.defaults.get(arguments.backend, ())
        ),
        rooms=arguments.rooms,
        drift_steps=LONG_DRIFT_STEPS if arguments.drift else DRIFT_STEPS,
        drift_sound=arguments.drift,
    )


def main() -> int:
    arguments = argument_parser().parse_args()
    loaded = load_generator(arguments.checkpoint)
    form = form_of(arguments, family(loaded.model.family).rewrites)
    card = export_model(loaded.model, loaded.provenance, arguments.output, form)
    megabytes = arguments.output.stat().st_size / 1e6
    form_words = ", ".join([card.precision, *(f"{card.rooms} rooms" for _ in range(card.rooms > 1)), *card.passes])
    print(
        f"{arguments.output}: '{card.name}', {card.width}x{card.height} at {card.fps:g} fps, {megabytes:.1f} MB, {form_words}"
    )
    print(
        f"parity with torch over {card.parity.steps} steps: picture {card.parity.frame_max:.1e}, states {card.parity.state_max:.1e}"
    )
    for drift in card.drift:
        print(
            f"drift at step {drift.step:,}: {drift.psnr_db:.1f} dB, at most {drift.frame_max:.0f} of 255 levels, states {drift.state_max:.1e}"
        )
    return 0


if __name__ == "__main__":
    run_main(main)
