"""Turn a checkpoint into a model file the engine plays.

    python -m export.to_onnx CHECKPOINT -o MODEL.onnx

Front end, network and pixel conversion become one graph; the model card goes into its metadata. The graph is compared with
torch over 64 carried steps first, and a file that fails is not written.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch

from engine.errors import ModelFileError, run_main
from engine.model_card import METADATA_KEY, ModelCard, Parity, Provenance, StateSpec
from export.graph import PICTURE_OUTPUT, StepGraph
from export.parity import PARITY_LIMIT, measure_parity
from export.storage import round_weights, store_in_half
from training.checkpoint import load_generator
from training.streaming import StreamingModel

OPSET = 18


def export_model(model: StreamingModel, provenance: Provenance, path: Path, half: bool = False) -> ModelCard:
    """Write `path` and return its card.

    Raises ModelFileError when the model does not stream, parity fails or the file cannot be written.

    With `half` the weights of `model` are rounded to 16 bits, in place, and stored so; parity is with the rounded model.
    """
    check_streams(model, path)
    if half:
        round_weights(model)
    graph = StepGraph(model.eval())
    program = trace(graph)
    if half:
        store_in_half(program)
    parity = measure_parity(graph, program.SerializeToString())
    check_parity(parity, path)
    card = model_card(model, provenance, parity)
    kept = [output for output in program.graph.output if output.name != PICTURE_OUTPUT]
    del program.graph.output[:]
    program.graph.output.extend(kept)
    onnx.helper.set_model_props(program, {METADATA_KEY: card.to_json()})
    write_atomically(program.SerializeToString(), path)
    return card


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


def model_card(model: StreamingModel, provenance: Provenance, parity: Parity) -> ModelCard:
    """Describe a model as its file's card."""
    size = model.config.image_size
    return ModelCard(
        name=model.config.name,
        family=model.config.family,
        sample_rate_hz=model.sample_rate_hz,
        window_samples=model.window_samples,
        hop_samples=model.hop_samples,
        look_ahead_s=model.look_ahead_samples / model.sample_rate_hz,
        height=size,
        width=size,
        feature_bands=model.config.front_end.feature_count,
        states=tuple(StateSpec(name=name, shape=shape) for name, shape in model.state_shapes().items()),
        noises=model.noise_specs(),
        controls=model.control_specs(),
        parity=parity,
        provenance=provenance,
    )


def check_streams(model: StreamingModel, path: Path) -> None:
    """Raise ModelFileError for a generator that has no single step."""
    if not model.streams:
        raise ModelFileError(
            f"{path} was not written: '{model.config.name}' has convolution '3d' and is offline only, because it looks at "
            "later frames; train it with model.generator.convolution '2d' to export it."
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


def write_atomically(content: bytes, path: Path) -> None:
    """Write beside `path` and rename, so that a half-written file never bears its name. Raises ModelFileError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ModelFileError(f"Cannot write {path}: {error.strerror}; choose another place with -o.") from error


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.to_onnx", description="Turn a checkpoint into a model file."
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint or run folder written by training")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL.onnx")
    parser.add_argument(
        "--half", action="store_true", help="store weights in 16 bits: half the file, computed in 32 all the same"
    )
    arguments = parser.parse_args()
    loaded = load_generator(arguments.checkpoint)
    card = export_model(loaded.model, loaded.provenance, arguments.output, arguments.half)
    megabytes = arguments.output.stat().st_size / 1e6
    print(f"{arguments.output}: '{card.name}', {card.width}x{card.height} at {card.fps:g} fps, {megabytes:.1f} MB")
    print(
        f"parity with torch over {card.parity.steps} steps: picture {card.parity.frame_max:.1e}, states {card.parity.state_max:.1e}"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
