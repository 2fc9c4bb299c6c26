"""Building plans: a model file compiled by TensorRT for RTX, for cards that need not be here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.core.errors import BackendError, ModelFileError, nearest_name
from engine.model.card import ModelCard, TensorInfo, check_graph
from engine.model.file import read_checked_card
from export.targets.tensorrt.plans import LIBRARY, Plan, PlanKey, error_logger, file_sha256, first_reason, load_library

WHAT = "Building plans"
GENERATIONS = MappingProxyType({
    "sm75": "RTX 20, GTX 16, T4", "sm80": "A100, A30", "sm86": "RTX 30, A10", "sm87": "Orin", "sm89": "RTX 40, L4, L40",
    "sm90": "H100, H200", "sm100": "B200", "sm103": "B300", "sm110": "Thor", "sm120": "RTX 50", "sm121": "GB10",
})  # fmt: skip
"""Generations of graphics cards by their compute capability, and the names they are sold under."""


def build_plan(model: Path, gpus: Sequence[str]) -> Plan:
    """Compile a model file for the generations `gpus`.

    Raises ModelFileError for a file that is faulty or that the library cannot compile, BackendError when the library is not
    installed, does not know one of `gpus` or compiles nothing for it.
    """
    key, card = plan_key(model, gpus)
    return Plan(card=card, key=key, model_file=model.name, engine=_compile(load_library(WHAT), model, card, key.gpus))


def plan_key(model: Path, gpus: Sequence[str]) -> tuple[PlanKey, ModelCard]:
    """Return what a plan of this file for these generations depends on, and the file's card. Raises as `build_plan` does."""
    library = load_library(WHAT)
    check_gpus(gpus, supported_gpus(library), library.__version__)
    card = read_checked_card(model)
    if card.precision == "int8":
        raise ModelFileError(
            f"{model} is in int8 for processors, and TensorRT for RTX takes int8 only where all zero points are zero; "
            "export the model again with --precision float16."
        )
    key = PlanKey(
        model_sha256=file_sha256(model),
        library=LIBRARY,
        library_version=library.__version__,
        gpus=tuple(sorted(set(gpus), key=_capability)),
        precision=card.precision,
    )
    return key, card


def supported_gpus(library: Any) -> tuple[str, ...]:
    """List the generations that the installed library compiles for."""
    return tuple(
        sorted((n.lower() for n in library.ComputeCapability.__members__ if n.startswith("SM")), key=_capability)
    )


def check_gpus(gpus: Sequence[str], supported: Sequence[str], version: str) -> None:
    """Raise BackendError for a generation that does not exist, or that the library does not compile for."""
    for gpu in gpus:
        if gpu not in supported and gpu not in GENERATIONS:
            raise BackendError(
                f"There is no GPU generation '{gpu}'.{nearest_name(gpu, (*supported, *GENERATIONS))} Choose among: {sold_as(supported)}."
            )
        if gpu not in supported:
            raise BackendError(
                f"TensorRT for RTX {version} compiles nothing for {gpu} ({GENERATIONS[gpu]}), only for {sold_as(supported)}; "
                "play the .onnx file there with --backend onnx-tensorrt or onnx-cuda."
            )


def sold_as(gpus: Sequence[str]) -> str:
    return ", ".join(f"{gpu} ({GENERATIONS[gpu]})" if gpu in GENERATIONS else gpu for gpu in gpus)


def _capability(gpu: str) -> int:
    return int(gpu[2:])


def _compile(library: Any, model: Path, card: ModelCard, gpus: Sequence[str]) -> bytes:
    errors: list[str] = []
    logger = error_logger(library, errors)
    builder = library.Builder(logger)
    network = builder.create_network(1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = library.OnnxParser(network, logger)
    if not parser.parse(model.read_bytes()):
        reasons = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise ModelFileError(
            f"{model}: TensorRT for RTX {library.__version__} cannot read its graph ({first_reason(reasons)}); "
            "export the model again."
        )
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    check_graph(card, _infos(library, inputs), _infos(library, outputs), str(model))
    settings = builder.create_builder_config()
    # Float32 stays float32, as in every other backend; a file in float16 is for speed.
    settings.clear_flag(library.BuilderFlag.TF32)
    settings.num_compute_capabilities = len(gpus)
    for index, gpu in enumerate(gpus):
        settings.set_compute_capability(library.ComputeCapability.__members__[gpu.upper()], index)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise ModelFileError(
            f"{model}: TensorRT for RTX {library.__version__} cannot compile it for {', '.join(gpus)} ({first_reason(errors)}); "
            "choose other cards with --gpu, or play the .onnx file itself."
        )
    return bytes(engine)


def _infos(library: Any, tensors: Sequence[Any]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(name=tensor.name, shape=tuple(tensor.shape), dtype=library.nptype(tensor.dtype).__name__)
        for tensor in tensors
    )
