"""An open source of the sound server, by its own library: every channel as it is, in small blocks."""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from collections.abc import Sequence

import numpy as np

from engine.audio.sources.capture_backend import CaptureError, Receive, StreamFormat

# T samples, C channels

MOST_CHANNELS = 32
"""The server's own limit."""
_RECORD = 2
_FLOAT32 = 5 if sys.byteorder == "little" else 6
_LET_THE_SERVER_CHOOSE = 0xFFFFFFFF
_CLOSE_WITHIN_S = 1.0


class _SampleFormat(ctypes.Structure):
    _fields_ = [("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8)]


class _ChannelMap(ctypes.Structure):
    _fields_ = [("channels", ctypes.c_uint8), ("map", ctypes.c_int * MOST_CHANNELS)]


class _Buffers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")]


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libpulse-simple.so.0")
    text, pointer, error = ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    library.pa_simple_new.restype = pointer
    library.pa_simple_new.argtypes = [
        text, text, ctypes.c_int, text, text, ctypes.POINTER(_SampleFormat), ctypes.POINTER(_ChannelMap),
        ctypes.POINTER(_Buffers), error,
    ]  # fmt: skip
    library.pa_simple_read.argtypes = [pointer, pointer, ctypes.c_size_t, error]
    library.pa_simple_get_latency.restype = ctypes.c_uint64
    library.pa_simple_get_latency.argtypes = [pointer, error]
    library.pa_simple_free.argtypes = [pointer]
    library.pa_strerror.restype = text
    library.pa_strerror.argtypes = [ctypes.c_int]
    return library


def can_read_server() -> bool:
    """Return whether the server's library is installed."""
    try:
        _library()
    except OSError:
        return False
    return True


class ServerStream:
    """Reads one source in a thread of its own, which takes the place of a driver's callback."""

    def __init__(self, source: str, channel_map: Sequence[int], asked: StreamFormat, receive: Receive) -> None:
        """Open and start. Raises CaptureError."""
        channels = len(channel_map)
        # The server sends a block as soon as it has one.
        self.latency_s = asked.block_samples / asked.rate_hz
        self._block_TC = np.zeros((asked.block_samples, channels), np.float32)
        self._receive = receive
        self._ended = threading.Event()
        try:
            self._library = _library()
        except OSError as error:
            raise CaptureError("libpulse-simple is missing; Debian, Ubuntu: apt install libpulse0") from error
        error = ctypes.c_int()
        self._handle = self._library.pa_simple_new(
            None,
            b"fluid",
            _RECORD,
            source.encode(),
            b"fluid",
            ctypes.byref(_SampleFormat(_FLOAT32, asked.rate_hz, channels)),
            ctypes.byref(_ChannelMap(channels, (ctypes.c_int * MOST_CHANNELS)(*channel_map))),
            ctypes.byref(_Buffers(*[_LET_THE_SERVER_CHOOSE] * 4, self._block_TC.nbytes)),
            ctypes.byref(error),
        )
        if not self._handle:
            raise CaptureError(self._library.pa_strerror(error).decode(errors="replace"))
        self._thread = threading.Thread(target=self._run, name="sound server", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        return not self._ended.is_set()

    def end(self) -> None:
        """Let the stream end with its next block."""
        self._ended.set()

    def close(self) -> None:
        """End the stream. A server that hangs keeps its thread, which waits for a block and then ends."""
        self.end()
        self._thread.join(_CLOSE_WITHIN_S)

    def _run(self) -> None:
        library, handle, block_TC = self._library, self._handle, self._block_TC
        error = ctypes.c_int()
        address, size, failure = block_TC.ctypes.data, block_TC.nbytes, ctypes.byref(error)
        while not self._ended.is_set() and library.pa_simple_read(handle, address, size, failure) == 0:
            age_s = 1e-6 * library.pa_simple_get_latency(handle, failure)
            self._receive(block_TC, age_s, False)
        self._ended.set()
        library.pa_simple_free(handle)
