"""From the network's picture to the one that is shown: effects, then the flash guard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.effects import optics
from engine.effects.flash_guard import FlashGuard, GuardMeter
from engine.effects.look import Look
from engine.effects.trail import Trail

# H W picture rows and columns, C channels (RGB)

_LEAST = 1.0 / 512.0
"""What is less than this is not seen, and not done."""


class Finisher:
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

    def finish(self, image_HWC: NDArray[np.uint8], look: Look, time_s: float) -> NDArray[np.uint8]:
        """Return how an RGB picture of any size looks at `time_s`; the same array when there is nothing to do to it.

        The picture given is never written to. Brightness 0 is black at once, whatever lingers.
        """
        blackout = look.brightness <= 0.0
        if blackout:
            self._trail.clear()
            effected_HWC = np.zeros_like(image_HWC)
        else:
            effected_HWC = self._effected(image_HWC, look, time_s)
        return self._guard.show(effected_HWC, time_s, guarded=look.guarded, blackout=blackout)

    def _effected(self, image_HWC: NDArray[np.uint8], look: Look, time_s: float) -> NDArray[np.uint8]:
        if look.mirror:
            image_HWC = optics.mirrored(image_HWC)
        if look.zoom > 1.0 + _LEAST:
            image_HWC = optics.zoomed(image_HWC, look.zoom)
        if abs(look.colour_turn) > _LEAST:
            image_HWC = optics.colour_turned(image_HWC, look.colour_turn)
        if look.glow > _LEAST:
            image_HWC = optics.glowing(image_HWC, look.glow)
        if look.trail > 0.0:
            image_HWC = self._trail.over(image_HWC, look.trail, time_s)
        else:
            self._trail.clear()
        if look.brightness != 1.0:
            image_HWC = optics.brightened(image_HWC, look.brightness)
        return image_HWC
