"""OpenCV's window, for machines without OpenGL."""

# OpenCV's types do not tell arrays apart.
# pyright: basic

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import ShowValues
from engine.core.clock import Clock, WallClock
from engine.core.errors import SinkError
from engine.core.fit import crop_to_shape
from engine.output.frame import Frame, ShowFormat
from engine.output.sharpening import fit_sharpened
from engine.output.sink import FrameRate
from engine.output.window.keys import ESCAPE, SPACE, Keys
from engine.output.window.overlay import Overlay, lay_over
from engine.output.window.screen import NO_SCREEN, has_screen
from engine.output.window.window_config import FILL, WindowConfig, initial_size

# H W C rows, columns, channels of pixels

NO_KEY = -1
_SPECIAL = {27: ESCAPE, ord(" "): SPACE}
_SHIFTED_DIGITS = "!@#$%^&*("
"""What Shift with 1 to 9 types on a US keyboard; OpenCV reports characters, not keys."""


class OpenCvWindow:
    """A window sink: everything here belongs to the main thread."""

    name = "window"
    rate: FrameRate = "display"
    with_effects = True
    standby = False
    refresh_hz: float | None = None
    """OpenCV does not say which monitor a window is on."""
    lost_frames = 0
    is_drawn_by_processor = True
    may_be_eased = True

    def __init__(self, store: ParameterStore, config: WindowConfig, *, clock: Clock | None = None) -> None:
        """The config's monitor and upscaler are not for this window: OpenCV has neither."""
        self._title = config.title
        self._is_fullscreen = config.fullscreen
        self._overlay = Overlay(store, config.overlay_lines, config.is_recording_take)
        self._clock = clock or WallClock()
        self._cv2: Any = None
        self._quit = False
        self._size = (0, 0)
        self._keys = Keys(store, self._ask_to_quit, self._toggle_fullscreen)

    @property
    def shown_size(self) -> tuple[int, int] | None:
        """Width and height in pixels of the last frame drawn; None while there is no window."""
        return self._size if self._cv2 else None

    def open(self, show: ShowFormat) -> None:
        """Open the window. Raises SinkError without a screen, or with an OpenCV that has no windows."""
        if not has_screen():
            raise SinkError(NO_SCREEN)
        cv2 = _load_cv2()
        try:
            # `_draw` keeps the shape of frames, so Qt must not do it a second time.
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL | cv2.WINDOW_FREERATIO)
        except cv2.error as error:
            raise SinkError(
                "This OpenCV was built without windows; install opencv-python in place of opencv-python-headless."
            ) from error
        self._cv2 = cv2
        self._size = initial_size(show.width, show.height)
        cv2.resizeWindow(self._title, *self._size)
        if self._is_fullscreen:
            self._apply_fullscreen()
        self._draw(np.zeros((show.height, show.width, 3), np.uint8))
        cv2.pollKey()

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        """Draw the frame as large as the window lets it be."""
        # Drawing would open the window again that the user has just closed.
        if self.poll():
            self._draw(frame.pixels_HWC, frame)

    def _draw(self, pixels_HWC: NDArray[np.uint8], frame: Frame | None = None) -> None:
        """Draw RGB pixels, and over them the overlay about `frame`."""
        _, _, width, height = self._cv2.getWindowImageRect(self._title)
        if width > 0 and height > 0:
            self._size = (width, height)
        # Qt would scale it roughly and pad it white.
        fills = frame is not None and frame.values.get(FILL, False)
        sharpen = ShowValues(frame.values).sharpen if frame is not None else 0.0
        cropped_HWC = crop_to_shape(pixels_HWC, *self._size) if fills else pixels_HWC
        window_HWC = fit_sharpened(cropped_HWC, *self._size, sharpen)
        panel = self._overlay.panel(frame, self._size[1], self._clock.now_s()) if frame else None
        if panel:
            # The frame itself belongs to other sinks too.
            window_HWC = window_HWC.copy() if np.may_share_memory(window_HWC, pixels_HWC) else window_HWC
            lay_over(window_HWC, panel)
        self._cv2.imshow(self._title, self._cv2.cvtColor(window_HWC, self._cv2.COLOR_RGB2BGR))

    def poll(self) -> bool:
        if self._cv2 is None or self._quit:
            return False
        # pollKey returns -1 for no key, which `& 0xFF` would make a character.
        key = self._cv2.pollKey()
        if key != NO_KEY:
            self._press(key & 0xFF)
        return not self._quit and self._is_open()

    def close(self) -> None:
        cv2, self._cv2 = self._cv2, None
        if cv2 is None:
            return
        try:
            cv2.destroyWindow(self._title)
        except cv2.error:
            # The user has closed it already.
            return
        cv2.pollKey()

    def _press(self, code: int) -> None:
        digit = _SHIFTED_DIGITS.find(chr(code)) + 1
        self._keys.press(str(digit) if digit else _SPECIAL.get(code, chr(code)), shift=bool(digit))

    def _is_open(self) -> bool:
        try:
            return self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) >= 1
        except self._cv2.error:
            # Qt says so when the last window is gone.
            return False

    def _ask_to_quit(self) -> None:
        self._quit = True

    def _toggle_fullscreen(self) -> None:
        self._is_fullscreen = not self._is_fullscreen
        self._apply_fullscreen()

    def _apply_fullscreen(self) -> None:
        mode = self._cv2.WINDOW_FULLSCREEN if self._is_fullscreen else self._cv2.WINDOW_NORMAL
        self._cv2.setWindowProperty(self._title, self._cv2.WND_PROP_FULLSCREEN, mode)


def _load_cv2() -> Any:
    if sys.platform.startswith("linux"):
        # OpenCV's wheels come with this Qt platform only, and end the process when another is asked for.
        os.environ["QT_QPA_PLATFORM"] = "xcb"
        # They come without fonts, and warn about it many times.
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
    try:
        import cv2
    except ImportError as error:
        raise SinkError(
            f"OpenCV cannot be loaded ({error}), so no window can be opened; install it with pip install opencv-python "
            "(Debian, Ubuntu: also apt install libgl1 libglib2.0-0), or write a file with --out show.mp4."
        ) from error
    return cv2
