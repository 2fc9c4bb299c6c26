"""The head of a stored texture, read before anything is decoded: a few bytes can stand for gigabytes of pixels."""

from __future__ import annotations

import struct
from typing import NamedTuple

PNG, JPEG = "png", "jpg"

_PNG_HEAD = struct.Struct(">8s4x4sIIBBBBB")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BITS = (8, 2, 0, 0, 0)
"""Bit depth, colour type, compression, filter, interlacing."""
_JPEG_SIGNATURE, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_BASELINE = 0xC0
_BEFORE_THE_FRAME = (*range(0xE0, 0xF0), 0xFE, 0xDB, 0xC4, 0xDD)
"""Markers that may come first: APPn, COM, DQT, DHT, DRI. Past any other one (FF fills, 00 is stuffing) a decoder may walk in another
way than this, and come to a larger frame."""
_LENGTH_BYTES = 2
"""Of a segment's length, which counts itself."""
_SEGMENT = struct.Struct(">BBH")
_FRAME = struct.Struct(">BHHB")
_MOST_SEGMENTS = 64


class TextureHead(NamedTuple):
    """What the first bytes of a stored texture say."""

    kind: str
    """PNG or JPEG; also the end of a file's name."""
    height: int
    width: int


def texture_head(stored: bytes) -> TextureHead | None:
    """Return the head of a PNG of 8-bit RGB without interlacing or of a baseline JPEG of three colours; None for all else."""
    if stored.startswith(_PNG_SIGNATURE) and len(stored) >= _PNG_HEAD.size:
        _, kind, width, height, *form = _PNG_HEAD.unpack_from(stored)
        return TextureHead(PNG, height, width) if (kind, *form) == (b"IHDR", *_RGB_8_BITS) else None
    return _jpeg_head(stored) if stored.startswith(_JPEG_SIGNATURE) else None


def _jpeg_head(stored: bytes) -> TextureHead | None:
    """Find the frame header (ITU-T T.81, B.2.2), which tables and notes alone may precede. A file without its end was cut."""
    if not stored.endswith(_JPEG_END):
        return None
    at = len(_JPEG_SIGNATURE)
    for _ in range(_MOST_SEGMENTS):
        if at + _SEGMENT.size + _FRAME.size > len(stored):
            return None
        mark, marker, length = _SEGMENT.unpack_from(stored, at)
        if mark != 0xFF:
            return None
        if marker == _BASELINE:
            bits, height, width, colours = _FRAME.unpack_from(stored, at + _SEGMENT.size)
            return TextureHead(JPEG, height, width) if (bits, colours) == (8, 3) else None
        if marker not in _BEFORE_THE_FRAME or length < _LENGTH_BYTES:
            return None
        at += 2 + length
    return None
