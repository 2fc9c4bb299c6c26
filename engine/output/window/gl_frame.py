"""Draws a frame with OpenGL 3.3: resized into its place in the window, and panels over it pixel by pixel.

The frame is resized in two passes, columns and then rows, with the tables of engine/output/window/resampling_kernels.py.
Everything here belongs to the thread and the context it was made in.
"""

# moderngl's types do not tell attributes of programs apart.
# pyright: basic

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.fit import Placement, resize
from engine.output.sharpening import SMALLEST_STRENGTH, reach_px, sharpened
from engine.output.window.gl_sharpening import GlSharpening
from engine.output.window.resampling_kernels import AUTO, DAMPING, LANCZOS, PROCESSOR, Taps, taps

# H W rows and columns of pixels, C channels (3 RGB, 4 with opacity), X positions along an axis, K taps

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software", "gdi generic", "basic render")
"""Parts of the names of renderers that use no graphics card."""
_MOST_CUBIC_PIXELS = 1_000_000
"""More of them, as in full screen, `auto` makes by linear interpolation where the processor draws: cubic would cost the show its steps."""
_UNROLLED = 6
"""Tables with up to so many taps get a program of their own, whose loop the compiler unrolls."""

_CORNERS = """
#version 330
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }
"""

_PASS = """
#version 330
uniform sampler2D source;
uniform sampler2D table;  // of each new pixel: the first old one and three weights, then four weights a row
uniform ivec2 origin;     // corner of the place drawn into, in pixels
uniform int size;         // of the result along the axis
uniform int count;
uniform float damping;
out vec4 colour;

vec3 to_light(vec3 level) {
    return mix(level / 12.92, pow((level + 0.055) / 1.055, vec3(2.4)), greaterThan(level, vec3(0.04045)));
}
vec3 from_light(vec3 light) {
    return mix(light * 12.92, 1.055 * pow(max(light, 0.0), vec3(1.0 / 2.4)) - 0.055, greaterThan(light, vec3(0.0031308)));
}
void main() {
    ivec2 at = ivec2(gl_FragCoord.xy) - origin;
    int x = at.AXIS;
    if (FLIP) x = size - 1 - x;
    int last = textureSize(source, 0).AXIS - 1;
    vec4 weights = texelFetch(table, ivec2(x, 0), 0);
    int first = int(weights[0]);
    vec3 sum = vec3(0.0), before = vec3(0.0), after = vec3(0.0);
    for (int k = 0; k < COUNT; k++) {
        if ((k + 1) % 4 == 0) weights = texelFetch(table, ivec2(x, (k + 1) / 4), 0);
        ivec2 from = at;
        from.AXIS = clamp(first + k, 0, last);
        vec3 old = DECODE(texelFetch(source, from, 0).rgb);
        if (k == COUNT / 2 - 1) before = old;
        if (k == COUNT / 2) after = old;
        sum += weights[(k + 1) % 4] * old;
    }
    if (DAMPING) sum = mix(sum, clamp(sum, min(before, after), max(before, after)), damping);
    colour = vec4(ENCODE(sum), 1.0);
}
"""

_COPY = """
#version 330
uniform sampler2D source;
uniform ivec2 origin;
out vec4 colour;
void main() {
    ivec2 at = ivec2(gl_FragCoord.xy) - origin;
    colour = texelFetch(source, ivec2(at.x, textureSize(source, 0).y - 1 - at.y), 0);
}
"""

_FADE = """
#version 330
uniform ivec2 origin;
uniform vec2 size;
uniform float edge;       // width of the fading edge, in pixels
out vec4 colour;
void main() {
    vec2 beyond = abs(gl_FragCoord.xy - vec2(origin) - size / 2.0) - (size / 2.0 - edge);
    colour = vec4(vec3(smoothstep(0.0, 1.0, 1.0 - length(max(beyond, 0.0)) / edge)), 1.0);
}
"""


class GlFrame:
    """Draws into a framebuffer. `context` is a moderngl.Context, whose errors every method may raise."""

    def __init__(self, context: Any, upscale: str) -> None:
        self._context = context
        self.renderer = str(context.info["GL_RENDERER"])
        """Name of the renderer, e.g. of a graphics card."""
        self.is_software = any(name in self.renderer.casefold() for name in _SOFTWARE)
        """Whether OpenGL runs on the processor."""
        self._is_auto = upscale == AUTO
        if self._is_auto:
            upscale = PROCESSOR if self.is_software else LANCZOS
        self.upscale = upscale
        """One of UPSCALERS, never `auto`."""
        self._programs: dict[str, Any] = {}
        self._axes: dict[str, _Axis] = {}
        self._source: Any = None
        self._between: Any = None
        self._panel: Any = None
        self._drawn_HWC: NDArray[np.uint8] | None = None
        self._drawn_as: tuple[float, ...] = ()
        self._sharpening = GlSharpening(context, self._program)

    def draw(
        self, target: Any, pixels_HWC: NDArray[np.uint8], place: Placement, window_height: int, sharpen: float = 0.0
    ) -> None:
        """Clear `target` to black and draw RGB pixels into `place`, which counts from the upper left corner; `sharpen`: 0 to 1."""
        if self.upscale == PROCESSOR:
            self._draw_resized(target, pixels_HWC, place, window_height, sharpen)
            return
        height, width = pixels_HWC.shape[:2]
        x, y = self._axis("x", width, place.width), self._axis("y", height, place.height)
        linear = x.table.shrinks or y.table.shrinks
        damping = 0.0 if linear else DAMPING[self.upscale]
        # The columns of the same frame at the same size are done already.
        if pixels_HWC is not self._drawn_HWC or (place.width, int(linear)) != self._drawn_as:
            self._load(pixels_HWC)
            self._fit_between(place.width, height)
            self._between.use()
            self._context.viewport = (0, 0, place.width, height)
            self._pass(x, "x", self._source, (0, 0), damping, decode=linear, encode=False)
            self._drawn_HWC, self._drawn_as = pixels_HWC, (place.width, int(linear))
        corner, reach = (place.left, window_height - place.top - place.height), reach_px(width, place.width)
        sharpens = sharpen > SMALLEST_STRENGTH and reach > 0
        if sharpens:
            self._sharpening.room(place.width, place.height).use()
        else:
            target.use()
            target.clear(0.0, 0.0, 0.0, 1.0)
        at = (0, 0) if sharpens else corner
        self._context.viewport = (*at, place.width, place.height)
        self._pass(y, "y", self._between.color_attachments[0], at, damping, decode=False, encode=linear)
        if sharpens:
            target.use()
            target.clear(0.0, 0.0, 0.0, 1.0)
            self._sharpening.draw(corner, sharpen, reach)

    def lay_over(self, panel_HWC: NDArray[np.uint8], left: int, top: int, window_height: int, *, changed: bool) -> None:
        """Draw a panel (RGBA, colours multiplied by opacity) over the frame; `changed` if it differs from the last one."""
        height, width = panel_HWC.shape[:2]
        if self._panel is None or self._panel.size != (width, height):
            self._panel = self._renew(self._panel, (width, height), 4, "f1")
            changed = True
        if changed:
            self._panel.write(np.ascontiguousarray(panel_HWC))
        self._context.enable(self._context.BLEND)
        self._context.blend_func = self._context.ONE, self._context.ONE_MINUS_SRC_ALPHA
        self._copy(self._panel, Placement(left, top, width, height), window_height)
        self._context.disable(self._context.BLEND)

    def fade_edges(self, place: Placement, window_height: int, edge: float) -> None:
        """Fade what was drawn into `place` to black at its edges, over a share of half its shorter side (engine/render/effects/surround.py)."""
        corner = (place.left, window_height - place.top - place.height)
        self._context.viewport = (*corner, place.width, place.height)
        program, corners = self._program(_FADE)
        program["origin"], program["size"] = corner, (place.width, place.height)
        program["edge"] = max(1.0, edge * min(place.width, place.height) / 2)
        self._context.enable(self._context.BLEND)
        self._context.blend_func = self._context.ZERO, self._context.SRC_COLOR
        corners.render(vertices=3)
        self._context.disable(self._context.BLEND)

    def _draw_resized(
        self, target: Any, pixels_HWC: NDArray[np.uint8], place: Placement, window_height: int, sharpen: float
    ) -> None:
        if pixels_HWC is not self._drawn_HWC or (place.width, place.height, sharpen) != self._drawn_as:
            quickly = self._is_auto and place.width * place.height > _MOST_CUBIC_PIXELS
            resized_HWC = resize(pixels_HWC, place.width, place.height, quickly=quickly)
            self._load(sharpened(resized_HWC, sharpen, reach_px(pixels_HWC.shape[1], place.width)))
            self._drawn_HWC, self._drawn_as = pixels_HWC, (place.width, place.height, sharpen)
        target.use()
        target.clear(0.0, 0.0, 0.0, 1.0)
        self._copy(self._source, place, window_height)

    def _copy(self, texture: Any, place: Placement, window_height: int) -> None:
        """Draw a texture pixel by pixel."""
        corner = (place.left, window_height - place.top - place.height)
        self._context.viewport = (*corner, place.width, place.height)
        program, corners = self._program(_COPY)
        texture.use(0)
        program["origin"] = corner
        corners.render(vertices=3)

    def _pass(
        self,
        axis: _Axis,
        name: str,
        source: Any,
        origin: tuple[int, int],
        damping: float,
        *,
        decode: bool,
        encode: bool,
    ) -> None:
        count = axis.table.weights_XK.shape[1]
        # Software GL computes both sides of every branch, so the program has only what is needed.
        filled = {
            "AXIS": name,
            "FLIP": "true" if name == "y" else "false",
            "DAMPING": "true" if damping else "false",
            "DECODE": "to_light" if decode else "",
            "ENCODE": "from_light" if encode else "",
            "COUNT": str(count) if count <= _UNROLLED else "count",
        }
        program, corners = self._program(reduce(lambda text, word: text.replace(word, filled[word]), filled, _PASS))
        source.use(0)
        axis.texture.use(1)
        given = {"source": 0, "table": 1, "origin": origin, "size": axis.sizes[1], "count": count, "damping": damping}
        for uniform, value in given.items():
            # The compiler drops uniforms that are not used.
            if uniform in program:
                program[uniform] = value
        corners.render(vertices=3)

    def _program(self, source: str) -> tuple[Any, Any]:
        """Return the program and a triangle that covers everything."""
        if source not in self._programs:
            program = self._context.program(vertex_shader=_CORNERS, fragment_shader=source)
            self._programs[source] = program, self._context.vertex_array(program, [])
        return self._programs[source]

    def _axis(self, name: str, source: int, target: int) -> _Axis:
        axis = self._axes.get(name)
        if axis is None or axis.sizes != (source, target):
            if axis is not None:
                axis.texture.release()
            axis = self._axes[name] = _Axis(self._context, taps(self.upscale, source, target), (source, target))
        return axis

    def _load(self, pixels_HWC: NDArray[np.uint8]) -> None:
        size = pixels_HWC.shape[1], pixels_HWC.shape[0]
        if self._source is None or self._source.size != size:
            self._source = self._renew(self._source, size, 3, "f1")
        self._source.write(np.ascontiguousarray(pixels_HWC))

    def _fit_between(self, width: int, height: int) -> None:
        if self._between is not None and self._between.size == (width, height):
            return
        if self._between is not None:
            self._between.color_attachments[0].release()
            self._between.release()
        # Half floats keep the overshoot of Lanczos, and dark levels of light.
        between = self._context.texture((width, height), 4, dtype="f2")
        self._between = self._context.framebuffer(color_attachments=[between])

    def _renew(self, texture: Any, size: tuple[int, int], channels: int, dtype: str) -> Any:
        if texture is not None:
            texture.release()
        # Rows of RGB pixels are not padded to four bytes.
        return self._context.texture(size, channels, dtype=dtype, alignment=1)


class _Axis:
    """The table of one axis as a texture that the shader reads."""

    def __init__(self, context: Any, table: Taps, sizes: tuple[int, int]) -> None:
        self.table = table
        self.sizes = sizes
        rows_KX = np.concatenate([table.first_X[None].astype(np.float32), table.weights_XK.T])
        padded_KX = np.pad(rows_KX, ((0, -len(rows_KX) % 4), (0, 0)))
        texels_RX4 = padded_KX.reshape(-1, 4, padded_KX.shape[1]).swapaxes(1, 2)
        self.texture = context.texture(
            texels_RX4.shape[1::-1], 4, np.ascontiguousarray(texels_RX4, np.float32), dtype="f4"
        )
