"""The model files that benchmarks.gpu plays: the shipped model, one that warps, and the shipped kind in four frame sizes.

All but the shipped one have random weights, on which the time of a step does not depend. Making them needs torch and onnx, and no
card; a file that cannot be made here, such as a plan, is left out with its reason.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.gpu_child import Emit
from engine.app.config import DEFAULT_MODEL
from engine.core.errors import UserError
from engine.model.backends.graphics_card import find_card
from engine.model.backends.tensorrt_rtx import generation
from engine.model.card import ModelCard, Parity, Provenance
from engine.model.file import read_card, sealed

ROOT = Path(__file__).parents[1]
SHIPPED, WARP, PAPER = "shipped", "warp", "paper-128"
SIZES = (128, 256, 512, 1024)
SIZED = tuple(f"water-{size}" for size in SIZES)
NAMES = (SHIPPED, WARP, *SIZED, PAPER)
"""In the order in which they are made and played."""
HALF = "-float16"
FLOWS = 8
_NOTE = ".json"
_WATER, _PAPER = (ROOT / "configs" / "train" / f"{name}.yaml" for name in ("water", "paper-128"))
_ANY_SIZE = {"model.generator.relief_level": -1, "model.generator.place_levels": 4}
"""Levels that the shipped model's configuration counts for its own size."""
_PROVENANCE = Provenance(source="random weights", licence="none", config="benchmark", commit="", iterations=0)
_UNMEASURED = Parity(steps=0, frame_max=0.0, frame_rms=0.0, state_max=0.0, sound="none: for a benchmark")


def make(emit: Emit, folder: str, name: str) -> None:
    """Write all files of one model into `folder`. Emits a row for each, or for each that is left out."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if name == SHIPPED:
        (target / f"{name}.onnx").write_bytes(Path(DEFAULT_MODEL).read_bytes())
        emit({"file": f"{name}.onnx"})
        write_half(target / f"{name}.onnx", read_card(DEFAULT_MODEL), emit)
    else:
        _write_random(target, name, emit)
    for file in (f"{name}.onnx", f"{name}{HALF}.onnx"):
        _write_plan(target / file, emit)


def operations_of(folder: Path, stem: str) -> int | None:
    """Return the multiplications and additions of one step, which `make` has noted; None where it could not."""
    file = folder / f"{stem.removesuffix(HALF)}{_NOTE}"
    return int(json.loads(file.read_text(encoding="utf-8"))["operations"]) if file.is_file() else None


def _write_random(target: Path, name: str, emit: Emit) -> None:
    # torch and onnx are loaded only where models are made.
    from export.targets.card import model_card
    from export.targets.torch.program import save_program, trace_program
    from export.verification.graph import StepGraph
    from training.families.listen_and_move.rewrites.operations import operations_a_frame

    model = random_model(name)
    graph = StepGraph(model)
    card = model_card(graph, _PROVENANCE, _UNMEASURED)
    with (target / f"{name}.pt2").open("wb") as stream:
        save_program(trace_program(graph), card, stream)
    emit({"file": f"{name}.pt2"})
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxscript"):
        from export.targets.onnx.trace import remove_float_frame, trace

        program = trace(graph)
        remove_float_frame(program)
        (target / f"{name}.onnx").write_bytes(sealed(program.SerializeToString(), card))
        emit({"file": f"{name}.onnx"})
        write_half(target / f"{name}.onnx", card, emit)
    else:
        emit({"file": f"{name}.onnx", "left_out": "onnx and onnxscript are not installed"})
    (target / f"{name}{_NOTE}").write_text(json.dumps({"operations": operations_a_frame(model)}), encoding="utf-8")


def random_model(name: str) -> Any:
    """Build the model of a name, with random weights."""
    import torch

    from training.families.family import build_model
    from training.loop.config import load_train_config

    changes: dict[str, Any] = {"model.name": name}
    if name == WARP:
        changes |= {"model.image_size": 128, "model.generator.warp_rank": FLOWS, **_ANY_SIZE}
    elif name != PAPER:
        changes |= {"model.image_size": int(name.rpartition("-")[2]), **_ANY_SIZE}
    torch.manual_seed(0)
    model = build_model(load_train_config(_PAPER if name == PAPER else _WATER, changes).model).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            # They start at zero, where nothing is moved or mixed.
            if parameter_name.endswith("warp.flows") or ".canvas." in parameter_name:
                parameter.normal_(0.0, 0.1)
    return model


def write_half(path: Path, card: ModelCard, emit: Emit) -> None:
    """Write the file in float16 beside a float32 one."""
    import onnx

    from export.precision.half import to_half

    half = path.with_name(f"{path.stem}{HALF}.onnx")
    program = onnx.load(path)
    del program.metadata_props[:]
    half.write_bytes(sealed(to_half(program).SerializeToString(), replace(card, precision="float16", passes=())))
    emit({"file": half.name})


def _write_plan(path: Path, emit: Emit) -> None:
    from engine.model.backends.plan_file import LIBRARY

    card, plan = find_card(), path.with_suffix(".plan")
    if card is None or importlib.util.find_spec(LIBRARY) is None or not path.is_file():
        return
    from export.targets.tensorrt.build import build_plan
    from export.targets.tensorrt.plans import write_plan

    try:
        write_plan(build_plan(path, [generation(card.capability)]), plan)
    except UserError as error:
        emit({"file": plan.name, "left_out": str(error)})
    else:
        emit({"file": plan.name})
