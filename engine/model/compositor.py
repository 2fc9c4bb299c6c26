"""Composes the frame of a layered model on the processor: for files, streams, takes and verification. The formula is in layers.py.

OpenCV before version 5 rounds the places in a texture to 1/32 of its pixels; there, hard edges may be off by a few levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS, Fields

# K textures, H W rows and columns of pixels, C channels, h w rows and columns of a field

LEAST_SHARE = 1.0 / 1024.0
"""Textures that together have nowhere more of the light are left out: they could change no level by a quarter."""


class _Scratch(NamedTuple):
    """Arrays of the frame's size that are written again and again: new memory would cost more than the arithmetic."""

    places_HW2: NDArray[np.float32]
    field_HWC: NDArray[np.float32]
    mixed_HWC: NDArray[np.float32]
    warped_HWC: NDArray[np.uint8]


class Compositor:
    """Makes frames of one size of the same textures, also for several threads. The result depends on what is given alone."""

    def __init__(self, textures: Sequence[NDArray[np.uint8]], height: int, width: int) -> None:
        self._textures = textures
        self._height, self._width = height, width
        # Where each pixel of the frame lies in a texture at rest, by the size of the texture.
        self._places = {texture.shape: _places(texture.shape, height, width) for texture in textures}
        # One for each thread that composes at the same time.
        self._free: list[_Scratch] = []

    def compose(self, fields: Fields) -> NDArray[np.uint8]:
        """Return the frame, RGB [H, W, 3]. Fields are finite (finite_fields)."""
        scratch = self._scratch()
        frame_HWC = self._composed(fields, scratch)
        self._free.append(scratch)
        return frame_HWC

    def _composed(self, fields: Fields, scratch: _Scratch) -> NDArray[np.uint8]:
        import cv2

        mixed_HWC: NDArray[np.float32] | NDArray[np.uint8] = scratch.mixed_HWC
        if WEIGHTS in fields:
            scratch.mixed_HWC.fill(0.0)
            brightest = float(np.abs(fields[LIGHT]).max()) if LIGHT in fields else 1.0
            least_weight = LEAST_SHARE / (len(fields[WEIGHTS]) * max(1.0, brightest))
            for k, weight_hw in enumerate(fields[WEIGHTS]):
                if float(np.abs(weight_hw).max()) > least_weight:
                    warped_HWC = self._warped(k, fields, scratch)
                    weight_HWC = self._enlarged(weight_hw[None], scratch)
                    cv2.multiply(warped_HWC, weight_HWC, dst=weight_HWC, dtype=cv2.CV_32F)
                    cv2.add(scratch.mixed_HWC, weight_HWC, dst=scratch.mixed_HWC)
        else:
            mixed_HWC = self._warped(0, fields, scratch)
        if LIGHT in fields:
            light_HWC = self._enlarged(fields[LIGHT], scratch)
            cv2.multiply(mixed_HWC, light_HWC, dst=scratch.mixed_HWC, dtype=cv2.CV_32F)
            mixed_HWC = scratch.mixed_HWC
        if RESIDUAL in fields:
            self._enlarged(255.0 * fields[RESIDUAL], scratch)
        else:
            scratch.field_HWC.fill(0.0)
        # Rounds to the nearest level and clips.
        return np.asarray(cv2.add(mixed_HWC, scratch.field_HWC, dtype=cv2.CV_8U), np.uint8)

    def _warped(self, k: int, fields: Fields, scratch: _Scratch) -> NDArray[np.uint8]:
        """Return texture k as seen through its flow, at the size of the frame."""
        import cv2

        texture, flow = self._textures[k], fields.get(FLOW)
        places_HW2 = self._places[texture.shape]
        if flow is not None:
            own = flow[2 * k : 2 * k + 2] if len(flow) > 2 else flow
            half_sides = np.array([0.5 * texture.shape[1], 0.5 * texture.shape[0]], np.float32)
            small_hw2 = np.ascontiguousarray(own.transpose(1, 2, 0)) * half_sides
            cv2.resize(small_hw2, (self._width, self._height), dst=scratch.places_HW2, interpolation=cv2.INTER_LINEAR)
            places_HW2 = cv2.add(places_HW2, scratch.places_HW2, dst=scratch.places_HW2)
        elif texture.shape[:2] == (self._height, self._width):
            return texture
        no_second_map: Any = None
        return np.asarray(
            cv2.remap(
                texture,
                places_HW2,
                no_second_map,
                cv2.INTER_LINEAR,
                dst=scratch.warped_HWC,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )

    def _enlarged(self, field_Chw: NDArray[np.float32], scratch: _Scratch) -> NDArray[np.float32]:
        """Return a field at the size of the frame, [H, W, 3]: OpenCV multiplies no single channel with three."""
        import cv2

        field_hw3 = np.ascontiguousarray(np.broadcast_to(field_Chw, (3, *field_Chw.shape[1:])).transpose(1, 2, 0))
        size = (self._width, self._height)
        cv2.resize(field_hw3, size, dst=scratch.field_HWC, interpolation=cv2.INTER_LINEAR)
        return scratch.field_HWC

    def _scratch(self) -> _Scratch:
        with suppress(IndexError):
            return self._free.pop()
        size = (self._height, self._width)
        colours = (*size, 3)
        return _Scratch(
            np.empty((*size, 2), np.float32),
            np.empty(colours, np.float32),
            np.empty(colours, np.float32),
            np.empty(colours, np.uint8),
        )


def _places(shape: tuple[int, ...], height: int, width: int) -> NDArray[np.float32]:
    """Return the place of each pixel of a frame in a texture, right and down in the texture's pixels, [H, W, 2]."""
    right_W = (np.arange(width) + 0.5) * shape[1] / width - 0.5
    down_H = (np.arange(height) + 0.5) * shape[0] / height - 0.5
    return np.stack(np.meshgrid(right_W, down_H), axis=-1).astype(np.float32)
