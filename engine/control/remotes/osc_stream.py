"""Cuts a stream of OSC over TCP into datagrams: SLIP as OSC 1.1 has it, or the length before each datagram as OSC 1.0 has it.

The first byte tells which: a length below 16 MiB begins with 0, SLIP with its END or with a message. http://opensoundcontrol.org/spec-1_1
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.core.errors import ConfigError

LARGEST_FRAME_BYTES = 65536
"""As large as a datagram of UDP."""
_END, _ESC = b"\xc0", b"\xdb"
_ESCAPED = {_END: b"\xdb\xdc", _ESC: b"\xdb\xdd"}
_UNESCAPED = {escaped: plain for plain, escaped in _ESCAPED.items()}
_HEAD_BYTES = 4
_SLIP_BEGINS = (_END, b"/", b"#")
_TOO_LARGE = f"A message over TCP has more than {LARGEST_FRAME_BYTES} bytes; the connection is closed."
_NO_STREAM = "This is no OSC over TCP; send SLIP (OSC 1.1) or each message with its length before it (OSC 1.0). The connection is closed."


class FrameReader:
    """Takes the bytes of one connection as they come."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._searched = 0
        """How much of it holds no END."""
        self._is_slip: bool | None = None

    def read(self, content: bytes) -> Iterator[bytes]:
        """Yield the datagrams that are whole now. Raises ConfigError for what is no such stream, and for a datagram that is too large."""
        self._waiting += content
        if self._is_slip is None and self._waiting:
            first = bytes(self._waiting[:1])
            if first != b"\0" and first not in _SLIP_BEGINS:
                raise ConfigError(_NO_STREAM)
            self._is_slip = first != b"\0"
        yield from self._slip() if self._is_slip else self._counted()

    def frame(self, datagram: bytes) -> bytes:
        """Return a datagram as the other side sends its own."""
        if self._is_slip is False:
            return len(datagram).to_bytes(_HEAD_BYTES, "big") + datagram
        return _END + re.sub(b"[\xc0\xdb]", lambda found: _ESCAPED[found[0]], datagram) + _END

    def _slip(self) -> Iterator[bytes]:
        begun = 0
        while (end := self._waiting.find(_END, max(begun, self._searched))) >= 0:
            frame, begun = bytes(self._waiting[begun:end]), end + 1
            # Each frame may begin with an END too.
            if frame:
                yield re.sub(b"\xdb[\xdc\xdd]", lambda found: _UNESCAPED[found[0]], frame)
        del self._waiting[:begun]
        self._searched = len(self._waiting)
        if self._searched > 2 * LARGEST_FRAME_BYTES:
            raise ConfigError(_TOO_LARGE)

    def _counted(self) -> Iterator[bytes]:
        begun = 0
        while len(self._waiting) - begun >= _HEAD_BYTES:
            length = int.from_bytes(self._waiting[begun : begun + _HEAD_BYTES], "big")
            if length > LARGEST_FRAME_BYTES:
                raise ConfigError(_TOO_LARGE)
            end = begun + _HEAD_BYTES + length
            if end > len(self._waiting):
                break
            yield bytes(self._waiting[begun + _HEAD_BYTES : end])
            begun = end
        del self._waiting[:begun]
