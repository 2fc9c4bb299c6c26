"""A model file small enough to be understood: made with onnx alone, played by every engine test.

level    = mean |audio| of the newest 160 samples, times `gain`
memory'  = decay * memory + level
frame    = 255 * clip(memory' * ramp(column) + 0.05 * noise), the same in every row and colour
features = [level, memory']
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.model.card import (
    METADATA_KEY,
    ControlSpec,
    ModelCard,
    NoiseSpec,
    OutputSpec,
    Parity,
    PictureSpec,
    Provenance,
    StateSpec,
)
from engine.model.file import graph_sha256, sealed
from engine.model.known_models import note_made_here

HEIGHT, WIDTH = 12, 16
NEWEST_SAMPLES = 160
DECAY = 0.5

_UNSEALED = ModelCard(
    name="probe",
    family="probe",
    sample_rate_hz=16000,
    window_samples=1360,
    hop_samples=800,
    look_ahead_s=0.0,
    height=HEIGHT,
    width=WIDTH,
    feature_bands=2,
    states=(StateSpec(name="memory", shape=(1,)),),
    noises=(NoiseSpec(name="jitter", shape=(WIDTH,), distribution="normal"),),
    controls=(ControlSpec(name="gain", help="how strongly sound brightens", low=0.0, high=4.0, default=1.0),),
    parity=Parity(steps=0, frame_max=0.0, frame_rms=0.0, state_max=0.0, sound="none"),
    provenance=Provenance(source="none", licence="CC0", config="probe", commit="", iterations=0),
)


def program(card: ModelCard) -> onnx.ModelProto:
    """Return the probe without its card."""
    return helper.make_model(_graph(card), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _graph(card: ModelCard) -> onnx.GraphProto:
    dtypes = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}
    constants = {
        "first": np.array([card.window_samples - NEWEST_SAMPLES], np.int64),
        "last": np.array([card.window_samples], np.int64),
        "axis": np.array([0], np.int64),
        "decay": np.array(DECAY, np.float32),
        "ramp": np.linspace(0.5, 2.0, card.width, dtype=np.float32),
        "grain": np.array(0.05, np.float32),
        "zero": np.array(0.0, np.float32),
        "one": np.array(1.0, np.float32),
        "white": np.array(255.0, np.float32),
        "frame_shape": np.array([card.height, card.width, 3], np.int64),
        "column_shape": np.array([1, card.width, 1], np.int64),
    }
    nodes = [
        helper.make_node("Slice", ["audio", "first", "last", "axis"], ["newest"]),
        helper.make_node("Abs", ["newest"], ["loudness"]),
        helper.make_node("ReduceMean", ["loudness"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Mul", ["mean", "gain"], ["level"]),
        helper.make_node("Mul", ["memory", "decay"], ["fading"]),
        helper.make_node("Add", ["fading", "level"], ["memory_next"]),
        helper.make_node("Mul", ["memory_next", "ramp"], ["bright"]),
        helper.make_node("Mul", ["jitter", "grain"], ["grains"]),
        helper.make_node("Add", ["bright", "grains"], ["sum"]),
        helper.make_node("Clip", ["sum", "zero", "one"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "white"], ["levels"]),
        helper.make_node("Cast", ["levels"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("Reshape", ["bytes", "column_shape"], ["columns"]),
        helper.make_node("Expand", ["columns", "frame_shape"], ["frame"]),
        helper.make_node("Concat", ["level", "memory_next"], ["features"], axis=0),
    ]
    return helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info(i.name, dtypes[i.dtype], i.shape) for i in card.input_tensors()],
        [helper.make_tensor_value_info(o.name, dtypes[o.dtype], o.shape) for o in card.output_tensors()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


CARD = replace(_UNSEALED, graph_sha256=graph_sha256(program(_UNSEALED).SerializeToString()))


def write_known(content: bytes, path: Path) -> Path:
    """Write a model file as export does: it needs no first test."""
    path.write_bytes(content)
    note_made_here(sha256(content).hexdigest())
    return path


def write_probe(path: Path, card: ModelCard | None = CARD, metadata: str | None = None, **changes: object) -> Path:
    """Write the probe, sealed. `changes` alter the card alone; `metadata` replaces its JSON; card None leaves it out."""
    model = program(card or CARD)
    if metadata is not None:
        helper.set_model_props(model, {METADATA_KEY: metadata})
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    if card is not None and metadata is None:
        content = sealed(content, replace(card, **changes))  # type: ignore[arg-type]
    return write_known(content, path)


def write_quantised_probe(path: Path) -> Path:
    """Write the probe with its brightness in eight bits, between nodes that quantise and dequantise."""
    model = program(CARD)
    graph = model.graph
    before = next(number for number, node in enumerate(graph.node) if "bright" in node.input)
    graph.node[before].input[0] = "bright_again"
    scale = numpy_helper.from_array(np.array(4.0 / 255.0, np.float32), "scale")
    graph.initializer.extend([scale, numpy_helper.from_array(np.array(0, np.uint8), "least")])
    graph.node.insert(before, helper.make_node("DequantizeLinear", ["bright_8", "scale", "least"], ["bright_again"]))
    graph.node.insert(before, helper.make_node("QuantizeLinear", ["bright", "scale", "least"], ["bright_8"]))
    onnx.checker.check_model(model)
    card = replace(CARD, precision="int8", calibration="none, by formula")
    return write_known(sealed(model.SerializeToString(), card), path)


LOOKING_CARD = replace(
    _UNSEALED,
    name="looking",
    pictures=(PictureSpec(name="still", height=HEIGHT, width=WIDTH, help="shown behind the columns"),),
    outputs=(OutputSpec(name="brightest", shape=(1,), dtype="uint8", help="the brightest level of `still`"),),
)
"""Of a probe that looks at a picture: frame = the probe's frame or `still`, whichever is brighter."""


def write_looking_probe(path: Path, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """Write a probe with a picture input and an output beside the frame."""
    card = replace(
        LOOKING_CARD,
        width=width,
        height=height,
        noises=(replace(LOOKING_CARD.noises[0], shape=(width,)),),
        pictures=(replace(LOOKING_CARD.pictures[0], width=width, height=height),),
    )
    model = helper.make_model(_graph(card), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    graph = model.graph
    next(node for node in graph.node if "frame" in node.output).output[0] = "columns_frame"
    graph.node.extend(
        [
            helper.make_node("Max", ["columns_frame", "still"], ["frame"]),
            helper.make_node("ReduceMax", ["still"], ["brightest_111"], keepdims=1),
            helper.make_node("Reshape", ["brightest_111", "one_shape"], ["brightest"]),
        ]
    )
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "one_shape"))
    onnx.checker.check_model(model)
    return write_known(sealed(model.SerializeToString(), card), path)
