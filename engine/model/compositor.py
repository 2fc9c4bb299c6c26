"""Composes the frame of a layered model on the processor: for files, streams, takes and verification. The formula is in layers.py.

OpenCV before version 5 rounds the places in a texture to 1/32 of its pixels; there, hard edges may be off by a few levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS, Fields

# K textures, H W rows and columns of pixels, C channels, h w rows and columns of a field

LEAST_WEIGHT = 1.0 / 1024.0
"""A texture that nowhere has more is left out: it could change no level by a quarter."""


class Compositor:
    """Makes frames of one size of the same textures. The result depends on what is given alone."""

    def __init__(self, textures: Sequence[NDArray[np.uint8]], height: int, width: int) -> None:
        self._textures = textures
        self._height, self._width = height, width
        # Where each pixel of the frame lies in a texture at rest, by the size of the texture.
        self._places = {texture.shape: _places(texture.shape, height, width) for texture in textures}

    def compose(self, fields: Fields) -> NDArray[np.uint8]:
        """Return the frame, RGB [H, W, 3]. Fields are finite (finite_fields)."""
        import cv2

        weights, light, residual = fields.get(WEIGHTS), fields.get(LIGHT), fields.get(RESIDUAL)
        flow_HW2 = self._flows(fields)
        if weights is None:
            mixed_HWC = self._warped(0, flow_HW2[0])
        else:
            mixed_HWC = np.zeros((self._height, self._width, 3), np.float32)
            for k, weight_hw in enumerate(weights):
                if float(np.abs(weight_hw).max()) > LEAST_WEIGHT:
                    warped_HWC = self._warped(k, flow_HW2[k % len(flow_HW2)])
                    # OpenCV multiplies no single channel with three.
                    weight_HWC = self._enlarged(np.stack([weight_hw] * 3))
                    cv2.add(mixed_HWC, cv2.multiply(warped_HWC, weight_HWC, dtype=cv2.CV_32F), dst=mixed_HWC)
        if light is not None:
            light_HWC = self._enlarged(np.broadcast_to(light, (3, *light.shape[1:])))
            mixed_HWC = cv2.multiply(mixed_HWC, light_HWC, dtype=cv2.CV_32F)
        if residual is not None:
            mixed_HWC = cv2.add(mixed_HWC, self._enlarged(255.0 * residual), dtype=cv2.CV_8U)
        elif mixed_HWC.dtype != np.uint8:
            mixed_HWC = cv2.add(mixed_HWC, np.zeros_like(mixed_HWC), dtype=cv2.CV_8U)
        return np.asarray(mixed_HWC, np.uint8)

    def _flows(self, fields: Fields) -> list[NDArray[np.float32] | None]:
        """Return the flow of each texture, or the one of all, [H, W, 2]."""
        flow = fields.get(FLOW)
        if flow is None:
            return [None]
        return [self._enlarged(flow[2 * k : 2 * k + 2]) for k in range(len(flow) // 2)]

    def _warped(self, k: int, flow_HW2: NDArray[np.float32] | None) -> NDArray[np.uint8]:
        """Return texture k as seen through a flow, at the size of the frame."""
        import cv2

        texture = self._textures[k]
        places_HW2 = self._places[texture.shape]
        if flow_HW2 is None:
            if texture.shape[:2] == (self._height, self._width):
                return texture
        else:
            half_sides = (0.5 * texture.shape[1], 0.5 * texture.shape[0])
            places_HW2 = places_HW2 + flow_HW2 * np.asarray(half_sides, np.float32)
        remapped = cv2.remap(texture, places_HW2, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(remapped, np.uint8)

    def _enlarged(self, field_Chw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a field at the size of the frame, [H, W, C]."""
        import cv2

        field_hwC = np.ascontiguousarray(field_Chw.transpose(1, 2, 0), np.float32)
        size = (self._width, self._height)
        return np.asarray(cv2.resize(field_hwC, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _places(shape: tuple[int, ...], height: int, width: int) -> NDArray[np.float32]:
    """Return the place of each pixel of a frame in a texture, right and down in the texture's pixels, [H, W, 2]."""
    right_W = (np.arange(width) + 0.5) * shape[1] / width - 0.5
    down_H = (np.arange(height) + 0.5) * shape[0] / height - 0.5
    return np.stack(np.meshgrid(right_W, down_H), axis=-1).astype(np.float32)
