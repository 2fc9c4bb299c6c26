"""float16 computes the frames in 16 bits and nothing else, and the engine's runtimes take it."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from engine.core.errors import ModelFileError
from export.precision.half import to_half
from export.targets.onnx.trace import trace
from export.verification.drift import measure_drift
from export.verification.graph import StepGraph
from export.verification.players import OnnxPlayer, SoundInputs, TorchPlayer
from export.verification.sound import made_sound
from tests.export.precise import program, traced
from tests.training.clips import RATE_HZ
from tests.training.models import VARIANTS, small_model

STEPS = 16


@pytest.mark.parametrize("variant", ["wide", "skip"])
def test_frames_stay_alike_over_carried_steps(variant: str) -> None:
    if variant == "wide":
        graph, whole = traced()[0], program()
    else:
        graph = StepGraph(small_model(**VARIANTS[variant]))
        whole = trace(graph)
    half = to_half(whole)
    onnx.checker.check_model(half, full_check=True)
    assert [i.SerializeToString() for i in half.graph.input] == [i.SerializeToString() for i in whole.graph.input]
    assert [(o.name, o.type.tensor_type.elem_type) for o in half.graph.output] == [
        (o.name, o.type.tensor_type.elem_type) for o in whole.graph.output
    ]
    sound = made_sound(RATE_HZ)
    (end,) = measure_drift(graph, TorchPlayer(graph), OnnxPlayer(graph, half), sound, (STEPS,))
    assert end.psnr_db > 50
    assert 0 < end.state_max < 0.05


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {info.name: info.type.tensor_type.elem_type for info in (*graph.value_info, *graph.input, *graph.output)}
    return types | {constant.name: constant.data_type for constant in graph.initializer}


def test_what_must_not_be_rounded_is_not() -> None:
    graph, whole = traced()[0], program()
    half = to_half(whole)
    types = types_of(half)
    kinds = {node.op_type: {types[name] for name in node.input if name} for node in half.graph.node}
    assert kinds["Conv"] == {TensorProto.FLOAT16}
    for operator in ("InstanceNormalization", "BatchNormalization", "Log", "Gemm", "Round"):
        assert kinds[operator] == {TensorProto.FLOAT}
    # Front end and motion do not differ by a single bit.
    inputs = SoundInputs(graph, made_sound(RATE_HZ)).at(0)
    exact, rounded = (OnnxPlayer(graph, model).step(inputs) for model in (whole, half))
    np.testing.assert_array_equal(rounded.features_F, exact.features_F)
    for name in graph.state_names:
        if not name.startswith("prediction"):
            np.testing.assert_array_equal(rounded.next_state[name], exact.next_state[name])


def test_the_state_is_not_rounded_on_its_way_into_the_next() -> None:
    """A state that no gate touches comes out as it went in, bit-exact in 32 bits."""
    half = to_half(program())
    types = types_of(half)
    producers = {name: node for node in half.graph.node for name in node.output}
    for output in half.graph.output:
        if output.name.endswith("_next"):
            node = producers[output.name]
            while node.op_type in ("Gather", "Squeeze", "Reshape", "Unsqueeze"):
                node = producers[node.input[0]]
            assert node.op_type != "Cast"
            assert types[node.output[0]] == TensorProto.FLOAT


def test_convolutions_take_half_the_memory() -> None:
    whole = program()
    half = to_half(whole)
    convolved = {node.input[1] for node in whole.graph.node if node.op_type == "Conv"}
    weights = sum(4 * int(np.prod(c.dims)) for c in whole.graph.initializer if c.name in convolved)
    assert whole.ByteSize() - half.ByteSize() > 0.9 * weights / 2


def test_weights_that_16_bits_cannot_hold_are_refused() -> None:
    whole = program()
    name = next(node.input[1] for node in whole.graph.node if node.op_type == "Conv")
    constant = next(c for c in whole.graph.initializer if c.name == name)
    constant.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(constant) + np.float32(1e5), name))
    with pytest.raises(ModelFileError, match="float16 ends at 65504"):
        to_half(whole)
