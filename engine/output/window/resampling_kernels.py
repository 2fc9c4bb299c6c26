"""How a picture is given another size: which of its pixels make a pixel of the new size, and with what weights.

A size is changed along one axis after the other. The tables here are what the shader of engine/output/window/gl_frame.py reads,
so what is measured with numpy (benchmarks/upscaling.py) is what is on the wall.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SinkError, nearest_name
from engine.core.srgb import from_light, to_light

# X positions of the new size, K taps (old pixels that make one new pixel), N rows, C channels

NEAREST, BILINEAR, BICUBIC, LANCZOS = "nearest", "bilinear", "bicubic", "lanczos"
PROCESSOR, AUTO = "processor", "auto"
KERNELS = (NEAREST, BILINEAR, BICUBIC, LANCZOS)
UPSCALERS = (AUTO, *KERNELS, PROCESSOR)
"""What a window takes: `processor` is OpenCV's cubic, and `auto` that one where GL itself runs on the processor, else Lanczos."""
_RADIUS = {BILINEAR: 1.0, BICUBIC: 2.0, LANCZOS: 3.0}
CALM = {NEAREST: 0.0, BILINEAR: 0.0, BICUBIC: 0.0, LANCZOS: 0.5}
"""How much is taken away of what overshoots the two old pixels around a new one. Lanczos draws rings around edges; without any
it is best in PSNR, with 1 its lines have steps, and half of them costs 0.3 dB at most (docs/stage.md)."""


class Taps(NamedTuple):
    """The table of one axis."""

    first_X: NDArray[np.int32]
    """The first old pixel of each new one; may lie outside, where the outermost pixel stands in."""
    weights_XK: NDArray[np.float32]
    """Each row adds up to 1."""
    shrinks: bool


def check_upscaler(name: str) -> None:
    """Raise SinkError for a name that is none of UPSCALERS."""
    if name not in UPSCALERS:
        raise SinkError(
            f"There is no way '{name}' to enlarge a picture.{nearest_name(name, UPSCALERS)} Known are {', '.join(UPSCALERS)}."
        )


def taps(kernel: str, source: int, target: int) -> Taps:
    """Return the table that makes `target` pixels of `source` ones.

    Where there are fewer new pixels the kernel is made wider by as much, so that every old one counts; `nearest` then takes
    the mean of what each new pixel covers.
    """
    scale = source / target
    centre_X = (np.arange(target, dtype=np.float64) + 0.5) * scale - 0.5
    if kernel == NEAREST:
        return _nearest(scale, centre_X)
    stretch = max(1.0, scale)
    support = _RADIUS[kernel] * stretch
    # One tap more than fit, so that rounding never loses any.
    first_X = np.floor(centre_X - support + 1e-6).astype(np.int32) + 1
    offset_XK = first_X[:, None] + np.arange(int(np.ceil(2 * support - 1e-6))) - centre_X[:, None]
    weights_XK = _weight(kernel, offset_XK / stretch)
    weights_XK /= weights_XK.sum(axis=1, keepdims=True)
    return Taps(first_X, weights_XK.astype(np.float32), scale > 1.0)


def resize(
    pixels_HWC: NDArray[np.uint8], kernel: str, width: int, height: int, calm: float | None = None
) -> NDArray[np.uint8]:
    """Return the picture at another size, as the shader does it; `calm` other than CALM's is for measurements."""
    x, y = taps(kernel, pixels_HWC.shape[1], width), taps(kernel, pixels_HWC.shape[0], height)
    linear = x.shrinks or y.shrinks
    held = 0.0 if linear else CALM[kernel] if calm is None else calm
    light_HWC = pixels_HWC.astype(np.float32) / 255.0
    if linear:
        light_HWC = to_light(light_HWC)
    wide_HWC = _apply(light_HWC.swapaxes(0, 1), x, held).swapaxes(0, 1)
    result_HWC = np.clip(_apply(wide_HWC, y, held), 0.0, 1.0)
    if linear:
        result_HWC = from_light(result_HWC)
    return np.rint(result_HWC * 255.0).astype(np.uint8)


def _nearest(scale: float, centre_X: NDArray[np.float64]) -> Taps:
    if scale <= 1.0:
        return Taps(np.floor(centre_X + 0.5).astype(np.int32), np.ones((len(centre_X), 1), np.float32), False)
    low_X, high_X = centre_X - 0.5 * scale, centre_X + 0.5 * scale
    first_X = np.floor(low_X + 0.5).astype(np.int32)
    index_XK = first_X[:, None] + np.arange(int(np.ceil(scale)) + 1)
    covered_XK = np.minimum(index_XK + 0.5, high_X[:, None]) - np.maximum(index_XK - 0.5, low_X[:, None])
    weights_XK = np.clip(covered_XK, 0.0, 1.0)
    return Taps(first_X, (weights_XK / weights_XK.sum(axis=1, keepdims=True)).astype(np.float32), True)


def _weight(kernel: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    if kernel == BILINEAR:
        return np.maximum(0.0, 1.0 - x)
    if kernel == LANCZOS:
        return np.where(x < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)
    # Catmull and Rom's spline: Keys' cubic (1981) with a = -1/2.
    near = 1.5 * x**3 - 2.5 * x**2 + 1.0
    far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _apply(image_NMC: NDArray[np.float32], table: Taps, calm: float) -> NDArray[np.float32]:
    """Give axis 0 another size."""
    count = table.weights_XK.shape[1]
    rows_XK: NDArray[np.int64] = np.clip(
        table.first_X[:, None] + np.arange(count, dtype=np.int64), 0, len(image_NMC) - 1
    )
    result = np.zeros((len(rows_XK), *image_NMC.shape[1:]), np.float32)
    for tap in range(count):
        result += table.weights_XK[:, tap, None, None] * image_NMC[rows_XK[:, tap]]
    if calm:
        before, after = image_NMC[rows_XK[:, count // 2 - 1]], image_NMC[rows_XK[:, count // 2]]
        held = np.clip(result, np.minimum(before, after), np.maximum(before, after))
        result += calm * (held - result)
    return result
