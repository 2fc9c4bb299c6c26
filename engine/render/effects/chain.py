"""Applies effects to the model's frames, then the flash guard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.render.effects import frame_effects
from engine.render.effects.effect_parameters import EffectParameters
from engine.render.effects.flash_guard import FlashGuard, GuardMeter
from engine.render.effects.trail import Trail

# H W rows and columns of pixels, C channels (RGB)

_SMALLEST_VISIBLE = 1.0 / 512.0
"""A smaller effect cannot be seen, and is not applied."""


class EffectChain:
    """The effects and the flash guard of one output. The result depends on the frames, parameters and times given alone.

    The order of the effects is: mirror, zoom, colours, glow, trail, brightness. Not for several threads at once.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the trail and the flashes of all frames so far."""
        self._trail = Trail()
        self._guard = FlashGuard()

    @property
    def meter(self) -> GuardMeter:
        """Flashes in the frames shown."""
        return self._guard.meter

    def apply(self, pixels_HWC: NDArray[np.uint8], parameters: EffectParameters, time_s: float) -> NDArray[np.uint8]:
        """Return an RGB frame of any size with the effects of `time_s`; the same array when nothing changes it.

        The frame given is never written to. Brightness 0 is black at once, without a trail.
        """
        blackout = parameters.brightness <= 0.0
        if blackout:
            self._trail.clear()
            effected_HWC = np.zeros_like(pixels_HWC)
        else:
            effected_HWC = self._effected(pixels_HWC, parameters, time_s)
        return self._guard.apply(effected_HWC, time_s, guarded=parameters.guarded, blackout=blackout)

    def _effected(
        self, pixels_HWC: NDArray[np.uint8], parameters: EffectParameters, time_s: float
    ) -> NDArray[np.uint8]:
        if parameters.mirror:
            pixels_HWC = frame_effects.mirrored(pixels_HWC)
        if parameters.zoom > 1.0 + _SMALLEST_VISIBLE:
            pixels_HWC = frame_effects.zoomed(pixels_HWC, parameters.zoom)
        if abs(parameters.colour_turn) > _SMALLEST_VISIBLE:
            pixels_HWC = frame_effects.colour_turned(pixels_HWC, parameters.colour_turn)
        if parameters.glow > _SMALLEST_VISIBLE:
            pixels_HWC = frame_effects.glowing(pixels_HWC, parameters.glow)
        if parameters.trail > 0.0:
            pixels_HWC = self._trail.over(pixels_HWC, parameters.trail, time_s)
        else:
            self._trail.clear()
        if parameters.brightness != 1.0:
            pixels_HWC = frame_effects.brightened(pixels_HWC, parameters.brightness)
        return pixels_HWC
