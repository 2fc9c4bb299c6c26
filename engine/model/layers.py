"""Layered models: a step gives small fields, and the frame is composed of them and of textures that the file stores.

    frame(p) = light(p) · Σ_k weights_k(p) · texture_k(p + flow_k(p)) + residual(p)

Places p go from -1 to 1 across the frame, as in torch's grid_sample, and flow is in these units: half the frame's side. Textures
and the result are levels of 255 as [0, 1], and so is the residual; what lies beyond is clipped. A place outside a texture shows its
nearest edge. Textures and fields are interpolated bilinearly between the centres of their pixels (align_corners=False), whatever
their sizes. The same formula is written three times: compositor.py, output/window/gl_layers.py and training/core/composition.py;
tests hold them together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelFileError
from engine.model.card_limits import MOST_TEXTURE_PIXELS, check_limits

# K textures, C channels, h w rows and columns of a field, H W rows and columns of pixels

FORMULA = "light * sum_k(weights[k] * texture_k(place + flow_k)) + residual"
FLOW, WEIGHTS, LIGHT, RESIDUAL = ROLES = ("flow", "weights", "light", "residual")
MOST_FLOW = 2.0
"""The whole frame: a larger flow shows the same edge."""
MOST_OF_OTHERS = 1e4
"""Far beyond white or black, and products of such numbers stay finite."""
_AGAIN = "export the model again"
_SHA256 = re.compile(r"[0-9a-f]{64}")

Fields = Mapping[str, NDArray[np.float32]]
"""The fields of one step [C, h, w], by their role."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextureSpec:
    """A stored still, RGB of 8 bits: a PNG or JPEG in the file, as the initialiser `name` of the graph, uint8 [stored_bytes]."""

    name: str
    height: int
    width: int
    stored_bytes: int
    sha256: str
    """Checksum of the stored bytes."""

    def __post_init__(self) -> None:
        check_limits(self)
        if not _SHA256.fullmatch(self.sha256):
            raise ModelFileError(
                f"Texture '{self.name}' has the checksum {self.sha256[:70]!a}; 64 hexadecimal digits were expected. Export the model again."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class LayersSpec:
    """What the frame is composed of. Each role names an output of the card, float32 [C, h, w]; an empty one takes no part."""

    textures: tuple[TextureSpec, ...]
    flow: str = ""
    """C = 2, right and down, for all textures alike, or 2 K: two for each texture in turn."""
    weights: str = ""
    """C = K. Without it there is one texture, of weight 1."""
    light: str = ""
    """C = 1 or 3."""
    residual: str = ""
    """C = 3."""
    formula: str = FORMULA

    def __post_init__(self) -> None:
        check_limits(self)
        if self.formula != FORMULA:
            raise ModelFileError(
                f"The model card composes frames by '{self.formula[:100]}'; this engine knows '{FORMULA}'. Use the engine that the model was made for."
            )
        names = [texture.name for texture in self.textures]
        if not names or len(set(names)) < len(names):
            raise ModelFileError(
                f"The model card lists the textures {names}; one or more were expected, each once; {_AGAIN}."
            )
        pixels = sum(texture.height * texture.width for texture in self.textures)
        if pixels > MOST_TEXTURE_PIXELS:
            raise ModelFileError(
                f"The model card's textures have {pixels:,} pixels together; at most {MOST_TEXTURE_PIXELS:,} were expected. "
                "Export the model with fewer or smaller ones."
            )

    @property
    def texture_sizes(self) -> int:
        """How many sizes the textures have."""
        return len({(texture.height, texture.width) for texture in self.textures})

    @property
    def names(self) -> dict[str, str]:
        """The output of each role that takes part."""
        given = {FLOW: self.flow, WEIGHTS: self.weights, LIGHT: self.light, RESIDUAL: self.residual}
        return {role: name for role, name in given.items() if name}

    def check_outputs(self, shapes: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
        """Raise ModelFileError unless the card's outputs, shape and type by name, are fields that can play their roles."""
        count = len(self.textures)
        allowed = {FLOW: (2, 2 * count), WEIGHTS: (count,), LIGHT: (1, 3), RESIDUAL: (3,)}
        for role, name in self.names.items():
            channels = " or ".join(map(str, dict.fromkeys(allowed[role])))
            if name not in shapes:
                raise ModelFileError(
                    f"The model card's {role} is the output '{name}', which it does not declare; {_AGAIN}."
                )
            shape, dtype = shapes[name]
            if len(shape) != 3 or shape[0] not in allowed[role] or dtype != "float32":
                raise ModelFileError(
                    f"The model card's {role} '{name}' is {dtype} {list(shape)}; float32 [{channels}, rows, columns] was expected; {_AGAIN}."
                )
        if count > 1 and not self.weights:
            raise ModelFileError(f"The model card has {count} textures and no weights for them; {_AGAIN}.")


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """What one frame is composed of. In a batch the fields have its axis in front."""

    textures: tuple[NDArray[np.uint8], ...]
    """RGB, [H, W, 3] each; one and the same object for all frames of an opened model."""
    fields: Fields

    def of_slot(self, index: int) -> Layers:
        """Return the layers of one slot of a batch."""
        return Layers(self.textures, {role: values[index] for role, values in self.fields.items()})


def finite_fields(spec: LayersSpec, outputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Return the fields among a step's outputs, by role. What is not finite becomes 0, and nothing goes further than it can."""
    fields = {role: np.nan_to_num(outputs[name], nan=0.0, posinf=0.0, neginf=0.0) for role, name in spec.names.items()}
    most = {FLOW: MOST_FLOW}
    return {
        role: np.clip(values, -most.get(role, MOST_OF_OTHERS), most.get(role, MOST_OF_OTHERS))
        for role, values in fields.items()
    }
