"""Checks for a screen before a window is opened: without one, Qt would end the whole process."""

from __future__ import annotations

import ctypes
import sys

NO_SCREEN = "No window can be opened: no screen answers (DISPLAY). Write a file with --out show.mp4."

_open_connections: list[int] = []
"""Keeps one connection open, so that the X server does not reset."""


def has_screen() -> bool:
    """Tell whether a window can be opened: on Linux, whether the X server that DISPLAY names answers."""
    return not sys.platform.startswith("linux") or _x_server_answers()


def _x_server_answers() -> bool:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        # Without it Qt cannot open a window either.
        return False
    xcb.xcb_connect.restype = ctypes.c_void_p
    for function in (xcb.xcb_connection_has_error, xcb.xcb_disconnect):
        function.argtypes = [ctypes.c_void_p]
    # Without a name it takes DISPLAY, and the access rights from Xauthority.
    connection = xcb.xcb_connect(None, None)
    answers = not xcb.xcb_connection_has_error(connection)
    # A server resets when its last client leaves, and refuses others meanwhile: the newest connection stays open.
    _open_connections.append(connection)
    if answers:
        while len(_open_connections) > 1:
            xcb.xcb_disconnect(_open_connections.pop(0))
    else:
        xcb.xcb_disconnect(_open_connections.pop())
    return answers
