"""Composes the frame of a layered model on the processor: for files, streams, takes and verification. The formula is in layers.py.

It goes strip after strip, so that what is computed stays in the cache, and leaves out the textures that have no weight in a strip.
Several threads share the strips of a frame. One that has not begun when all are taken is not waited for.
Textures are kept with a fourth channel, of which OpenCV warps twice as many in the same time.

OpenCV before version 5 rounds the places in a texture to 1/32 of its pixels; there, hard edges may be off by a few levels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model.enlarging import EnlargedField, Enlarger, Strip
from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS, Fields

# K textures, H W rows and columns of pixels, C channels, h w rows and columns of a field, S rows of a strip

LEAST_SHARE = 1.0 / 1024.0
"""Textures that together have nowhere more of the light are left out: they could change no level by a quarter."""
BRIGHT = 2.5
"""Light that multiplies levels by more makes steps of their rounding. Then textures are warped as floats, which takes longer."""
_AT_REST = np.zeros((2, 1, 1), np.float32)


class _Scratch(NamedTuple):
    """Arrays of a strip's size, [S, W C], that are written again and again."""

    places: NDArray[np.float32]
    warped_SW4: NDArray[np.uint8]
    warped_SW3: NDArray[np.uint8]
    bright_SW4: NDArray[np.float32]
    texture: NDArray[np.float32]
    field: NDArray[np.float32]
    mixed: NDArray[np.float32]
    frame: NDArray[np.float32]


class _Layer(NamedTuple):
    """A texture in one frame."""

    texture_HW4: NDArray[np.uint8] | NDArray[np.float32]
    places: EnlargedField
    share: EnlargedField | None
    """How much of it is seen; None for all."""


class _Composition(NamedTuple):
    """A frame that is being composed."""

    layers: Sequence[_Layer]
    least_share: float
    light: EnlargedField | None
    """What falls on all textures together; None where it is part of their shares."""
    residual: EnlargedField | None
    frame_HWC: NDArray[np.uint8]


class Compositor:
    """Makes frames of one size of the same textures, also for several threads. The result depends on what is given alone."""

    def __init__(self, textures: Sequence[NDArray[np.uint8]], height: int, width: int, threads: int = 1) -> None:
        self._textures = [np.dstack([texture, texture[..., :1]]) for texture in textures]
        self._height, self._width = height, width
        self._enlarger = Enlarger(height, width)
        self._helpers = threads - 1
        self._pool = ThreadPoolExecutor(self._helpers, "compositor") if self._helpers else None
        # One for each thread that composes at the same time.
        self._free: list[_Scratch] = []

    def compose(self, fields: Fields) -> NDArray[np.uint8]:
        """Return the frame, RGB [H, W, 3]. Fields are finite (finite_fields)."""
        composition, strips = self._composition(fields), deque(self._enlarger.strips)
        helpers = list[Future[None]]()
        if self._pool:
            # A system that starts no more threads costs time and no frame.
            with suppress(RuntimeError):
                for _ in range(self._helpers):
                    helpers.append(self._pool.submit(self._compose_strips, strips, composition))
        self._compose_strips(strips, composition)
        for helper in helpers:
            if not helper.cancel():
                helper.result()
        return composition.frame_HWC

    def _composition(self, fields: Fields) -> _Composition:
        light, enlarged = fields.get(LIGHT), self._enlarger.enlarged
        brightest = 1.0 if light is None else max(1.0, float(np.abs(light).max()))
        # Light that is the same everywhere, or that falls on the only texture, is part of the shares.
        is_apart = light is not None and WEIGHTS in fields and light.shape[1:] != (1, 1)
        return _Composition(
            layers=self._layers(fields, None if is_apart else light, brightest > BRIGHT),
            least_share=LEAST_SHARE / (len(self._textures) * brightest),
            light=enlarged(light, 3) if is_apart and light is not None else None,
            residual=enlarged(255.0 * fields[RESIDUAL], 3) if RESIDUAL in fields else None,
            frame_HWC=np.empty((self._height, self._width, 3), np.uint8),
        )

    @cached_property
    def _bright_textures(self) -> list[NDArray[np.float32]]:
        return [texture_HW4.astype(np.float32) for texture_HW4 in self._textures]

    def _layers(self, fields: Fields, light: NDArray[np.float32] | None, is_bright: bool) -> list[_Layer]:
        """Return the textures with their places and shares, which `light` is a part of."""
        flow, weights, layers = fields.get(FLOW), fields.get(WEIGHTS), list[_Layer]()
        for k, texture_HW4 in enumerate(self._bright_textures if is_bright else self._textures):
            own_flow = _AT_REST if flow is None else flow[2 * k : 2 * k + 2] if len(flow) > 2 else flow
            share = light
            if weights is not None:
                share = weights[k : k + 1] if light is None else weights[k : k + 1] * light
            layers.append(
                _Layer(
                    texture_HW4,
                    self._enlarger.places(own_flow, texture_HW4.shape),
                    None if share is None else self._enlarger.enlarged(share, 3),
                )
            )
        return layers

    def _compose_strips(self, strips: deque[Strip], composition: _Composition) -> None:
        """Compose the strips that no other thread has taken."""
        scratch = self._scratch()
        while strip := _taken(strips):
            self._compose_strip(strip, composition, scratch)
        self._free.append(scratch)

    def _compose_strip(self, strip: Strip, composition: _Composition, scratch: _Scratch) -> None:
        import cv2

        rows, light = strip.bottom - strip.top, composition.light
        frame = scratch.frame[:rows]
        if composition.residual:
            composition.residual.strip(strip, frame)
        else:
            frame.fill(0.0)
        mixed = frame
        if light:
            mixed = scratch.mixed[:rows]
            mixed.fill(0.0)
        for texture_HW4, places, share in composition.layers:
            if share is None:
                cv2.add(mixed, self._warped(texture_HW4, places, strip, scratch), dst=mixed)
            elif share.most(strip) > composition.least_share:
                texture = self._warped(texture_HW4, places, strip, scratch)
                cv2.accumulateProduct(texture, share.strip(strip, scratch.field), mixed)
        if light:
            cv2.accumulateProduct(mixed, light.strip(strip, scratch.field), frame)
        # The conversion rounds to the nearest level and clips what is too bright, and would show what is below black as light.
        cv2.threshold(frame, 0.0, 0.0, cv2.THRESH_TOZERO, dst=frame)
        to_SWC = composition.frame_HWC[strip.top : strip.bottom]
        cv2.convertScaleAbs(frame.reshape(to_SWC.shape), dst=to_SWC)

    def _warped(
        self,
        texture_HW4: NDArray[np.uint8] | NDArray[np.float32],
        places: EnlargedField,
        strip: Strip,
        scratch: _Scratch,
    ) -> NDArray[np.float32]:
        """Return a strip of the frame as a texture gives it, in levels [S, W 3]."""
        import cv2

        rows, is_bright = strip.bottom - strip.top, texture_HW4.dtype == np.float32
        texture = scratch.texture[:rows]
        warped_SW4 = (scratch.bright_SW4 if is_bright else scratch.warped_SW4)[:rows]
        no_second_map: Any = None
        places_SW2 = places.strip(strip, scratch.places).reshape(rows, self._width, 2)
        cv2.remap(
            texture_HW4, places_SW2, no_second_map, cv2.INTER_LINEAR, dst=warped_SW4, borderMode=cv2.BORDER_REPLICATE
        )
        if is_bright:
            cv2.cvtColor(warped_SW4, cv2.COLOR_RGBA2RGB, dst=texture.reshape(rows, self._width, 3))
        else:
            cv2.cvtColor(warped_SW4, cv2.COLOR_RGBA2RGB, dst=scratch.warped_SW3[:rows])
            np.copyto(texture, scratch.warped_SW3[:rows].reshape(texture.shape))
        return texture

    def _scratch(self) -> _Scratch:
        with suppress(IndexError):
            return self._free.pop()
        rows, width = self._enlarger.strips[0].bottom, self._width
        colours = (rows, 3 * width)
        return _Scratch(
            np.empty((rows, 2 * width), np.float32),
            np.empty((rows, width, 4), np.uint8),
            np.empty((rows, width, 3), np.uint8),
            np.empty((rows, width, 4), np.float32),
            *(np.empty(colours, np.float32) for _ in range(4)),
        )


def _taken(strips: deque[Strip]) -> Strip | None:
    with suppress(IndexError):
        return strips.popleft()
    return None
