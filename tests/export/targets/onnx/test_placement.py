"""Every node of every graph that is exported has a kernel on the graphics card: onnx-cuda refuses a file of which one has none.

TensorRT for RTX, where it is installed, reads the same graphs by itself.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from engine.model.backends.plan_file import LIBRARY, error_logger
from export.precision.half import to_half
from export.targets.onnx.trace import remove_float_frame, trace
from export.verification.graph import StepGraph
from export.verification.parity import session_options
from tests.export.targets.onnx.cuda_operators import KERNELS, OPSET
from tests.training.models import VARIANTS, small_model
from training.core.front_end import FrontEndConfig
from training.core.streaming import StreamingModel
from training.families.registry import family

BATCH, IMAGE_SIZE = 3, 32
FRONT_ENDS = ("stage", "mel", "lms", "mfcc")
_runtime: Any = onnxruntime


def placed(whole: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """Return the graph as ONNX Runtime has it when it asks each provider for kernels: constants folded."""
    options = session_options()
    options.graph_optimization_level = _runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "placed.onnx")
    _runtime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.shape_inference.infer_shapes(onnx.load(folder / "placed.onnx"))


def complaints(whole: onnx.ModelProto, folder: Path) -> set[str]:
    """Return what in a graph would not run on the card, in words."""
    model = placed(whole, folder)
    assert next(opset.version for opset in model.opset_import if opset.domain == "") == OPSET
    return {
        complaint for node in model.graph.node for complaint in of_node(node, types_of(model.graph), constants(model))
    }


def constants(model: onnx.ModelProto) -> set[str]:
    return {constant.name for constant in model.graph.initializer}


def types_of(graph: onnx.GraphProto) -> dict[str, str]:
    infos = (*graph.input, *graph.output, *graph.value_info)
    numbers = {info.name: info.type.tensor_type.elem_type for info in infos}
    numbers |= {constant.name: constant.data_type for constant in graph.initializer}
    return {name: TensorProto.DataType.Name(number).lower() for name, number in numbers.items()}


def of_node(node: onnx.NodeProto, types: dict[str, str], constant: set[str]) -> Iterator[str]:
    kernel = KERNELS.get(node.op_type)
    if kernel is None or node.domain not in ("", "ai.onnx"):
        yield f"{node.domain or 'ai.onnx'} {node.op_type} has no kernel"
        return
    for index, name in enumerate(node.input):
        if name and types[name] not in kernel.inputs.get(index, kernel.types):
            yield f"{node.op_type} takes no {types[name]} as input {index}"
        if name and index in kernel.on_host and name not in constant:
            yield f"{node.op_type} reads its input {index} in host memory, and it is computed"
    for name in node.output:
        if name and types[name] not in (kernel.outputs or kernel.types):
            yield f"{node.op_type} gives no {types[name]}"


def refused_by_tensorrt(whole: onnx.ModelProto) -> list[str]:
    """Return what TensorRT for RTX cannot read of a graph; nothing where it is not installed."""
    if importlib.util.find_spec(LIBRARY) is None:
        return []
    library, errors = importlib.import_module(LIBRARY), list[str]()
    logger = error_logger(library, errors)
    typed = 1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    builder = library.Builder(logger)
    network = builder.create_network(typed)
    return [] if library.OnnxParser(network, logger).parse(whole.SerializeToString()) else errors


def plain(model: StreamingModel) -> onnx.ModelProto:
    whole = trace(StepGraph(model.eval()))
    remove_float_frame(whole)
    return whole


def together() -> list[dict[str, object]]:
    """Return all variants in few settings: each goes to the first that leaves all its options open, the full model stays alone."""
    groups: list[dict[str, object]] = [{}]
    for options in VARIANTS.values():
        group = next((one for one in groups[1:] if one.keys().isdisjoint(options)), None)
        if group is None:
            groups.append(dict(options))
        else:
            group.update(options)
    return groups


@pytest.mark.parametrize("number", range(max(len(together()), len(FRONT_ENDS))))
def test_every_node_of_every_option_has_a_kernel_on_the_card(number: int, tmp_path: Path) -> None:
    kind = FRONT_ENDS[number % len(FRONT_ENDS)]
    front_end = FrontEndConfig(kind=kind, mel_bands=16 if kind == "stage" else 32)  # type: ignore[arg-type]
    options: Any = together()[number % len(together())]
    whole = plain(small_model(**{"image_size": IMAGE_SIZE, **options}, front_end=front_end))
    for program in (whole, to_half(whole)):
        assert complaints(program, tmp_path) == set()
        assert refused_by_tensorrt(program) == []


def test_every_node_of_a_batch_has_a_kernel_on_the_card(tmp_path: Path) -> None:
    model = small_model(**VARIANTS["warp"], **VARIANTS["resonators"], relief_rank=3, content_noise=2)
    program = trace(StepGraph(model, BATCH))
    assert complaints(program, tmp_path) == set()


@pytest.mark.parametrize("backend", ["onnx-cpu", "openvino"])
def test_every_node_of_a_rewritten_graph_has_a_kernel_on_the_card(backend: str, tmp_path: Path) -> None:
    model = small_model()
    rewrites = family(model.family).rewrites
    rewrites.apply(model, rewrites.defaults[backend])
    assert complaints(plain(model), tmp_path) == set()


def test_what_has_no_kernel_is_seen(tmp_path: Path) -> None:
    whole = trace(StepGraph(small_model(**VARIANTS["warp"])), grid_sample=True)
    assert complaints(whole, tmp_path) == {"ai.onnx GridSample has no kernel"}
    computed = helper.make_model(
        helper.make_graph(
            [helper.make_node("Reshape", ["values", "wanted"], ["shaped"])],
            "computed",
            [
                helper.make_tensor_value_info("values", TensorProto.STRING, (4,)),
                helper.make_tensor_value_info("wanted", TensorProto.INT64, (2,)),
            ],
            [helper.make_tensor_value_info("shaped", TensorProto.STRING, (2, 2))],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    assert complaints(computed, tmp_path) == {
        "Reshape takes no string as input 0",
        "Reshape gives no string",
        "Reshape reads its input 1 in host memory, and it is computed",
    }
