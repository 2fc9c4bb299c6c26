"""What a model file holds beside the graph of a layered model: the card's `layers`, and the textures as initialisers.

Textures are stored as PNG. Where these would be larger than MOST_PNG_BYTES together, they are stored as JPEG, and the model gets the pixels
that the file gives back, so that torch and the engine compose with the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from engine.core.errors import ModelFileError
from engine.model.content import read_content
from engine.model.layers import ROLES, LayersSpec
from engine.model.textures import decode_texture, encode_texture, read_textures
from training.core.layered import LayeredModel
from training.core.streaming import StreamingModel

MOST_PNG_BYTES = 2 << 20
"""Of all textures together."""


def stored_layers(model: StreamingModel) -> tuple[LayersSpec | None, dict[str, bytes]]:
    """Return the card's `layers` and the encoded textures by name; nothing for a model whose graph gives the frame.

    Textures that are stored with a loss are replaced in the model.
    """
    if not isinstance(model, LayeredModel):
        return None, {}
    pixels = [levels.permute(1, 2, 0).cpu().numpy() for levels in model.texture_levels]
    encoded = [encode_texture(f"texture_{k}", each) for k, each in enumerate(pixels)]
    if sum(len(stored) for _, stored in encoded) > MOST_PNG_BYTES:
        encoded = [encode_texture(f"texture_{k}", each, lossy=True) for k, each in enumerate(pixels)]
        take_textures(model, [decode_texture(*each) for each in encoded])
    names = {role: role if role in model.field_shapes() else "" for role in ROLES}
    specs = tuple(spec for spec, _ in encoded)
    return LayersSpec(textures=specs, **names), {spec.name: stored for spec, stored in encoded}


def take_textures(model: LayeredModel, pixels: Sequence[NDArray[np.uint8]]) -> None:
    """Put pixels [H, W, 3] in the place of the textures of a model."""
    for levels, pixels_HWC in zip(model.texture_levels, pixels, strict=True):
        levels.copy_(torch.tensor(pixels_HWC).permute(2, 0, 1))


def take_stored_textures(model: StreamingModel, path: Path, layers: LayersSpec | None) -> float:
    """Put the textures of a model file in the place of those of its checkpoint, and return their mean difference in levels."""
    if layers is None or not isinstance(model, LayeredModel):
        return 0.0
    before = [levels.clone() for levels in model.texture_levels]
    take_textures(model, read_textures(read_content(path), layers))
    apart = [(a.float() - b.float()).abs().mean() for a, b in zip(before, model.texture_levels, strict=True)]
    return float(torch.stack(apart).max())


def add_textures(program: onnx.ModelProto, stored: Mapping[str, bytes]) -> None:
    """Put textures among the initialisers of the graph, in place; no node reads them."""
    tensors = (numpy_helper.from_array(np.frombuffer(content, np.uint8), name) for name, content in stored.items())
    program.graph.initializer.extend(tensors)


def refuse_layers(layered: bool, path: Path) -> None:
    """Raise ModelFileError for a target whose file has no place for textures."""
    if layered:
        raise ModelFileError(
            f"{path} was not written: the model is layered, and only .onnx files hold textures; "
            "play the file of python -m export.to_onnx, on any backend."
        )
