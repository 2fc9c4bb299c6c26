"""Softens flashes that can harm people with photosensitive epilepsy, and leaves every other picture as it is.

What harms is defined by WCAG 2.3.1 (three flashes or below threshold), which Recommendation ITU-R BT.1702 shares: more than three
general or red flashes within one second over more than a quarter of any ten degrees of view. A general flash is a pair of
opposing changes in relative luminance by a tenth or more whose darker state is below 0.8; a red flash a pair of opposing changes
by more than 20 in (R - G - B) * 320 to or from a saturated red. Which part of the picture is ten degrees: engine/render/effects/luminance.py.

A picture that would complete a change too many goes only so far that it does not: seldom by more than a shade. Where what comes
flashes much too often, a strobe, what is shown follows it slowly, as through a low-pass filter. What would be shown is measured
in any case. Showing the same again completes no change, so there is always something that may be shown.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.render.effects.flash_count import MOST_CHANGES, PERIOD_S, FlashCount, Judgement
from engine.render.effects.luminance import GRID, Light, light_of

# H W picture rows and columns, C channels (RGB); G rows or columns of places

GENERAL_CHANGE = 0.1
RED_CHANGE = 20.0 / 320.0
LIGHTEST_DARK = 0.8
"""Luminance from which the darker state of a pair on is too light to harm."""

_ROUNDING = 1e-4
_STROBE_CHANGES = MOST_CHANGES + 5
"""What comes flashes six times a second or more. Four a second are the eighths of a song, and are only shaded."""
_FOLLOWING_S = 1.0
"""Time constant at which a strobe is followed: at six flashes a second it moves by less than a tenth."""
_RELEASE_S = 0.25
_OF_THE_ROOM = (0.9, 0.5, 0.0)
"""How much of the way that is left a place goes, until none completes a change too many."""
_GAMMA = 2.2

Image = NDArray[np.uint8]


class GuardMeter(NamedTuple):
    """What is flashing in the pictures shown."""

    general_flashes_a_second: float = 0.0
    red_flashes_a_second: float = 0.0
    softened: int = 0
    """Pictures softened since the beginning."""


class FlashGuard:
    """Looks at every picture that is shown, at any rate and of any size."""

    def __init__(self) -> None:
        self._shown = _Watch()
        # Of the pictures that came, once they are no longer those that were shown.
        self._came: _Watch | None = None
        self._time_s: float = -math.inf
        self._image_HWC: Image | None = None
        # What is shown, more finely than in 8 bits, while it is not what came.
        self._fine_HWC: NDArray[np.float32] | None = None
        self._measured: tuple[Image, Light] | None = None
        self._strobe_GG = np.zeros((GRID, GRID), np.float32)
        self._softened_s = self._blackout_s = -math.inf
        self._softened = 0

    @property
    def meter(self) -> GuardMeter:
        return GuardMeter(float(self._shown.general.flashes()), float(self._shown.red.flashes()), self._softened)

    def show(self, pixels_HWC: Image, time_s: float, *, guarded: bool = True, blackout: bool = False) -> Image:
        """Return what is to be shown for a picture at `time_s`: the very same array, unless it is softened.

        Not `guarded`, the picture is only measured. A `blackout` is obeyed at once, whatever flashed before it: it ends the
        flashing, and for two seconds afterwards one change less is allowed, so that the next one is in time too.
        """
        time_s = max(float(time_s), self._time_s)
        passed_s, self._time_s = time_s - self._time_s, time_s
        if blackout:
            self._blackout_s = time_s
        most_changes = MOST_CHANGES - (time_s - self._blackout_s < 2.0 * PERIOD_S)
        light = self._light(pixels_HWC)
        judged = self._shown.judge(light, time_s)
        came = self._came.judge(light, time_s) if self._came else judged
        too_many_GG = None if blackout or not guarded else judged.too_many(most_changes)
        self._weigh(came.harmful(_STROBE_CHANGES) if guarded else None, passed_s)
        as_it_came = blackout or not guarded or (too_many_GG is None and not self._strobe_GG.any())
        if not as_it_came and self._came is None:
            self._came = self._shown.copy()
        if self._came:
            self._came.take(came)
        if as_it_came:
            self._shown.take(judged)
            self._image_HWC, self._fine_HWC = pixels_HWC, None
            if time_s - self._softened_s > PERIOD_S:
                self._came = None
            return pixels_HWC
        self._softened += 1
        self._softened_s = time_s
        self._image_HWC = self._soften(pixels_HWC, judged, passed_s, most_changes)
        return self._image_HWC

    def _light(self, pixels_HWC: Image) -> Light:
        """Measure a picture; the one that is shown again, at a higher rate than pictures come, only once."""
        if self._measured is None or self._measured[0] is not pixels_HWC:
            self._measured = pixels_HWC, light_of(pixels_HWC)
        return self._measured[1]

    def _weigh(self, strobe_GG: NDArray[np.bool_] | None, passed_s: float) -> None:
        """Follow where the pictures that come are a strobe: at once, and let go gradually."""
        if self._strobe_GG.any():
            self._strobe_GG *= np.float32(math.exp(-passed_s / _RELEASE_S))
            self._strobe_GG[self._strobe_GG < 0.02] = 0.0
        if strobe_GG is not None:
            self._strobe_GG[strobe_GG] = 1.0

    def _soften(self, pixels_HWC: Image, judged: _Judged, passed_s: float, most_changes: int) -> Image:
        """Return the nearest to the picture that may be shown."""
        fine_HWC = self._fine_before(pixels_HWC)
        before = light_of(_in_8_bits(fine_HWC))
        share_GG = self._followed(passed_s)
        room_GG, too_many_GG = self._shown.room(before, judged), judged.too_many(most_changes)
        for part in _OF_THE_ROOM:
            if too_many_GG is not None:
                share_GG[too_many_GG] = np.minimum(share_GG, part * room_GG)[too_many_GG]
            moved_HWC = _nearer(fine_HWC, pixels_HWC, share_GG)
            shown_HWC = _in_8_bits(moved_HWC)
            judged = self._shown.judge(light_of(shown_HWC), self._time_s)
            too_many_GG = judged.too_many(most_changes)
            if too_many_GG is None:
                break
        else:
            moved_HWC, shown_HWC = fine_HWC, _in_8_bits(fine_HWC)
            judged = self._shown.judge(before, self._time_s)
        self._fine_HWC = moved_HWC
        self._shown.take(judged)
        return shown_HWC

    def _followed(self, passed_s: float) -> NDArray[np.float32]:
        """Return what share of the way from what is shown to what came every place goes: all of it where there is no strobe."""
        share_GG = np.ones((GRID, GRID), np.float32)
        strobe_GG = self._strobe_GG > 0.0
        share_GG[strobe_GG] = 1.0 - np.exp(-passed_s / (_FOLLOWING_S * self._strobe_GG[strobe_GG]))
        return share_GG

    def _fine_before(self, pixels_HWC: Image) -> NDArray[np.float32]:
        """Return what is shown before `image_HWC`, in its size."""
        import cv2

        fine_HWC = self._fine_HWC
        if fine_HWC is None:
            fine_HWC = (pixels_HWC if self._image_HWC is None else self._image_HWC).astype(np.float32)
        if fine_HWC.shape != pixels_HWC.shape:
            size = (pixels_HWC.shape[1], pixels_HWC.shape[0])
            fine_HWC = np.asarray(cv2.resize(fine_HWC, size, interpolation=cv2.INTER_LINEAR), np.float32)
        return fine_HWC


class _Judged(NamedTuple):
    """What a picture would change."""

    general: Judgement
    red: Judgement

    def harmful(self, most_changes: int) -> NDArray[np.bool_] | None:
        """Return where general or red flashes are too many."""
        return _either(self.general.harmful(most_changes), self.red.harmful(most_changes))

    def too_many(self, most_changes: int) -> NDArray[np.bool_] | None:
        """Return where the picture completes a change that is one too many."""
        return _either(*(_both(kind.harmful(most_changes), kind.changed_GG) for kind in self))


class _Watch:
    """General and red flashes of a stream of pictures."""

    def __init__(self) -> None:
        self.general = FlashCount(GENERAL_CHANGE - _ROUNDING)
        self.red = FlashCount(RED_CHANGE - _ROUNDING)

    def copy(self) -> _Watch:
        twin = _Watch()
        twin.general, twin.red = self.general.copy(), self.red.copy()
        return twin

    def judge(self, light: Light, time_s: float) -> _Judged:
        return _Judged(
            self.general.judge(_below_lightest(light), None, time_s),
            self.red.judge(light.red_GG, light.saturated_GG, time_s),
        )

    def take(self, judged: _Judged) -> None:
        self.general.take(judged.general)
        self.red.take(judged.red)

    def room(self, before: Light, judged: _Judged) -> NDArray[np.float32]:
        """Return what share of the way every place may go, whichever of the two it would flash in; 1 for the others."""
        room_GG = np.ones((GRID, GRID), np.float32)
        kinds = ((self.general, _below_lightest(before), judged.general), (self.red, before.red_GG, judged.red))
        for kind, before_GG, change in kinds:
            way_GG = kind.room(before_GG, change)
            # Pictures are mixed in their own levels: light falls faster than these, and rises slower.
            way_GG = np.where(change.fallen_GG, 1.0 - (1.0 - way_GG) ** (1.0 / _GAMMA), way_GG)
            room_GG = np.where(change.changed_GG, np.minimum(room_GG, way_GG), room_GG)
        return room_GG


def _below_lightest(light: Light) -> NDArray[np.float32]:
    """Above 0.9 all is as light: a change from 0.8 to 0.9 is the last that can harm, and one plain comparison is left."""
    return np.minimum(light.luminance_GG, np.float32(LIGHTEST_DARK + GENERAL_CHANGE))


def _either(a_GG: NDArray[np.bool_] | None, b_GG: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    if a_GG is None or b_GG is None:
        return a_GG if b_GG is None else b_GG
    return a_GG | b_GG


def _both(a_GG: NDArray[np.bool_] | None, b_GG: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    if a_GG is None:
        return None
    both_GG = a_GG & b_GG
    return both_GG if both_GG.any() else None


def _nearer(fine_HWC: NDArray[np.float32], pixels_HWC: Image, share_GG: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the picture `share_GG` of the way from one to the other.

    The share of every pixel is at most that of its place, and changes gently from place to place.
    """
    import cv2

    # Blurring and enlarging reach one place each: what is small is first made to reach two.
    least_GG = np.asarray(cv2.erode(share_GG, np.ones((5, 5), np.uint8)), np.float32)
    gentle_GG = np.minimum(np.asarray(cv2.blur(least_GG, (3, 3)), np.float32), 1.0)
    height, width = pixels_HWC.shape[:2]
    share_HWC = cv2.resize(cv2.merge([gentle_GG] * 3), (width, height), interpolation=cv2.INTER_LINEAR)
    way_HWC = cv2.subtract(pixels_HWC, fine_HWC, dtype=cv2.CV_32F)
    return np.asarray(cv2.add(fine_HWC, cv2.multiply(way_HWC, share_HWC)), np.float32)


def _in_8_bits(fine_HWC: NDArray[np.float32]) -> Image:
    import cv2

    return np.asarray(cv2.convertScaleAbs(fine_HWC), np.uint8)
