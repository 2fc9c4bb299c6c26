"""Whether the JACK server runs, and the end of this process with it: the MIDI library goes on listing the ports of a server that has ended."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from typing import Any

CLIENT_NAME = b"fluid-watch"
_NO_START_SERVER = 1
"""JACK's option: a server that does not run is not started."""
_Shutdown = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class JackServer:
    """A client of the server that waits for its end."""

    def __init__(self) -> None:
        """Raises RuntimeError where there is no server."""
        name = ctypes.util.find_library("jack")
        if name is None:
            raise RuntimeError("libjack is not installed")
        library: Any = ctypes.CDLL(name)
        library.jack_client_open.restype = ctypes.c_void_p
        client = library.jack_client_open(CLIENT_NAME, _NO_START_SERVER, None)
        if not client:
            raise RuntimeError("the JACK server does not run")
        # Kept, since JACK keeps no reference.
        self._end = _Shutdown(lambda _: os._exit(1))
        library.jack_on_shutdown(ctypes.c_void_p(client), self._end, None)
        library.jack_activate(ctypes.c_void_p(client))
