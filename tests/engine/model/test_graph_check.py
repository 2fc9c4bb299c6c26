"""What a model file may not hold, and that what export writes is let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.app.config import DEFAULT_MODEL
from engine.core.errors import ModelFileError
from engine.model.file import graph_sha256, read_model, sealed
from engine.model.graph_check import check_content
from engine.model.protobuf import bytes_field
from tests.engine.model.probe_model import CARD, program, write_looking_probe, write_quantised_probe


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.external_data.add(key="location", value="../../etc/passwd")
    tensor.data_location = TensorProto.EXTERNAL


def located_elsewhere(model: Any) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def external_attribute(model: Any) -> None:
    tensor = numpy_helper.from_array(np.ones(3, np.float32), "hidden")
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["hidden"], value=tensor))


def control_flow(model: Any) -> None:
    branch = helper.make_graph([], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["gain"], ["x"], then_branch=branch, else_branch=branch))


def hidden_graph(model: Any) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("body", helper.make_graph([], "body", [], [])))


def function(model: Any) -> None:
    model.functions.add(name="Abs", domain="")


def foreign_operator(model: Any) -> None:
    model.graph.node[0].domain = "com.microsoft"


def unprintable_operator(model: Any) -> None:
    model.graph.node[0].op_type, model.graph.node[0].domain = "\x1b[2J", "evil\x07"


def random_operator(model: Any) -> None:
    model.graph.node.append(helper.make_node("RandomNormal", [], ["x"], shape=[1]))


def sequence(model: Any) -> None:
    model.graph.value_info.append(helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None))


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.add()


def sparse_attribute(model: Any) -> None:
    model.graph.node[0].attribute.add(name="sparse_value").sparse_tensor.dims.append(1)


def training_information(model: Any) -> None:
    model.training_info.add()


def boast(model: Any) -> None:
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([1 << 40])


def text(model: Any) -> None:
    model.graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [1], [b"words"]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (external, "keeps weights in another file"),
        (located_elsewhere, "keeps weights in another file"),
        (external_attribute, "keeps weights in another file"),
        (control_flow, "holds a graph inside a graph"),
        (hidden_graph, "holds a graph inside a graph"),
        (function, "defines functions of its own"),
        (foreign_operator, "uses the operator 'Slice' of 'com.microsoft', not of ai.onnx"),
        (unprintable_operator, r"uses the operator '\\x1b\[2J' of 'evil\\x07'"),
        (random_operator, "uses the operator RandomNormal"),
        (sequence, "has values that are no tensors"),
        (sparse, "holds sparse tensors"),
        (sparse_attribute, "holds sparse tensors"),
        (training_information, "holds training information"),
        (boast, r"holds a tensor of shape '\[1099511627776\]' with too few values"),
        (text, "holds text as a tensor"),
    ],
)
def test_what_is_no_network_is_refused_with_right_checksums(
    change: Callable[[Any], None], says: str, tmp_path: Path
) -> None:
    model, path = program(CARD), tmp_path / "hostile.onnx"
    change(model)
    path.write_bytes(sealed(model.SerializeToString(), CARD))
    with pytest.raises(ModelFileError, match=f"was not opened: it {says}") as caught:
        read_model(path)
    assert str(caught.value).isprintable()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        bytes_field(7, bytes_field(1, bytes_field(5, bytes_field(5, b"\x70\x81\x80\x80\x80\x10")))),
        bytes_field(7, bytes_field(5, b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")),
        bytes_field(99, b""),
        b"\x3d\x00\x00\x00\x00",
    ],
    ids=["location beyond 32 bits", "negative size", "unknown field", "graph of another wire type"],
)
def test_what_a_library_would_write_in_another_way_is_refused_too(content: bytes) -> None:
    with pytest.raises(ModelFileError, match="was not opened"):
        check_content(content, "hostile.onnx")


def test_a_graph_cannot_be_nested_in_any_field() -> None:
    nested = program(CARD).graph.SerializeToString()
    for field in range(1, 40):
        content = bytes_field(7, bytes_field(1, bytes_field(5, bytes_field(field, nested))))
        # Texts and tensors are the only bytes of an attribute, and a graph is no tensor.
        if field in (1, 4, 7, 8, 9, 13):
            check_content(content, "file.onnx")
        else:
            with pytest.raises(ModelFileError):
                check_content(content, "file.onnx")


def test_what_export_writes_is_let_through(tmp_path: Path) -> None:
    check_content(Path(DEFAULT_MODEL).read_bytes(), Path(DEFAULT_MODEL).name)
    for write in (write_quantised_probe, write_looking_probe):
        read_model(write(tmp_path / "probe.onnx"))


def test_a_graph_checked_twice_is_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "probe.onnx"
    path.write_bytes(sealed(program(CARD).SerializeToString(), replace(CARD, name="other")))
    read = read_model(path)
    assert read.card.graph_sha256 == graph_sha256(read.content.data)
    assert onnx.load_from_string(read.content.data).graph.name == "probe"
