"""Mutations of model files, as a stranger might make them: of the graph's structure, its bytes and its card, with right checksums."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import onnx
from onnx import TensorProto, helper

from engine.model.file import graph_sha256, sealed_text

T = TypeVar("T")
Draw = np.random.Generator

EXTREME = (-(2**63), -(2**31), -1, 0, 1, 2, 2**16, 2**31 - 1, 2**31, 2**62, 2**63 - 1)
EXTREME_FLOATS = (float("nan"), float("inf"), -1e38, 0.0, 1e-45, 1e38)
OPERATORS = tuple(sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}))
CARD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 10**6, 10**12, 10**300, 1e308, "", "ping", "\x1b[2J", "a" * 10**5, [], {}),
    *([1] * 1000, [2**40, 2**40], [[]] * 3, {"name": "x"}, [None], "../../etc/passwd"),
)


def pick(draw: Draw, values: Sequence[T]) -> T:
    """Return one of the values."""
    return values[int(draw.integers(len(values)))]


def mutated(content: bytes, draw: Draw) -> bytes:
    """Return a model file with one to three changes and checksums that fit."""
    model = onnx.load_from_string(content)
    card = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "fluid_model_card"))
    del model.metadata_props[:]
    for _ in range(int(draw.integers(1, 4))):
        # Cards are judged before graphs, so most files keep theirs.
        pick(draw, CARD_CHANGES)(card, draw) if draw.random() < 0.15 else pick(draw, GRAPH_CHANGES)(model, draw)
    graph = model.SerializeToString()
    if draw.random() < 0.1:
        graph = with_changed_bytes(graph, draw)
    try:
        card["graph_sha256"] = graph_sha256(graph)
        return sealed_text(graph, json.dumps(card))
    except EOFError:
        # The bytes are no ONNX file any more.
        return graph


def with_changed_bytes(content: bytes, draw: Draw) -> bytes:
    """Return the bytes with a few of them changed."""
    changed = bytearray(content)
    for _ in range(int(draw.integers(1, 8))):
        changed[int(draw.integers(len(changed)))] = int(draw.integers(256))
    return bytes(changed)


def _operator(model: Any, draw: Draw) -> None:
    pick(draw, model.graph.node).op_type = pick(draw, OPERATORS)


def _wire(model: Any, draw: Draw) -> None:
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    node = pick(draw, model.graph.node)
    side = pick(draw, (node.input, node.output))
    if side:
        side[int(draw.integers(len(side)))] = pick(draw, (*names, ""))


def _remove_node(model: Any, draw: Draw) -> None:
    if len(model.graph.node) > 1:
        del model.graph.node[int(draw.integers(len(model.graph.node)))]


def _repeat_node(model: Any, draw: Draw) -> None:
    model.graph.node.append(pick(draw, model.graph.node))


def _attribute(model: Any, draw: Draw) -> None:
    node = pick(draw, model.graph.node)
    if node.attribute and draw.random() < 0.8:
        attribute = pick(draw, node.attribute)
        if attribute.ints:
            attribute.ints[int(draw.integers(len(attribute.ints)))] = pick(draw, EXTREME)
        else:
            attribute.i, attribute.f = pick(draw, EXTREME), pick(draw, EXTREME_FLOATS)
    else:
        name = pick(draw, ("axis", "axes", "to", "group", "pads", "strides", "blocksize", "keepdims", "perm"))
        value: Any = pick(draw, EXTREME) if draw.random() < 0.5 else [pick(draw, EXTREME) for _ in range(3)]
        node.attribute.append(helper.make_attribute(name, value))


def _weights(model: Any, draw: Draw) -> None:
    tensor = pick(draw, model.graph.initializer)
    if tensor.data_type == TensorProto.INT64 and draw.random() < 0.7:
        count = len(tensor.raw_data) // 8
        tensor.raw_data = np.array([pick(draw, EXTREME) for _ in range(count)], np.int64).tobytes()
    elif tensor.raw_data:
        tensor.raw_data = with_changed_bytes(tensor.raw_data, draw)


def _weights_shape(model: Any, draw: Draw) -> None:
    tensor = pick(draw, model.graph.initializer)
    change = int(draw.integers(3))
    if change == 0:
        tensor.dims.append(pick(draw, EXTREME))
    elif change == 1 and tensor.dims:
        tensor.dims[0] = pick(draw, EXTREME)
    else:
        tensor.data_type = int(draw.integers(0, 24))


def _declared(model: Any, draw: Draw) -> None:
    value = pick(draw, (*model.graph.input, *model.graph.output))
    kind = value.type.tensor_type
    if kind.shape.dim and draw.random() < 0.7:
        pick(draw, kind.shape.dim).dim_value = pick(draw, EXTREME)
    else:
        kind.elem_type = int(draw.integers(0, 24))


def _forbidden(model: Any, draw: Draw) -> None:
    change = int(draw.integers(6))
    tensor, node = pick(draw, model.graph.initializer), pick(draw, model.graph.node)
    if change == 0:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../../../etc/passwd")
    elif change == 1:
        node.domain = pick(draw, ("com.microsoft", "ai.onnx.ml", "custom"))
    elif change == 2:
        node.attribute.append(helper.make_attribute("body", model.graph))
    elif change == 3:
        model.functions.add(name="f", domain="")
    elif change == 4:
        model.graph.sparse_initializer.add()
    else:
        node.op_type = pick(draw, ("If", "Loop", "Scan", "RandomNormal", "SequenceEmpty"))


def _card_value(card: dict[str, Any], draw: Draw) -> None:
    place: Any = card
    while True:
        key = pick(draw, list(place) if isinstance(place, dict) else range(len(place)))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or draw.random() < 0.3:
            place[key] = pick(draw, CARD_VALUES)
            return
        place = inner


def _card_keys(card: dict[str, Any], draw: Draw) -> None:
    if draw.random() < 0.5 and len(card) > 1:
        del card[pick(draw, list(card))]
    else:
        card[pick(draw, ("batches", "x", "\x1b", "states"))] = pick(draw, CARD_VALUES)


GRAPH_CHANGES: tuple[Callable[[Any, Draw], None], ...] = (
    *(_operator, _wire, _remove_node, _repeat_node, _attribute, _weights, _weights_shape, _declared, _forbidden),
)
CARD_CHANGES: tuple[Callable[[dict[str, Any], Draw], None], ...] = (_card_value, _card_keys)
