"""Reading protocol buffers (https://protobuf.dev/programming-guides/encoding) without a library, as far as a model file needs it.

Files of strangers are read with it before a runtime sees them, so every length is checked and nothing recurses by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


class Field(NamedTuple):
    """One field of a message in a file: offsets of its tag, of its value and of what follows."""

    number: int
    wire: int
    start: int
    value: int
    end: int


def fields_of_stream(stream: BinaryIO, end: int) -> Iterator[Field]:
    """Yield the fields from where the stream stands up to `end`; it may be moved between them. Raises EOFError."""
    start = stream.tell()
    while start < end:
        stream.seek(start)
        head = stream.read(2 * _LONGEST_VARINT)[: end - start]
        number, wire, value, after = _field(head, 0, end - start)
        yield Field(number, wire, start, start + value, start + after)
        start += after


def fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type and the offsets of the value and of what follows, for each field. Raises EOFError."""
    while start < end:
        number, wire, value, after = _field(data, start, end)
        yield number, wire, value, after
        start = after


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at an offset and the offset behind it. Raises EOFError."""
    value = 0
    for shift in range(0, 7 * _LONGEST_VARINT, 7):
        if at >= len(data):
            raise EOFError
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise EOFError


def varint(value: int) -> bytes:
    """Return a number as it is written."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a field that holds text, bytes or a message, as it is written."""
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def _field(data: bytes, start: int, end: int) -> tuple[int, int, int, int]:
    tag, value = read_varint(data, start)
    number, wire = tag >> 3, tag & 7
    if wire == BYTES:
        length, value = read_varint(data, value)
        after = value + length
    elif wire == VARINT:
        after = read_varint(data, value)[1]
    elif wire in (FIXED32, FIXED64):
        after = value + (4 if wire == FIXED32 else 8)
    else:
        raise EOFError
    if after > end or number == 0:
        raise EOFError
    return number, wire, value, after
