"""Composes the frame of a layered model in the window's shader, at the window's own size. The formula is in engine/model/layers.py.

Fields are interpolated by hand: a graphics card's own interpolation has 256 steps between two pixels, which is enough for levels of
a texture and not for places in it. Everything here belongs to the thread and the context it was made in.
"""

# moderngl's types do not tell attributes of programs apart.
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.fit import Placement
from engine.model.layers import FLOW, LIGHT, RESIDUAL, ROLES, WEIGHTS, Fields, Layers

# K textures, C channels, h w rows and columns of a field

_CORNERS = """
#version 330
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }
"""

_HEAD = """
#version 330
uniform ivec2 origin;  // corner of the place drawn into, in pixels
uniform ivec2 size;    // of the place
out vec4 colour;
vec4 at(sampler2DArray field, vec2 place, int layer) {
    ivec2 last = textureSize(field, 0).xy - 1;
    vec2 pixel = clamp(place * vec2(last + 1) - 0.5, vec2(0.0), vec2(last));
    ivec2 first = ivec2(pixel), after = min(first + 1, last);
    vec2 share = pixel - vec2(first);
    vec4 upper = mix(texelFetch(field, ivec3(first, layer), 0), texelFetch(field, ivec3(after.x, first.y, layer), 0), share.x);
    vec4 lower = mix(texelFetch(field, ivec3(first.x, after.y, layer), 0), texelFetch(field, ivec3(after, layer), 0), share.x);
    return mix(upper, lower, share.y);
}
"""

_CHANNELS = {FLOW: 2, WEIGHTS: 1, LIGHT: 3, RESIDUAL: 3}
"""Of a field's texture; a field with more has layers."""


class GlLayers:
    """Draws layers into a framebuffer. `context` is a moderngl.Context, whose errors `draw` may raise."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._most_side = int(context.info["GL_MAX_TEXTURE_SIZE"])
        self.obstacle = ""
        """Why the present textures cannot be drawn here, as the end of a sentence; empty where they can."""
        self._loaded: tuple[NDArray[np.uint8], ...] | None = None
        self._textures: list[Any] = []
        self._fields: dict[str, Any] = {}
        self._programs: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def draw(self, target: Any, layers: Layers, place: Placement, window_height: int) -> bool:
        """Clear `target` to black and compose into `place`, which counts from the upper left corner and may reach beyond the window.

        Return False, and draw nothing, where the card cannot hold the textures (`obstacle`).
        """
        if layers.textures is not self._loaded:
            self._load(layers.textures)
        longest = max(max(values.shape[1:]) for values in layers.fields.values())
        if longest > self._most_side:
            self.obstacle = f"a field has a side of {longest}, and this graphics card takes {self._most_side}"
        if self.obstacle:
            return False
        flows = len(layers.fields[FLOW]) // 2 if FLOW in layers.fields else 0
        program, corners = self._program(len(layers.textures), flows, layers.fields)
        units = {f"texture_{k}": texture for k, texture in enumerate(self._textures)}
        units |= {role: self._field(role, layers.fields[role]) for role in ROLES if role in layers.fields}
        for unit, (name, texture) in enumerate(units.items()):
            texture.use(unit)
            program[name] = unit
        target.use()
        target.clear(0.0, 0.0, 0.0, 1.0)
        corner = (place.left, window_height - place.top - place.height)
        program["origin"], program["size"] = corner, (place.width, place.height)
        self._context.viewport = (*corner, place.width, place.height)
        corners.render(vertices=3)
        return True

    def _load(self, textures: tuple[NDArray[np.uint8], ...]) -> None:
        """Put the textures of a model on the card, in place of those of the one before."""
        for texture in self._textures:
            texture.release()
        self._textures, self._loaded, self.obstacle = [], textures, ""
        most_units = int(self._context.info["GL_MAX_TEXTURE_IMAGE_UNITS"])
        longest = max(max(texture.shape) for texture in textures)
        if longest > self._most_side:
            self.obstacle = f"a texture has a side of {longest} pixels, and this graphics card takes {self._most_side}"
        elif len(textures) + len(ROLES) > most_units:
            self.obstacle = f"it has {len(textures)} textures, and this graphics card takes {most_units - len(ROLES)}"
        else:
            self._upload(textures)

    def _upload(self, textures: tuple[NDArray[np.uint8], ...]) -> None:
        # Reading the error clears it, so that it is this call's own.
        self._context.error  # noqa: B018
        for pixels_HWC in textures:
            size = pixels_HWC.shape[1], pixels_HWC.shape[0]
            texture = self._context.texture(size, 3, np.ascontiguousarray(pixels_HWC), alignment=1)
            texture.repeat_x = texture.repeat_y = False
            texture.filter = (_LINEAR, _LINEAR)
            self._textures.append(texture)
        error = self._context.error
        if error != "GL_NO_ERROR":
            while self._textures:
                self._textures.pop().release()
            self.obstacle = f"its textures do not fit into the video memory ({error})"

    def _field(self, role: str, field_Chw: NDArray[np.float32]) -> Any:
        """Return the texture of a field with its present values."""
        channels = _CHANNELS[role]
        if len(field_Chw) < channels:
            field_Chw = np.repeat(field_Chw, channels, axis=0)
        _, height, width = field_Chw.shape
        values = np.ascontiguousarray(field_Chw.reshape(-1, channels, height, width).transpose(0, 2, 3, 1), np.float32)
        size = (width, height, len(values))
        texture = self._fields.get(role)
        if texture is None or texture.size != size:
            if texture is not None:
                texture.release()
            texture = self._fields[role] = self._context.texture_array(size, channels, dtype="f4", alignment=1)
        texture.write(values)
        return texture

    def _program(self, count: int, flows: int, fields: Fields) -> tuple[Any, Any]:
        """Return the program for so many textures and flows with these roles, and a triangle that covers everything."""
        key = (count, flows, *(role in fields for role in ROLES))
        if key not in self._programs:
            program = self._context.program(vertex_shader=_CORNERS, fragment_shader=_shader(count, flows, fields))
            self._programs[key] = program, self._context.vertex_array(program, [])
        return self._programs[key]


_LINEAR = 0x2601


def _shader(count: int, flows: int, fields: Fields) -> str:
    """Return the formula as a fragment shader, with what takes part written out."""
    roles = "".join(f"uniform sampler2DArray {role};\n" for role in ROLES if role in fields)
    textures = "".join(f"uniform sampler2D texture_{k};\n" for k in range(count))
    lines = [
        "ivec2 pixel = ivec2(gl_FragCoord.xy) - origin;",
        "vec2 place = (vec2(pixel.x, size.y - 1 - pixel.y) + 0.5) / vec2(size);",
        "vec3 mixed = vec3(0.0);",
    ]
    for k in range(count):
        # A flow is in units of half the frame, a place from 0 to 1.
        flow = f" + 0.5 * at(flow, place, {k % flows}).xy" if flows else ""
        weight = f"at(weights, place, {k}).x * " if WEIGHTS in fields else ""
        lines.append(f"mixed += {weight}texture(texture_{k}, place{flow}).rgb;")
    lines += ["mixed *= at(light, place, 0).rgb;"] if LIGHT in fields else []
    lines += ["mixed += at(residual, place, 0).rgb;"] if RESIDUAL in fields else []
    body = "\n    ".join([*lines, "colour = vec4(mixed, 1.0);"])
    return f"{_HEAD}{roles}{textures}void main() {{\n    {body}\n}}\n"
