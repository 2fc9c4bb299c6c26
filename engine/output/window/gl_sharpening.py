"""The shader of engine/output/sharpening.py. It belongs to the thread and the context it was made in."""

# moderngl's types do not tell attributes of programs apart.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.output.sharpening import LARGEST_GAIN, neighbours

_SHARPEN = """
#version 330
uniform sampler2D source;
uniform ivec2 origin;
uniform ivec2 neighbours[8];
uniform float gain;
out vec4 colour;
void main() {
    ivec2 at = ivec2(gl_FragCoord.xy) - origin, last = textureSize(source, 0) - 1;
    vec3 own = texelFetch(source, at, 0).rgb, darkest = own, brightest = own, total = vec3(0.0);
    for (int k = 0; k < 8; k++) {
        vec3 near = texelFetch(source, clamp(at + neighbours[k], ivec2(0), last), 0).rgb;
        darkest = min(darkest, near);
        brightest = max(brightest, near);
        total += near;
    }
    colour = vec4(clamp(own + gain * (own - total / 8.0), darkest, brightest), 1.0);
}
"""


class GlSharpening:
    """Room for an enlarged frame, and its way into the window. `program_of` compiles a fragment shader and keeps it."""

    def __init__(self, context: Any, program_of: Callable[[str], tuple[Any, Any]]) -> None:
        self._context = context
        self._program_of = program_of
        self._enlarged: Any = None

    def room(self, width: int, height: int) -> Any:
        """Return the framebuffer that the enlarged frame is drawn into, from its corner."""
        if self._enlarged is None or self._enlarged.size != (width, height):
            if self._enlarged is not None:
                self._enlarged.color_attachments[0].release()
                self._enlarged.release()
            self._enlarged = self._context.framebuffer(
                color_attachments=[self._context.texture((width, height), 4, dtype="f1")]
            )
        return self._enlarged

    def draw(self, corner: tuple[int, int], strength: float, reach: int) -> None:
        """Draw what is in the room into the target in use, at `corner`, sharpened."""
        self._context.viewport = (*corner, *self._enlarged.size)
        program, corners = self._program_of(_SHARPEN)
        self._enlarged.color_attachments[0].use(0)
        program["origin"], program["neighbours"], program["gain"] = corner, neighbours(reach), LARGEST_GAIN * strength
        corners.render(vertices=3)
