"""Wide-gamut and HDR colours as BT.709 frames for ordinary screens.

Within the range of an ordinary screen every colour keeps its look: white (203 cd/m2 by BT.2408) becomes white, grey stays grey. Brighter
light is compressed into the last few levels, with its hue. Colours outside BT.709 are clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

from engine.core import srgb

# H W rows and columns, N values, 3 or C colours

PRIMARIES_XY: dict[int, tuple[tuple[float, float], ...]] = {
    ColorPrimaries.BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290)),
    ColorPrimaries.BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290)),
    ColorPrimaries.SMPTE431: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    ColorPrimaries.SMPTE432: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)),
}
"""Chromaticities of red, green, blue and white. Those of BT.601 differ little from BT.709 and are shown as such, as most players do."""
HDR = {int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)}
WHITE_NITS = 203.0
HLG_PEAK_NITS = 1000.0
HLG_SYSTEM_GAMMA = 1.2
KNEE = 0.93
"""Linear light, 1 is white, from which highlights are compressed: white lands on level 252."""
CODES = 1 << 16
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class ToneMapping(NamedTuple):
    """What turns the RGB of a film with these primaries and this transfer curve into that of an ordinary screen."""

    primaries: int
    transfer: int
    white_code: int = CODES - 1
    """The 16-bit code that stands for 1."""

    @property
    def is_hdr(self) -> bool:
        return self.transfer in HDR

    def apply(self, rgb_HW3: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Return the frame [H, W, 3] of 16-bit codes as 8-bit BT.709."""
        tables = _tables(self)
        light_HW3 = tables.light_N[rgb_HW3]
        if self.transfer == ColorTrc.ARIB_STD_B67:
            light_HW3 *= _system_gain(light_HW3)
        light_HW3 = np.asarray(cv2.transform(light_HW3, tables.to_bt709_33), np.float32)
        if self.is_hdr:
            light_HW3 *= _highlight_gain(light_HW3)
        codes_HW3 = np.rint(np.clip(light_HW3, 0.0, 1.0) * (CODES - 1)).astype(np.uint16)
        return tables.levels_N[codes_HW3]


class _Tables:
    def __init__(self, mapping: ToneMapping) -> None:
        self._mapping = mapping

    @cached_property
    def light_N(self) -> NDArray[np.float32]:
        """Linear light of every 16-bit code; 1 is white (for HLG before the system gamma)."""
        return _to_light(self._mapping)(np.minimum(np.arange(CODES) / self._mapping.white_code, 1.0)).astype(np.float32)

    @cached_property
    def levels_N(self) -> NDArray[np.uint8]:
        """Level of 255 of every linear light in 16 bits."""
        light_N = np.linspace(0.0, 1.0, CODES)
        coded = _from_light(self._mapping)
        return np.rint(255.0 * np.clip(coded(light_N), 0.0, 1.0)).astype(np.uint8)

    @cached_property
    def to_bt709_33(self) -> NDArray[np.float32]:
        matrix_33 = np.linalg.inv(_to_xyz(ColorPrimaries.BT709)) @ _to_xyz(self._mapping.primaries)
        return matrix_33.astype(np.float32)


_BUILT: dict[ToneMapping, _Tables] = {}


def _tables(mapping: ToneMapping) -> _Tables:
    return _BUILT.setdefault(mapping, _Tables(mapping))


def mapping_for(primaries: int, transfer: int) -> ToneMapping | None:
    """Return the mapping for a frame's tags; None where its RGB is shown as it is."""
    if transfer in HDR:
        known = primaries if primaries in PRIMARIES_XY else int(ColorPrimaries.BT2020)
        return ToneMapping(known, transfer)
    if primaries in PRIMARIES_XY and primaries != ColorPrimaries.BT709:
        return ToneMapping(primaries, transfer)
    return None


def _system_gain(light_HW3: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return HLG's rendering for a screen of 1000 cd/m2, a gain [H, W, 1] on scene light."""
    luminance_HW = light_HW3 @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    gain_HW = np.power(np.maximum(luminance_HW, 1e-9), HLG_SYSTEM_GAMMA - 1.0) * (HLG_PEAK_NITS / WHITE_NITS)
    return gain_HW[..., None].astype(np.float32)


def _highlight_gain(light_HW3: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gain [H, W, 1] that brings the strongest colour of each pixel below 1."""
    strongest_HW = light_HW3.max(axis=2)
    over_HW = np.maximum(strongest_HW - KNEE, 0.0)
    room = 1.0 - KNEE
    compressed_HW = KNEE + room * (1.0 - np.exp(-over_HW / room))
    return np.where(over_HW > 0.0, compressed_HW / np.maximum(strongest_HW, KNEE), 1.0)[..., None].astype(np.float32)


def _to_xyz(primaries: int) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ, with white adapted to D65 (Bradford)."""
    *colours, white = (np.array([x / y, 1.0, (1.0 - x - y) / y]) for x, y in PRIMARIES_XY[primaries])
    columns_33 = np.stack(colours, axis=1)
    matrix_33 = columns_33 * np.linalg.solve(columns_33, white)
    x, y = PRIMARIES_XY[ColorPrimaries.BT709][3]
    d65 = np.array([x / y, 1.0, (1.0 - x - y) / y])
    adapted_33 = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ d65) / (BRADFORD @ white)) @ BRADFORD
    return adapted_33 @ matrix_33


def _to_light(mapping: ToneMapping) -> Curve:
    if mapping.transfer == ColorTrc.SMPTE2084:
        return _pq_to_light
    if mapping.transfer == ColorTrc.ARIB_STD_B67:
        return _hlg_to_scene
    return _curves(mapping)[0]


def _from_light(mapping: ToneMapping) -> Curve:
    """Return the curve of the result: a film for ordinary screens keeps its own, so that its greys stay as they are."""
    return srgb.from_light if mapping.is_hdr else _curves(mapping)[1]


def _pq_to_light(code_N: NDArray[np.float64]) -> NDArray[np.float64]:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power_N = np.power(code_N, 1.0 / m2)
    nits_N = 10000.0 * np.power(np.maximum(power_N - c1, 0.0) / (c2 - c3 * power_N), 1.0 / m1)
    return nits_N / WHITE_NITS


def _hlg_to_scene(code_N: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code_N <= 0.5, code_N**2 / 3.0, (np.exp((code_N - c) / a) + b) / 12.0)


def _curves(mapping: ToneMapping) -> tuple[Curve, Curve]:
    """Return the two directions of an ordinary transfer curve."""
    exponents = {ColorTrc.GAMMA22: 2.2, ColorTrc.GAMMA28: 2.8, ColorTrc.SMPTE428: 2.6, ColorTrc.LINEAR: 1.0}
    exponent = exponents.get(mapping.transfer)  # pyright: ignore[reportArgumentType, reportCallIssue]
    if exponent is not None:
        return lambda code_N: code_N**exponent, lambda light_N: light_N ** (1.0 / exponent)
    display_p3 = mapping.primaries == ColorPrimaries.SMPTE432 and mapping.transfer == ColorTrc.UNSPECIFIED
    if mapping.transfer == ColorTrc.IEC61966_2_1 or display_p3:
        return srgb.to_light, srgb.from_light
    return _bt709_to_light, _bt709_from_light


def _bt709_to_light(code_N: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(code_N < 0.081, code_N / 4.5, ((code_N + 0.099) / 1.099) ** (1.0 / 0.45))


def _bt709_from_light(light_N: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(light_N < 0.018, light_N * 4.5, 1.099 * light_N**0.45 - 0.099)
