"""A layered model file small enough to be understood: made with onnx alone, with every role, and the formula in plain numpy.

level     = mean |audio| of the newest 160 samples
memory'   = 0.9 * memory + level
flow      = memory' * a swirl,          weights  = (1 - level, level)
light     = 1 + 0.25 * level,           residual = level * a ramp
features  = [level, memory']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.model.card import ModelCard, OutputSpec
from engine.model.file import sealed
from engine.model.layers import LayersSpec
from engine.model.textures import encode_texture
from tests.engine.model.probe_model import CARD as PROBE_CARD
from tests.engine.model.probe_model import NEWEST_SAMPLES, write_known

# K textures, H W rows and columns of pixels, C channels, h w rows and columns of a field

HEIGHT, WIDTH = 72, 128
FIELD_SIDE, RESIDUAL_SIDE = 8, 16


def texture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return blots with soft edges: of all levels, and none so hard that rounding a place could show."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


# Of shapes of their own: larger than the frame, and smaller.
TEXTURES = (texture(1, 144, 256), texture(2, 40, 60))
_STORED = [encode_texture(f"texture_{k}", pixels_HWC) for k, pixels_HWC in enumerate(TEXTURES)]


def _output(name: str, channels: int, side: int) -> OutputSpec:
    return OutputSpec(name=name, shape=(channels, side, side), dtype="float32", help=f"the {name}")


CARD = replace(
    PROBE_CARD,
    name="layered probe",
    height=HEIGHT,
    width=WIDTH,
    noises=(),
    controls=(),
    outputs=(
        _output("flow", 2, FIELD_SIDE),
        _output("weights", 2, 1),
        _output("light", 1, 1),
        _output("residual", 3, RESIDUAL_SIDE),
    ),
    layers=LayersSpec(
        textures=tuple(spec for spec, _ in _STORED),
        flow="flow",
        weights="weights",
        light="light",
        residual="residual",
    ),
    graph_sha256="",
)


def swirl() -> NDArray[np.float32]:
    """Return a flow that turns around the centre, [2, h, w]."""
    side = (np.arange(FIELD_SIDE) + 0.5) * 2.0 / FIELD_SIDE - 1.0
    right, down = np.meshgrid(side, side)
    return np.stack([-0.4 * down, 0.4 * right]).astype(np.float32)


def program(card: ModelCard = CARD) -> onnx.ModelProto:
    """Return the graph with its textures, without a card."""
    ramp = np.broadcast_to(np.linspace(-0.5, 0.5, RESIDUAL_SIDE, dtype=np.float32), (3, RESIDUAL_SIDE, RESIDUAL_SIDE))
    constants = {
        "first": np.array([card.window_samples - NEWEST_SAMPLES], np.int64),
        "last": np.array([card.window_samples], np.int64),
        "axis": np.array([0], np.int64),
        "decay": np.array(0.9, np.float32),
        "one": np.array([1.0], np.float32),
        "quarter": np.array(0.25, np.float32),
        "swirl": swirl(),
        "ramp": np.array(ramp),
        "pair": np.array([2, 1, 1], np.int64),
        "single": np.array([1, 1, 1], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Slice", ["audio", "first", "last", "axis"], ["newest"]),
        node("Abs", ["newest"], ["loudness"]),
        node("ReduceMean", ["loudness"], ["level"], axes=[0], keepdims=1),
        node("Mul", ["memory", "decay"], ["fading"]),
        node("Add", ["fading", "level"], ["memory_next"]),
        node("Mul", ["memory_next", "swirl"], ["flow"]),
        node("Sub", ["one", "level"], ["rest"]),
        node("Concat", ["rest", "level"], ["both"], axis=0),
        node("Reshape", ["both", "pair"], ["weights"]),
        node("Mul", ["level", "quarter"], ["glow"]),
        node("Add", ["glow", "one"], ["bright"]),
        node("Reshape", ["bright", "single"], ["light"]),
        node("Mul", ["level", "ramp"], ["residual"]),
        node("Concat", ["level", "memory_next"], ["features"], axis=0),
    ]
    dtypes = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}
    graph = helper.make_graph(
        nodes,
        "layered probe",
        [helper.make_tensor_value_info(i.name, dtypes[i.dtype], i.shape) for i in card.input_tensors()],
        [helper.make_tensor_value_info(o.name, dtypes[o.dtype], o.shape) for o in card.output_tensors()],
        [
            *(numpy_helper.from_array(value, name) for name, value in constants.items()),
            *(numpy_helper.from_array(np.frombuffer(png, np.uint8), spec.name) for spec, png in _STORED),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_layered_probe(path: Path, card: ModelCard = CARD, stored: Mapping[str, bytes] | None = None) -> Path:
    """Write the probe, sealed. `stored` replaces the bytes of textures by name; empty ones leave a texture out."""
    model = program(card)
    for name, content in (stored or {}).items():
        place = next(n for n, constant in enumerate(model.graph.initializer) if constant.name == name)
        del model.graph.initializer[place]
        if content:
            model.graph.initializer.append(numpy_helper.from_array(np.frombuffer(content, np.uint8), name))
    return write_known(sealed(model.SerializeToString(), card), path)


def composed(
    textures: tuple[NDArray[np.uint8], ...], fields: Mapping[str, NDArray[np.float32]], height: int, width: int
) -> NDArray[np.float64]:
    """Return the frame by the formula of layers.py in 64 bits and before rounding, in levels [H, W, 3]."""
    down_HW, right_HW = np.meshgrid(
        (np.arange(height) + 0.5) * 2.0 / height - 1.0, (np.arange(width) + 0.5) * 2.0 / width - 1.0, indexing="ij"
    )

    def at(name: str) -> NDArray[np.float64]:
        return _sampled(np.moveaxis(fields[name], 0, -1), right_HW, down_HW)

    mixed_HWC = np.zeros((height, width, 3))
    for k, pixels_HWC in enumerate(textures):
        flow_HW2 = at("flow") if "flow" in fields else np.zeros((height, width, 2))
        own_HW2 = flow_HW2[..., 2 * k : 2 * k + 2] if flow_HW2.shape[-1] > 2 else flow_HW2
        weight_HW1 = at("weights")[..., k : k + 1] if "weights" in fields else 1.0
        mixed_HWC += weight_HW1 * _sampled(pixels_HWC, right_HW + own_HW2[..., 0], down_HW + own_HW2[..., 1])
    light, residual = (at("light") if "light" in fields else 1.0, at("residual") if "residual" in fields else 0.0)
    return np.clip(light * mixed_HWC + 255.0 * residual, 0.0, 255.0)


def _sampled(
    values_HWC: NDArray[np.generic], right_HW: NDArray[np.float64], down_HW: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate at places from -1 to 1, bilinearly between the centres of pixels; outside is the nearest edge."""
    height, width = values_HWC.shape[:2]
    x, y = (right_HW + 1.0) * width / 2.0 - 0.5, (down_HW + 1.0) * height / 2.0 - 0.5
    x, y = np.clip(x, 0.0, width - 1.0), np.clip(y, 0.0, height - 1.0)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    after, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    share_x, share_y = (x - left)[..., None], (y - top)[..., None]
    values = values_HWC.astype(np.float64)
    upper = values[top, left] * (1.0 - share_x) + values[top, after] * share_x
    lower = values[below, left] * (1.0 - share_x) + values[below, after] * share_x
    return upper * (1.0 - share_y) + lower * share_y
