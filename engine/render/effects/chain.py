"""From the network's picture to the one that is shown: effects, then the flash guard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.render.effects import frame_effects
from engine.render.effects.effect_parameters import EffectParameters
from engine.render.effects.flash_guard import FlashGuard, GuardMeter
from engine.render.effects.trail import Trail

# H W picture rows and columns, C channels (RGB)

_LEAST = 1.0 / 512.0
"""What is less than this is not seen, and not done."""


class EffectChain:
    """Finishes the pictures of one consumer. What it shows depends on the pictures, looks and times it was given, on nothing else.

    The effects, in their order: mirror, zoom, colours, glow, trail, brightness. Not for use from several threads at once.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all that was shown."""
        self._trail = Trail()
        self._guard = FlashGuard()

    @property
    def meter(self) -> GuardMeter:
        """What is flashing in what was shown."""
        return self._guard.meter

    def finish(self, pixels_HWC: NDArray[np.uint8], look: EffectParameters, time_s: float) -> NDArray[np.uint8]:
        """Return how an RGB picture of any size looks at `time_s`; the same array when there is nothing to do to it.

        The picture given is never written to. Brightness 0 is black at once, whatever lingers.
        """
        blackout = look.brightness <= 0.0
        if blackout:
            self._trail.clear()
            effected_HWC = np.zeros_like(pixels_HWC)
        else:
            effected_HWC = self._effected(pixels_HWC, look, time_s)
        return self._guard.show(effected_HWC, time_s, guarded=look.guarded, blackout=blackout)

    def _effected(self, pixels_HWC: NDArray[np.uint8], look: EffectParameters, time_s: float) -> NDArray[np.uint8]:
        if look.mirror:
            pixels_HWC = frame_effects.mirrored(pixels_HWC)
        if look.zoom > 1.0 + _LEAST:
            pixels_HWC = frame_effects.zoomed(pixels_HWC, look.zoom)
        if abs(look.colour_turn) > _LEAST:
            pixels_HWC = frame_effects.colour_turned(pixels_HWC, look.colour_turn)
        if look.glow > _LEAST:
            pixels_HWC = frame_effects.glowing(pixels_HWC, look.glow)
        if look.trail > 0.0:
            pixels_HWC = self._trail.over(pixels_HWC, look.trail, time_s)
        else:
            self._trail.clear()
        if look.brightness != 1.0:
            pixels_HWC = frame_effects.brightened(pixels_HWC, look.brightness)
        return pixels_HWC
