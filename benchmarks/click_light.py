"""When the screen turns bright: one pixel of an X server, read about once a millisecond.

The times are those of `time.perf_counter`, taken when the server has answered.
"""

from __future__ import annotations

import ctypes
import threading

import numpy as np
from numpy.typing import NDArray

from engine.core.clock import WallClock
from engine.core.errors import SinkError

READ_EVERY_S = 0.0005
_ALL_PLANES = 0xFFFFFFFF
_Z_PIXMAP = 2


class _Image(ctypes.Structure):
    """The beginning of Xlib's XImage."""

    _fields_ = [(name, ctypes.c_int) for name in ("width", "height", "xoffset", "format")] + [
        ("data", ctypes.POINTER(ctypes.c_ubyte))
    ]


class Screen:
    """The contents of a 24-bit X server. A connection belongs to one thread at a time."""

    def __init__(self, display: str) -> None:
        """Connect. Raises SinkError when the screen does not answer."""
        self._x11 = ctypes.CDLL("libX11.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
        self._x11.XDefaultRootWindow.restype = ctypes.c_ulong
        self._x11.XDefaultRootWindow.argtypes = [ctypes.c_void_p]
        self._x11.XGetImage.restype = ctypes.POINTER(_Image)
        self._x11.XGetImage.argtypes = [
            ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_ulong, ctypes.c_int,
        ]  # fmt: skip
        self._x11.XDestroyImage.argtypes = [ctypes.POINTER(_Image)]
        self._display = self._x11.XOpenDisplay(display.encode())
        if not self._display:
            raise SinkError(f"The screen {display} does not answer.")
        self._root = self._x11.XDefaultRootWindow(self._display)

    def grab(self, x: int, y: int, side: int) -> NDArray[np.uint8]:
        """Return a square of the screen as RGB [side, side, 3]."""
        return self.grab_area(x, y, side, side)

    def grab_area(self, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return a part of the screen as RGB [height, width, 3]."""
        image = self._x11.XGetImage(self._display, self._root, x, y, width, height, _ALL_PLANES, _Z_PIXMAP)
        assert image, "the part lies outside the screen"
        # 32 bits a pixel: blue, green, red, unused.
        levels = np.ctypeslib.as_array(image.contents.data, (height, width, 4))[:, :, 2::-1].copy()
        self._x11.XDestroyImage(image)
        return levels

    def close(self) -> None:
        self._x11.XCloseDisplay(self._display)


class Light:
    """Reads the pixel at (`x`, `y`) of a screen until `close`."""

    def __init__(self, screen: Screen, x: int, y: int, bright: int) -> None:
        """`bright` is the least level of a lit pixel, of 255."""
        self._screen, self._x, self._y, self._bright = screen, x, y, bright
        self._clock = WallClock()
        self.rises_s: list[float] = []
        """Times at which the pixel turned bright."""
        self.samples = 0
        self.longest_gap_s = 0.0
        """Longest time between the two readings of a rise: its largest error."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="light", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(2.0)

    def _is_lit(self) -> bool:
        return int(self._screen.grab(self._x, self._y, 1).max()) >= self._bright

    def _watch(self) -> None:
        was_lit, last_s = True, self._clock.now_s()
        while not self._ended.is_set():
            lit = self._is_lit()
            now_s = self._clock.now_s()
            if lit and not was_lit:
                self.rises_s.append(now_s)
                self.longest_gap_s = max(self.longest_gap_s, now_s - last_s)
            was_lit, last_s, self.samples = lit, now_s, self.samples + 1
            self._clock.sleep(READ_EVERY_S)


class BandLight(Light):
    """Reads a narrow band across a screen, whatever is drawn there: lit is a mean level well above the one between clicks."""

    HEIGHT = 8
    RISE = 6.0
    """A level so much above the dark one is lit, of 255."""
    SMOOTHING = 0.02

    def __init__(self, screen: Screen, left: int, top: int, width: int) -> None:
        self._width = width
        self._dark: float | None = None
        super().__init__(screen, left, top, 0)

    def _is_lit(self) -> bool:
        level = float(self._screen.grab_area(self._x, self._y, self._width, self.HEIGHT).mean())
        if self._dark is None:
            self._dark = level
        # Falls at once and rises slowly, so that it is the level between clicks.
        self._dark = min(level, self._dark + self.SMOOTHING * (level - self._dark))
        return level > self._dark + self.RISE
