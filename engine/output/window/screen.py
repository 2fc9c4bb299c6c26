"""Whether there is a screen to open a window on. Qt ends the whole process where there is none, so this is asked first."""

from __future__ import annotations

import ctypes
import sys

NO_SCREEN = "No window can be opened: no screen answers (DISPLAY). Write a file with --out show.mp4."

_kept: list[int] = []
"""The connection that keeps the server from beginning anew."""


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
    # A server whose last client leaves begins anew, and lets nobody in meanwhile: the newest connection is kept.
    _kept.append(connection)
    if answers:
        while len(_kept) > 1:
            xcb.xcb_disconnect(_kept.pop(0))
    else:
        xcb.xcb_disconnect(_kept.pop())
    return answers
