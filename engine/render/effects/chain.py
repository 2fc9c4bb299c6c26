"""Applies effects to the model's frames, then the flash guard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.output.frame import InField
from engine.render.effects import frame_effects
from engine.render.effects.effect_parameters import EffectParameters
from engine.render.effects.flash_guard import FlashGuard, GuardMeter
from engine.render.effects.frame_effects import SMALLEST_VISIBLE
from engine.render.effects.kaleidoscope import folded
from engine.render.effects.palette import coloured
from engine.render.effects.surround import field_of, in_surround, soft_edge
from engine.render.effects.trail import Trail
from engine.render.effects.video_feedback import VideoFeedback

# H W rows and columns of pixels, C channels (RGB)


class EffectChain:
    """The effects and the flash guard of one output. The result depends on the frames, parameters and times given alone.

    The order of the effects is: grain, mirror, zoom, kaleidoscope, colours, palette, tiles and surround, glow, feedback, trail,
    brightness. Not for several threads at once.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the trail, the feedback and the flashes of all frames so far."""
        self._trail, self._feedback = Trail(), VideoFeedback()
        self._guard = FlashGuard()
        self._in_field: InField | None = None

    @property
    def in_field(self) -> InField | None:
        """Where the last frame lies, if it is shown as it is but for soft edges: its layers may be drawn there as well."""
        return self._in_field

    @property
    def meter(self) -> GuardMeter:
        """Flashes in the frames shown."""
        return self._guard.meter

    def apply(self, pixels_HWC: NDArray[np.uint8], parameters: EffectParameters, time_s: float) -> NDArray[np.uint8]:
        """Return an RGB frame of any size with the effects of `time_s`; the same array when nothing changes it.

        Where the output goes on beyond the frame, the result may have the output's shape (engine/render/effects/surround.py). The frame
        given is never written to. Brightness 0 is black at once, without trail and feedback.
        """
        blackout = parameters.brightness <= 0.0
        if blackout:
            self._trail.clear()
            self._feedback.clear()
            effected_HWC = np.zeros_like(pixels_HWC)
        else:
            effected_HWC = self._effected(pixels_HWC, parameters, time_s)
        shown_HWC = self._guard.apply(effected_HWC, time_s, guarded=parameters.guarded, blackout=blackout)
        self._in_field = None
        if shown_HWC is effected_HWC and parameters.is_neutral:
            height, width = pixels_HWC.shape[:2]
            field = field_of(height, width, parameters)
            self._in_field = InField(height, width, soft_edge(height, width, field, parameters))
        return shown_HWC

    def _effected(
        self, pixels_HWC: NDArray[np.uint8], parameters: EffectParameters, time_s: float
    ) -> NDArray[np.uint8]:
        field = field_of(pixels_HWC.shape[0], pixels_HWC.shape[1], parameters)
        pixels_HWC = in_surround(_changed(pixels_HWC, field, parameters), field, parameters)
        if parameters.glow > SMALLEST_VISIBLE:
            pixels_HWC = frame_effects.glowing(pixels_HWC, parameters.glow)
        if parameters.feedback > 0.0:
            moves = parameters.feedback_zoom, parameters.feedback_turn
            pixels_HWC = self._feedback.over(pixels_HWC, parameters.feedback, *moves, time_s)
        else:
            self._feedback.clear()
        if parameters.trail > 0.0:
            pixels_HWC = self._trail.over(pixels_HWC, parameters.trail, time_s)
        else:
            self._trail.clear()
        if parameters.brightness != 1.0:
            pixels_HWC = frame_effects.brightened(pixels_HWC, parameters.brightness)
        return pixels_HWC


def _changed(pixels_HWC: NDArray[np.uint8], field: tuple[int, int], parameters: EffectParameters) -> NDArray[np.uint8]:
    """Return the frame with the effects that come before its surround. Zoom and kaleidoscope may fill the field; copies do it for them."""
    room = field if parameters.tiles <= SMALLEST_VISIBLE else (pixels_HWC.shape[0], pixels_HWC.shape[1])
    if parameters.degrain > SMALLEST_VISIBLE:
        pixels_HWC = frame_effects.degrained(pixels_HWC, parameters.degrain)
    if parameters.mirror:
        pixels_HWC = frame_effects.mirrored(pixels_HWC)
    if parameters.zoom > 1.0 + SMALLEST_VISIBLE:
        pixels_HWC = frame_effects.zoomed(pixels_HWC, parameters.zoom, room)
    if parameters.kaleidoscope:
        pixels_HWC = folded(pixels_HWC, parameters.kaleidoscope, parameters.kaleidoscope_turn, room)
    if abs(parameters.colour_turn) > SMALLEST_VISIBLE:
        pixels_HWC = frame_effects.colour_turned(pixels_HWC, parameters.colour_turn)
    if parameters.palette_amount > SMALLEST_VISIBLE:
        pixels_HWC = coloured(pixels_HWC, parameters.palette, parameters.palette_amount)
    return pixels_HWC
