"""What a model file holds beside the graph of a layered model: the card's `layers`, and the textures as initialisers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from engine.core.errors import ModelFileError
from engine.model.layers import ROLES, LayersSpec, TextureSpec
from engine.model.textures import encode_texture
from training.core.layered import LayeredModel
from training.core.streaming import StreamingModel


def stored_layers(model: StreamingModel) -> tuple[LayersSpec | None, dict[str, bytes]]:
    """Return the card's `layers` and the PNGs by name; nothing for a model whose graph gives the frame."""
    if not isinstance(model, LayeredModel):
        return None, {}
    specs, stored = list[TextureSpec](), dict[str, bytes]()
    for k, levels in enumerate(model.texture_levels):
        spec, stored[f"texture_{k}"] = encode_texture(f"texture_{k}", levels.permute(1, 2, 0).cpu().numpy())
        specs.append(spec)
    names = {role: role if role in model.field_shapes() else "" for role in ROLES}
    return LayersSpec(textures=tuple(specs), **names), stored


def add_textures(program: onnx.ModelProto, stored: Mapping[str, bytes]) -> None:
    """Put textures among the initialisers of the graph, in place; no node reads them."""
    tensors = (numpy_helper.from_array(np.frombuffer(png, np.uint8), name) for name, png in stored.items())
    program.graph.initializer.extend(tensors)


def refuse_layers(layered: bool, path: Path) -> None:
    """Raise ModelFileError for a target whose file has no place for textures."""
    if layered:
        raise ModelFileError(
            f"{path} was not written: the model is layered, and only .onnx files hold textures; "
            "play the file of python -m export.to_onnx, on any backend."
        )
