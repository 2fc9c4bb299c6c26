"""Whether there is a screen to open a window on. Qt ends the whole process where there is none, so this is asked first."""

from __future__ import annotations

import ctypes
import sys


def has_screen() -> bool:
    """Tell whether a window can be opened: on Linux, whether the X server that DISPLAY names lets us in."""
    return not sys.platform.startswith("linux") or _x_server_answers()


def _x_server_answers() -> bool:
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        # Qt needs the same library.
        return False
    xcb.xcb_connect.restype = ctypes.c_void_p
    for function in (xcb.xcb_connection_has_error, xcb.xcb_disconnect):
        function.argtypes = [ctypes.c_void_p]
    # Without a name it takes DISPLAY, and the access rights from the user's Xauthority.
    connection = xcb.xcb_connect(None, None)
    answers = not xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return answers
