"""Keeps the process alive when the X server that glfw is connected to ends.

Xlib ends the process when the connection breaks, and at errors like "there is no such window". Since version 1.7 (2020) a
program can prevent that, but both handlers have to be replaced: the general one ends the process by itself in some versions.
Afterwards every call on the connection fails quietly, and glfw can be terminated and initialised again on another server.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any


class _XErrorEvent(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("resourceid", ctypes.c_ulong),
        ("serial", ctypes.c_ulong),
        ("error_code", ctypes.c_ubyte),
        ("request_code", ctypes.c_ubyte),
        ("minor_code", ctypes.c_ubyte),
    )


_ON_ERROR = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_XErrorEvent))
_ON_BREAK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_ON_EXIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)

_broken: set[int] = set()
"""Connections that broke."""
_lost_resources: set[int] = set()
"""Windows and drawables that a call named and that no longer exist."""
_BAD_WINDOW, _BAD_DRAWABLE, _FIRST_OF_EXTENSIONS = 3, 9, 128


@_ON_ERROR
def _on_error(display: int, event: Any) -> int:
    code = int(event.contents.error_code)
    # Other errors, such as a refused focus, may name a window that exists; GLX has codes of its own for one that is gone.
    if code in (_BAD_WINDOW, _BAD_DRAWABLE) or code >= _FIRST_OF_EXTENSIONS:
        _lost_resources.add(int(event.contents.resourceid))
    return 0


@_ON_BREAK
def _on_break(display: int) -> int:
    _broken.add(int(display))
    return 0


@_ON_EXIT
def _on_exit(display: int, data: int) -> None:
    return


class XConnection:
    """Watches glfw's connection for one window. Without X it does nothing."""

    def __init__(self, glfw: Any, window: Any) -> None:
        self._display = 0
        self._resources: set[int] = set()
        if not sys.platform.startswith("linux") or glfw.get_platform() != glfw.PLATFORM_X11:
            return
        self._display = int(glfw.get_x11_display() or 0)
        self._resources = {int(glfw.get_x11_window(window)), int(glfw.get_glx_window(window))}
        # Addresses and ids of what is gone are used again.
        _broken.discard(self._display)
        _lost_resources.clear()
        _replace_handlers(self._display)

    @property
    def is_broken(self) -> bool:
        """Whether the server is gone."""
        return self._display in _broken

    @property
    def is_lost(self) -> bool:
        """Whether the server is gone, or somebody else destroyed the window."""
        return self.is_broken or not self._resources.isdisjoint(_lost_resources)


def _replace_handlers(display: int) -> None:
    try:
        library = ctypes.CDLL("libX11.so.6")
        set_exit = library.XSetIOErrorExitHandler
    except (OSError, AttributeError):
        # Older than 1.7: the process ends with its server.
        return
    set_exit.argtypes = [ctypes.c_void_p, _ON_EXIT, ctypes.c_void_p]
    set_exit.restype = None
    set_exit(display, _on_exit, None)
    library.XSetIOErrorHandler.argtypes = [_ON_BREAK]
    library.XSetIOErrorHandler(_on_break)
    library.XSetErrorHandler.argtypes = [_ON_ERROR]
    library.XSetErrorHandler(_on_error)
