"""Tables for resizing frames: which old pixels make each new one, and with what weights.

One axis is resized after the other. The shader of engine/output/window/gl_frame.py reads these tables, so figures measured with
numpy (benchmarks/upscaling.py) hold for the window.
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
"""What a window accepts: `processor` is OpenCV's cubic; `auto` is that one where OpenGL runs on the processor, else Lanczos."""
_RADIUS = {BILINEAR: 1.0, BICUBIC: 2.0, LANCZOS: 3.0}
DAMPING = {NEAREST: 0.0, BILINEAR: 0.0, BICUBIC: 0.0, LANCZOS: 0.5}
"""Share of the overshoot that is removed: of how far a new pixel lies outside the two old ones around it. Lanczos rings at edges.
Without damping its PSNR is best, with 1 its lines have steps; 0.5 costs 0.3 dB at most (docs/window.md)."""


class Taps(NamedTuple):
    """The table of one axis."""

    first_X: NDArray[np.int32]
    """The first old pixel of each new one; may lie outside, where the outermost pixel is used."""
    weights_XK: NDArray[np.float32]
    """Each row adds up to 1."""
    shrinks: bool


def check_upscaler(name: str) -> None:
    """Raise SinkError for a name that is none of UPSCALERS."""
    if name not in UPSCALERS:
        raise SinkError(
            f"There is no upscaler '{name}'.{nearest_name(name, UPSCALERS)} Known are {', '.join(UPSCALERS)}."
        )


def taps(kernel: str, source: int, target: int) -> Taps:
    """Return the table that makes `target` pixels of `source` ones.

    With fewer new pixels the kernel is widened in proportion, so that every old one counts; `nearest` then takes the mean of
    the old pixels that each new one covers.
    """
    scale = source / target
    centre_X = (np.arange(target, dtype=np.float64) + 0.5) * scale - 0.5
    if kernel == NEAREST:
        return _nearest(scale, centre_X)
    widening = max(1.0, scale)
    support = _RADIUS[kernel] * widening
    # One tap more than fit, so that rounding never loses any.
    first_X = np.floor(centre_X - support + 1e-6).astype(np.int32) + 1
    offset_XK = first_X[:, None] + np.arange(int(np.ceil(2 * support - 1e-6))) - centre_X[:, None]
    weights_XK = _weight(kernel, offset_XK / widening)
    weights_XK /= weights_XK.sum(axis=1, keepdims=True)
    return Taps(first_X, weights_XK.astype(np.float32), scale > 1.0)


def resize(
    pixels_HWC: NDArray[np.uint8], kernel: str, width: int, height: int, damping: float | None = None
) -> NDArray[np.uint8]:
    """Return the frame at another size, as the shader does it; a `damping` other than DAMPING's is for measurements."""
    x, y = taps(kernel, pixels_HWC.shape[1], width), taps(kernel, pixels_HWC.shape[0], height)
    linear = x.shrinks or y.shrinks
    damping = 0.0 if linear else DAMPING[kernel] if damping is None else damping
    light_HWC = pixels_HWC.astype(np.float32) / 255.0
    if linear:
        light_HWC = to_light(light_HWC)
    wide_HWC = _apply(light_HWC.swapaxes(0, 1), x, damping).swapaxes(0, 1)
    result_HWC = np.clip(_apply(wide_HWC, y, damping), 0.0, 1.0)
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
    # The spline of Catmull and Rom: the cubic of Keys (1981) with a = -1/2.
    near = 1.5 * x**3 - 2.5 * x**2 + 1.0
    far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _apply(pixels_NMC: NDArray[np.float32], table: Taps, damping: float) -> NDArray[np.float32]:
    """Resize axis 0."""
    count = table.weights_XK.shape[1]
    rows_XK: NDArray[np.int64] = np.clip(
        table.first_X[:, None] + np.arange(count, dtype=np.int64), 0, len(pixels_NMC) - 1
    )
    result = np.zeros((len(rows_XK), *pixels_NMC.shape[1:]), np.float32)
    for tap in range(count):
        result += table.weights_XK[:, tap, None, None] * pixels_NMC[rows_XK[:, tap]]
    if damping:
        before, after = pixels_NMC[rows_XK[:, count // 2 - 1]], pixels_NMC[rows_XK[:, count // 2]]
        clipped = np.clip(result, np.minimum(before, after), np.maximum(before, after))
        result += damping * (clipped - result)
    return result
