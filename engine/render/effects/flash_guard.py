"""Softens flashes that can harm people with photosensitive epilepsy, and leaves every other frame as it is.

The limit is that of WCAG 2.3.1 (three flashes or below threshold) and Recommendation ITU-R BT.1702: no more than three general
flashes and three red flashes within one second, over more than a quarter of any 10 degree visual field. A general flash is a pair
of opposing changes in relative luminance by 10 % or more whose darker state is below 0.8; a red flash is a pair of opposing
changes by more than 20 in (R - G - B) * 320 to or from a saturated red. engine/render/effects/luminance.py has the visual field.

A frame that would complete one change too many is held just short of it: seldom by more than a shade. A strobe, which flashes
much too often, is followed slowly, as through a low-pass filter. The softened frame is measured once more before it is shown.
Repeating the frame before completes no change, so there is always one that may be shown.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.render.effects.flash_count import MOST_CHANGES, PERIOD_S, Assessment, FlashCount
from engine.render.effects.luminance import GRID, CellLight, measure_light

# H W rows and columns of pixels, C channels (RGB); G rows or columns of cells

GENERAL_CHANGE = 0.1
RED_CHANGE = 20.0 / 320.0
LIGHTEST_DARK = 0.8
"""Relative luminance of the darker state from which a pair of changes is no flash."""

_ROUNDING = 1e-4
_STROBE_CHANGES = MOST_CHANGES + 5
"""Six flashes a second or more are a strobe. Four a second are the eighth notes of a song, and are only softened."""
_STROBE_TIME_CONSTANT_S = 1.0
"""A strobe is followed with this time constant: at six flashes a second, what is shown changes by less than 10 %."""
_RELEASE_S = 0.25
_SHARES_TRIED = (0.9, 0.5, 0.0)
"""Shares of the allowed way that are tried one after another, until no cell completes a change too many."""
_GAMMA = 2.2

Pixels = NDArray[np.uint8]


class GuardMeter(NamedTuple):
    """Flashes in the frames shown."""

    general_flashes_a_second: float = 0.0
    red_flashes_a_second: float = 0.0
    softened: int = 0
    """Frames softened since the start."""


class FlashGuard:
    """Measures every frame that is shown, at any rate and of any size, and softens those that would do harm."""

    def __init__(self) -> None:
        self._shown = _FlashCounts()
        # Of the frames that came in, while they differ from those that were shown.
        self._incoming: _FlashCounts | None = None
        self._time_s: float = -math.inf
        self._shown_HWC: Pixels | None = None
        # The softened frame before it was rounded to 8 bits; None while nothing is softened.
        self._fine_HWC: NDArray[np.float32] | None = None
        self._measured: tuple[Pixels, CellLight] | None = None
        self._strobe_GG = np.zeros((GRID, GRID), np.float32)
        self._softened_s = self._blackout_s = -math.inf
        self._softened = 0

    @property
    def meter(self) -> GuardMeter:
        return GuardMeter(float(self._shown.general.flashes()), float(self._shown.red.flashes()), self._softened)

    def apply(self, pixels_HWC: Pixels, time_s: float, *, guarded: bool = True, blackout: bool = False) -> Pixels:
        """Return the frame to show at `time_s`: the same array, unless it is softened.

        Without `guarded`, the frame is only measured. A `blackout` is shown at once, whatever flashed before it: it ends the
        flashing, and for two seconds afterwards one change less is allowed, so that the next blackout can be shown at once too.
        """
        time_s = max(float(time_s), self._time_s)
        passed_s, self._time_s = time_s - self._time_s, time_s
        if blackout:
            self._blackout_s = time_s
        most_changes = MOST_CHANGES - (time_s - self._blackout_s < 2.0 * PERIOD_S)
        light = self._light(pixels_HWC)
        assessed = self._shown.assess(light, time_s)
        incoming = self._incoming.assess(light, time_s) if self._incoming else assessed
        too_many_GG = None if blackout or not guarded else assessed.too_many(most_changes)
        self._track_strobe(incoming.harmful(_STROBE_CHANGES) if guarded else None, passed_s)
        is_unchanged = blackout or not guarded or (too_many_GG is None and not self._strobe_GG.any())
        if not is_unchanged and self._incoming is None:
            self._incoming = self._shown.copy()
        if self._incoming:
            self._incoming.accept(incoming)
        if is_unchanged:
            self._shown.accept(assessed)
            self._shown_HWC, self._fine_HWC = pixels_HWC, None
            if time_s - self._softened_s > PERIOD_S:
                self._incoming = None
            return pixels_HWC
        self._softened += 1
        self._softened_s = time_s
        self._shown_HWC = self._soften(pixels_HWC, assessed, passed_s, most_changes)
        return self._shown_HWC

    def _light(self, pixels_HWC: Pixels) -> CellLight:
        """Measure a frame; one that is shown several times, at a higher rate than frames come, only once."""
        if self._measured is None or self._measured[0] is not pixels_HWC:
            self._measured = pixels_HWC, measure_light(pixels_HWC)
        return self._measured[1]

    def _track_strobe(self, strobe_GG: NDArray[np.bool_] | None, passed_s: float) -> None:
        """Note at once where the incoming frames are a strobe, and forget it gradually."""
        if self._strobe_GG.any():
            self._strobe_GG *= np.float32(math.exp(-passed_s / _RELEASE_S))
            self._strobe_GG[self._strobe_GG < 0.02] = 0.0
        if strobe_GG is not None:
            self._strobe_GG[strobe_GG] = 1.0

    def _soften(self, pixels_HWC: Pixels, assessed: _Assessments, passed_s: float, most_changes: int) -> Pixels:
        """Return the nearest frame that may be shown."""
        fine_HWC = self._shown_before(pixels_HWC)
        before = measure_light(_to_8_bits(fine_HWC))
        share_GG = self._strobe_share(passed_s)
        allowed_GG, too_many_GG = self._shown.allowed_share(before, assessed), assessed.too_many(most_changes)
        for part in _SHARES_TRIED:
            if too_many_GG is not None:
                share_GG[too_many_GG] = np.minimum(share_GG, part * allowed_GG)[too_many_GG]
            moved_HWC = _blend(fine_HWC, pixels_HWC, share_GG)
            shown_HWC = _to_8_bits(moved_HWC)
            assessed = self._shown.assess(measure_light(shown_HWC), self._time_s)
            too_many_GG = assessed.too_many(most_changes)
            if too_many_GG is None:
                break
        else:
            moved_HWC, shown_HWC = fine_HWC, _to_8_bits(fine_HWC)
            assessed = self._shown.assess(before, self._time_s)
        self._fine_HWC = moved_HWC
        self._shown.accept(assessed)
        return shown_HWC

    def _strobe_share(self, passed_s: float) -> NDArray[np.float32]:
        """Return the share of the way from the frame shown to the incoming one that every cell goes: all of it without a strobe."""
        share_GG = np.ones((GRID, GRID), np.float32)
        strobe_GG = self._strobe_GG > 0.0
        share_GG[strobe_GG] = 1.0 - np.exp(-passed_s / (_STROBE_TIME_CONSTANT_S * self._strobe_GG[strobe_GG]))
        return share_GG

    def _shown_before(self, pixels_HWC: Pixels) -> NDArray[np.float32]:
        """Return the frame shown before `pixels_HWC`, in its size."""
        import cv2

        fine_HWC = self._fine_HWC
        if fine_HWC is None:
            fine_HWC = (pixels_HWC if self._shown_HWC is None else self._shown_HWC).astype(np.float32)
        if fine_HWC.shape != pixels_HWC.shape:
            size = (pixels_HWC.shape[1], pixels_HWC.shape[0])
            fine_HWC = np.asarray(cv2.resize(fine_HWC, size, interpolation=cv2.INTER_LINEAR), np.float32)
        return fine_HWC


class _Assessments(NamedTuple):
    """The changes that a frame would complete."""

    general: Assessment
    red: Assessment

    def harmful(self, most_changes: int) -> NDArray[np.bool_] | None:
        """Return the cells with too many general or red flashes; None if there are none."""
        return _either(self.general.harmful(most_changes), self.red.harmful(most_changes))

    def too_many(self, most_changes: int) -> NDArray[np.bool_] | None:
        """Return the cells in which the frame completes a change too many; None if there are none."""
        return _either(*(_both(kind.harmful(most_changes), kind.changed_GG) for kind in self))


class _FlashCounts:
    """General and red flashes of a stream of frames."""

    def __init__(self) -> None:
        self.general = FlashCount(GENERAL_CHANGE - _ROUNDING)
        self.red = FlashCount(RED_CHANGE - _ROUNDING)

    def copy(self) -> _FlashCounts:
        copied = _FlashCounts()
        copied.general, copied.red = self.general.copy(), self.red.copy()
        return copied

    def assess(self, light: CellLight, time_s: float) -> _Assessments:
        return _Assessments(
            self.general.assess(_below_lightest(light), None, time_s),
            self.red.assess(light.red_GG, light.saturated_GG, time_s),
        )

    def accept(self, assessed: _Assessments) -> None:
        self.general.accept(assessed.general)
        self.red.accept(assessed.red)

    def allowed_share(self, before: CellLight, assessed: _Assessments) -> NDArray[np.float32]:
        """Return the share of the way that every cell may go without a general or red change; 1 for cells without any."""
        allowed_GG = np.ones((GRID, GRID), np.float32)
        kinds = ((self.general, _below_lightest(before), assessed.general), (self.red, before.red_GG, assessed.red))
        for kind, before_GG, change in kinds:
            way_GG = kind.allowed_share(before_GG, change)
            # Frames are blended by their levels: light falls faster than levels, and rises slower.
            way_GG = np.where(change.fallen_GG, 1.0 - (1.0 - way_GG) ** (1.0 / _GAMMA), way_GG)
            allowed_GG = np.where(change.changed_GG, np.minimum(allowed_GG, way_GG), allowed_GG)
        return allowed_GG


def _below_lightest(light: CellLight) -> NDArray[np.float32]:
    """Return luminance up to 0.9: a change from 0.8 to 0.9 is the lightest that counts, so one comparison is enough."""
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


def _blend(fine_HWC: NDArray[np.float32], pixels_HWC: Pixels, share_GG: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the frame `share_GG` of the way from one to the other.

    The share of every pixel is at most that of its cell, and changes gently from cell to cell.
    """
    import cv2

    # Blurring and enlarging spread a share by one cell each, so small shares are first spread by two.
    least_GG = np.asarray(cv2.erode(share_GG, np.ones((5, 5), np.uint8)), np.float32)
    gentle_GG = np.minimum(np.asarray(cv2.blur(least_GG, (3, 3)), np.float32), 1.0)
    height, width = pixels_HWC.shape[:2]
    share_HWC = cv2.resize(cv2.merge([gentle_GG] * 3), (width, height), interpolation=cv2.INTER_LINEAR)
    way_HWC = cv2.subtract(pixels_HWC, fine_HWC, dtype=cv2.CV_32F)
    return np.asarray(cv2.add(fine_HWC, cv2.multiply(way_HWC, share_HWC)), np.float32)


def _to_8_bits(fine_HWC: NDArray[np.float32]) -> Pixels:
    import cv2

    return np.asarray(cv2.convertScaleAbs(fine_HWC), np.uint8)
