"""The overlay of a window: level, bands with their gains, beat, lines of figures, and badges for switches that must not be forgotten.

It is drawn at the window's own resolution, in the window alone: recordings and other outputs never show it.
"""

# OpenCV's types do not tell arrays apart.
# pyright: basic

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import ShowValues
from engine.output.frame import Frame

# H W rows and columns, C channels (RGB, or RGBA with the colours multiplied by the opacity)

LINES_EVERY_S = 0.25
"""Figures that change more often cannot be read."""
METERS_EVERY_S = 0.03
QUIETEST_DB, LOUD_DB = -60.0, -12.0
"""RMS of a band re full scale at the left end of its meter, and where the meter warns."""
_METER_ROWS = 5
_ONSET_SHOWN_S = 0.12
_LONGEST_NAME = 16

_BACKGROUND, _DIM, _BRIGHT = (16, 17, 20), (140, 146, 156), (238, 240, 243)
_GREEN, _AMBER, _RED, _EMPTY = (84, 200, 130), (240, 178, 66), (236, 78, 70), (82, 87, 98)
_BACKGROUND_OPACITY = 0.78
_OPACITY = np.clip(
    255 * _BACKGROUND_OPACITY + 2 * (np.arange(256) - max(_BACKGROUND)), 255 * _BACKGROUND_OPACITY, 255
).astype(np.uint8)
"""Opacity of a pixel by its brightest channel: text is opaque, the background is not."""

_RECORDING_TAKE = "recording take"
"""No parameter: record_take may be on while a take waits, or has ended on a full disk."""
_BADGES = (
    ("record", True, "REC", _RED),
    (_RECORDING_TAKE, True, "TAKE", _RED),
    ("freeze", True, "FROZEN", _BRIGHT),
    ("blackout", True, "BLACKOUT", _BRIGHT),
    ("flash_guard", False, "FLASH GUARD OFF", _AMBER),
)
"""Parameter, the value at which the badge is shown, its text and colour."""


class Panel(NamedTuple):
    """Pixels to draw over the window's, at their resolution."""

    pixels_HWC: NDArray[np.uint8]
    left: int
    top: int
    changed: bool
    """Whether it differs from the last one."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a panel shows."""

    lines: tuple[str, ...] = ()
    """A tab separates a line's name from its value; a line without one is a warning."""
    audio_features: AudioFeatures = SILENCE
    badges: tuple[tuple[str, tuple[int, int, int]], ...] = ()
    gains_db: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The input trim of bass, mid range and treble."""


class Overlay:
    """The panel of one window, drawn again only when it is due. `lines` and `is_recording_take` are called on the window's thread."""

    def __init__(
        self,
        store: ParameterStore,
        lines: Callable[[], Sequence[str]],
        is_recording_take: Callable[[], bool] = bool,
    ) -> None:
        self._store = store
        self._lines = lines
        self._is_recording_take = is_recording_take
        self._texts: tuple[str, ...] = ()
        self._lines_at_s = self._drawn_at_s = -1e9
        self._height = 0
        self._pixels_HWC: NDArray[np.uint8] | None = None

    def panel(self, frame: Frame, window_height: int, now_s: float) -> Panel | None:
        """Return the panel for a window of that height, or None while the overlay is off."""
        values: Mapping[str, object] = {**self._store.values(), **frame.values}
        if not values.get("overlay"):
            self._pixels_HWC = None
            return None
        if now_s - self._lines_at_s >= LINES_EVERY_S:
            self._texts, self._lines_at_s = tuple(self._lines()), now_s
        margin = _unit(window_height)
        due = now_s - self._drawn_at_s >= METERS_EVERY_S
        if self._pixels_HWC is None or due or self._height != window_height:
            states = {**values, _RECORDING_TAKE: self._is_recording_take()}
            badges = tuple((text, colour) for name, shown_at, text, colour in _BADGES if states.get(name) is shown_at)
            shown = ShowValues(frame.values)
            gains_db = shown.low_gain_db, shown.mid_gain_db, shown.high_gain_db
            content = Content(self._texts, frame.audio_features, badges, gains_db)
            self._pixels_HWC = draw_panel(content, _unit(window_height))
            self._drawn_at_s, self._height = now_s, window_height
            return Panel(self._pixels_HWC, margin, margin, True)
        return Panel(self._pixels_HWC, margin, margin, False)


def lay_over(window_HWC: NDArray[np.uint8], panel: Panel) -> None:
    """Draw a panel over the window's pixels, in place; parts that do not fit are cut off."""
    part_HWC = window_HWC[panel.top :, panel.left :][: panel.pixels_HWC.shape[0], : panel.pixels_HWC.shape[1]]
    pixels_HWC = panel.pixels_HWC[: part_HWC.shape[0], : part_HWC.shape[1]].astype(np.uint16)
    through_HW1 = 255 - pixels_HWC[..., 3:]
    part_HWC[:] = np.minimum(pixels_HWC[..., :3] + (part_HWC * through_HW1 + 127) // 255, 255)


def draw_panel(content: Content, unit: int) -> NDArray[np.uint8]:
    """Return the panel [H, W, RGBA] with text `unit` pixels high."""
    import cv2

    pen = _Pen(unit)
    names = [line.partition("\t")[0] for line in content.lines if "\t" in line]
    inputs = [_input_name(name) for name in content.audio_features.inputs]
    column = max(map(pen.width_of, [*names, *inputs, "tempo"])) + unit
    widest = max([10 * unit, *(pen.width_of(line.partition("\t")[2]) for line in content.lines)])
    alone = max([0, *(pen.width_of(line) for line in content.lines if "\t" not in line)])
    width = 2 * unit + max(column + widest, alone)
    rows = _METER_ROWS + len(content.audio_features.inputs) + len(content.lines) + bool(content.badges)
    height = rows * pen.row + 2 * unit - (pen.row - unit) // 2
    canvas_HWC = np.full((height, width, 3), _BACKGROUND, np.uint8)
    pen.begin(canvas_HWC, unit, unit)
    _meters(pen, content, unit + column, width - unit)
    for line in content.lines:
        name, tab, value = line.partition("\t")
        pen.text(name, unit, _DIM if tab else _AMBER)
        pen.text(value, unit + column, _BRIGHT)
        pen.next_row()
    left = unit
    for text, colour in content.badges:
        left = _badge(pen, text, colour, left)
    red_HW, green_HW, blue_HW = cv2.split(canvas_HWC)
    # Text is opaque, the background lets the frame through.
    opacity_HW = cv2.LUT(cv2.max(cv2.max(red_HW, green_HW), blue_HW), _OPACITY)
    opacity_HW = cv2.multiply(opacity_HW, _rounded(height, width, unit // 2), scale=1 / 255)
    colours = [cv2.multiply(channel_HW, opacity_HW, scale=1 / 255) for channel_HW in (red_HW, green_HW, blue_HW)]
    return np.asarray(cv2.merge([*colours, opacity_HW]), np.uint8)


def _meters(pen: _Pen, content: Content, left: int, right: int) -> None:
    """Draw rows with the level and the newest onset, the bands as they are heard, the named inputs, the tempo and the beat."""
    audio_features = content.audio_features
    _level(pen, "level", audio_features, left, right)
    heard = audio_features.low_rms, audio_features.mid_rms, audio_features.high_rms
    end = right - pen.width_of("+00.0 dB") - pen.unit // 2
    for name, rms, gain_db in zip(("low", "mid", "high"), heard, content.gains_db, strict=True):
        pen.text(name, pen.unit, _DIM)
        level_db = 20.0 * math.log10(max(rms, 1e-9))
        pen.bar(left, end, 1.0, _EMPTY)
        pen.bar(left, end, 1.0 - level_db / QUIETEST_DB, _GREEN if level_db < LOUD_DB else _AMBER)
        gain = f"{gain_db:+.1f} dB" if gain_db else "0 dB"
        pen.text(gain, right - pen.width_of(gain), _BRIGHT if gain_db else _DIM)
        pen.next_row()
    for name, one in audio_features.inputs.items():
        _level(pen, _input_name(name), one, left, right)
    pen.text("tempo", pen.unit, _DIM)
    if audio_features.tempo_bpm > 0:
        pen.text(f"{audio_features.tempo_bpm:.1f}", left, _BRIGHT if audio_features.certainty > 0.5 else _DIM)
        now = int(audio_features.beats) % audio_features.beats_a_bar
        for beat in range(audio_features.beats_a_bar):
            lit = 1.0 - 0.6 * audio_features.beat_phase if beat == now else 0.0
            colour = _mix(_EMPTY, _RED if beat == 0 else _BRIGHT, lit)
            pen.dot(right - pen.unit // 2 - (audio_features.beats_a_bar - 1 - beat) * pen.unit * 5 // 4, colour)
    else:
        pen.text("none yet", left, _DIM)
    pen.next_row()


def _level(pen: _Pen, name: str, audio_features: AudioFeatures, left: int, right: int) -> None:
    pen.text(name, pen.unit, _DIM)
    end = right - 2 * pen.unit
    pen.bar(left, end, 1.0, _EMPTY)
    pen.bar(left, end, audio_features.level, _GREEN if audio_features.level < 0.85 else _AMBER)
    fresh = max(0.0, 1.0 - audio_features.onset_age_s / _ONSET_SHOWN_S)
    pen.dot(right - pen.unit // 2, _mix(_EMPTY, _BRIGHT, fresh * (0.4 + 0.6 * audio_features.onset_strength)))
    pen.next_row()


def _input_name(name: str) -> str:
    """Return the name of an input, short enough for the panel."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _badge(pen: _Pen, text: str, colour: tuple[int, int, int], left: int) -> int:
    """Draw a badge and return where the next one begins."""
    pen.dot(left + pen.unit // 2, colour)
    pen.text(text, left + pen.unit * 5 // 4, colour)
    return left + pen.unit * 5 // 4 + pen.width_of(text) + pen.unit


class _Pen:
    """Draws row by row; `unit` is the height of the text in pixels."""

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.row = unit * 3 // 2
        self._canvas_HWC: Any = None
        self._top = 0

    def begin(self, canvas_HWC: NDArray[np.uint8], left: int, top: int) -> None:
        self._canvas_HWC, self._top = canvas_HWC, top

    def next_row(self) -> None:
        self._top += self.row

    def width_of(self, text: str) -> int:
        return _text_width(text, self.unit)

    def text(self, text: str, left: int, colour: tuple[int, int, int]) -> None:
        import cv2

        at = (left, self._top + self.unit * 7 // 8)
        if hasattr(cv2, "FontFace"):
            cv2.putText(self._canvas_HWC, text, at, colour, _face(), self.unit, 450)
        else:
            cv2.putText(self._canvas_HWC, text, at, cv2.FONT_HERSHEY_SIMPLEX, self.unit / 30, colour, 1, cv2.LINE_AA)

    def bar(self, left: int, right: int, filled: float, colour: tuple[int, int, int]) -> None:
        thick = max(2, self.unit * 3 // 8)
        top = self._top + self.unit // 2 - thick // 2
        end = left + round((right - left) * min(max(filled, 0.0), 1.0))
        self._canvas_HWC[top : top + thick, left:end] = colour

    def dot(self, centre: int, colour: tuple[int, int, int]) -> None:
        import cv2

        # Sixteenths of a pixel, so that small dots are round.
        at = (centre * 16, (self._top + self.unit // 2) * 16)
        cv2.circle(self._canvas_HWC, at, round(self.unit * 0.32 * 16), colour, -1, cv2.LINE_AA, 4)


def _unit(window_height: int) -> int:
    """Return the height of the text: readable from a step away, and a small part of the frame."""
    return min(max(round(window_height * 0.021), 14), 48)


def _mix(one: tuple[int, int, int], other: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@cache
def _face() -> Any:
    import cv2

    return cv2.FontFace("sans")


# Panels are as wide as their figures, so a week brings many sizes.
@lru_cache(maxsize=8)
def _rounded(height: int, width: int, radius: int) -> NDArray[np.uint8]:
    """Return the opacity of a rectangle with round corners, 0 to 255."""
    across_HW = np.maximum(np.abs(np.arange(width) - (width - 1) / 2) - ((width - 1) / 2 - radius), 0)[None]
    down_HW = np.maximum(np.abs(np.arange(height) - (height - 1) / 2) - ((height - 1) / 2 - radius), 0)[:, None]
    return np.rint(255 * np.clip(radius + 0.5 - np.hypot(across_HW, down_HW), 0.0, 1.0)).astype(np.uint8)


def _text_width(text: str, unit: int) -> int:
    import cv2

    if hasattr(cv2, "FontFace"):
        return int(cv2.getTextSize((1, 1), text, (0, 0), _face(), unit, 450)[2])
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, unit / 30, 1)[0][0])
