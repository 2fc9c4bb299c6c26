"""Reads OSC 1.0 datagrams from strangers: every length is checked before it is used, in a time and memory that have bounds.

http://opensoundcontrol.org/spec-1_0 : strings end with 1 to 4 zeros, so that they fill groups of four bytes; a bundle is
"#bundle", a time tag and elements, each a message or a bundle with its length before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from engine.core.errors import ConfigError
from engine.core.printable import printable_name

MOST_ELEMENTS, MOST_DEPTH, MOST_TAGS = 1000, 8, 64
IMMEDIATELY = 1
"""The time tag for "now"."""
NOT_OSC = "This datagram is not OSC; send messages like /fluid/gain_db with one number."
EMPTY = "An element of this bundle is empty; a message was expected."
_BUNDLE = b"#bundle\0"
_BUNDLE_HEAD_BYTES = 16
_NUMBERS = {"i": struct.Struct(">i"), "h": struct.Struct(">q"), "f": struct.Struct(">f"), "d": struct.Struct(">d")}
_OPAQUE_BYTES = {"c": 4, "r": 4, "m": 4, "t": 8}
"""Sizes of characters, colours, MIDI messages and time tags, which no parameter takes."""
_HEADS_REMEMBERED, _LONGEST_REMEMBERED_BYTES = 256, 128
_CONSTANTS = {"T": True, "F": False, "N": None, "I": None}
"""True, false, nil and impulse: the last two carry nothing, and give a trigger."""


class Message(NamedTuple):
    """One parsed message."""

    address: str
    values: list[Any]


class Element(NamedTuple):
    """A message of a datagram, not parsed yet, or the error for an invalid part."""

    content: bytes | ConfigError
    tag: int = IMMEDIATELY
    """When it is due: seconds since 1900, times 2**32. A bundle inside another is due no earlier than that one."""


def split(datagram: bytes) -> Iterable[Element]:
    """Return a datagram's messages and an error for each invalid part.

    After an invalid length nothing can be found up to the end of its bundle.
    """
    return _elements(datagram) if datagram.startswith(_BUNDLE) else (Element(datagram),)


def _elements(datagram: bytes) -> Iterator[Element]:
    if len(datagram) < _BUNDLE_HEAD_BYTES:
        yield Element(ConfigError(NOT_OSC))
        return
    # Position of the next element, end and time tag of its bundle, and the same of each bundle around it, the innermost last.
    next_at, end, tag = _BUNDLE_HEAD_BYTES, len(datagram), _tag(datagram, 0)
    around: list[tuple[int, int, int]] = []
    for _ in range(MOST_ELEMENTS):
        while next_at == end:
            if not around:
                return
            next_at, end, tag = around.pop()
        length = int.from_bytes(datagram[next_at : next_at + 4], "big", signed=True)
        at = next_at + 4
        if length < 0 or length % 4 or length > end - at:
            yield Element(
                ConfigError(
                    "An element of this bundle has a length that is negative, no multiple of four, or beyond the bundle's end; "
                    "what comes after it is lost."
                )
            )
            next_at = end
            continue
        next_at = at + length
        if not datagram.startswith(_BUNDLE, at, next_at):
            yield Element(datagram[at:next_at] if length else ConfigError(EMPTY), tag)
        elif length < _BUNDLE_HEAD_BYTES:
            yield Element(ConfigError(NOT_OSC))
        elif len(around) + 1 >= MOST_DEPTH:
            yield Element(ConfigError(f"This datagram has bundles nested more than {MOST_DEPTH} deep; nest them less."))
        else:
            around.append((next_at, end, tag))
            next_at, end, tag = at + _BUNDLE_HEAD_BYTES, next_at, max(tag, _tag(datagram, at))
    if any(at < bundle_end for at, bundle_end, _ in (*around, (next_at, end, tag))):
        yield Element(
            ConfigError(f"This datagram has more than {MOST_ELEMENTS} elements; send the others in another one.")
        )


def _tag(datagram: bytes, at: int) -> int:
    return int.from_bytes(datagram[at + len(_BUNDLE) : at + _BUNDLE_HEAD_BYTES], "big")


def raw_address(message: bytes) -> bytes:
    """Return the address of a message that was not parsed."""
    end = message.find(b"\0")
    return message if end < 0 else message[:end]


def parse(message: bytes) -> Message:
    """Parse one message. Raises ConfigError for a missing part and for extra bytes."""
    if not message.startswith(b"/") or len(message) % 4:
        raise ConfigError(NOT_OSC)
    # Where the values begin: after the address and, if there are any, the tags. Each ends with a zero and fills groups of four.
    at = (message.find(b"\0") + 4) & -4
    if at != len(message):
        at = (message.find(b"\0", at) + 4) & -4
    # Controllers send the same few heads all the time.
    to, tags = (_known_head if at <= _LONGEST_REMEMBERED_BYTES else _head)(message[:at])
    if len(tags) == 1 and tags in _NUMBERS and len(message) - at == _NUMBERS[tags].size:
        return Message(to, [*_NUMBERS[tags].unpack_from(message, at)])
    values, at = _values(to, tags, message, at)
    if at != len(message):
        raise ConfigError(
            f"{printable_name(to)} came with {len(message) - at} bytes that belong to no value; send one number."
        )
    return Message(to, values)


def _head(head: bytes) -> tuple[str, str]:
    """Return the address of a message and the tags of its values. Raises ConfigError."""
    to, at = _string(head, 0)
    if at == len(head):
        # Some senders leave out the tags when there is no value.
        return to, ""
    tags, _ = _string(head, at)
    if not tags.startswith(","):
        raise ConfigError(NOT_OSC)
    if len(tags) > MOST_TAGS:
        raise ConfigError(f"{printable_name(to)} came with more than {MOST_TAGS - 1} values; send one.")
    return to, tags[1:]


_known_head = lru_cache(_HEADS_REMEMBERED)(_head)


def _values(to: str, tags: str, message: bytes, at: int) -> tuple[list[Any], int]:
    open_arrays: list[list[Any]] = [[]]
    for tag in tags:
        if tag == "[":
            array: list[Any] = []
            open_arrays[-1].append(array)
            open_arrays.append(array)
        elif tag == "]":
            open_arrays.pop()
            if not open_arrays:
                raise ConfigError(
                    f"{printable_name(to)} came with an array that ends and did not begin; send one number."
                )
        else:
            value, at = _value(to, tag, message, at)
            open_arrays[-1].append(value)
    if len(open_arrays) != 1:
        raise ConfigError(f"{printable_name(to)} came with an array that does not end; send one number.")
    return open_arrays[0], at


def _value(to: str, tag: str, message: bytes, at: int) -> tuple[Any, int]:
    if tag in _NUMBERS:
        content, after = _bytes(message, at, _NUMBERS[tag].size)
        return _NUMBERS[tag].unpack(content)[0], after
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag in ("s", "S"):
        return _string(message, at)
    if tag == "b":
        head, at = _bytes(message, at, 4)
        return _bytes(message, at, int.from_bytes(head, "big", signed=True))
    if tag in _OPAQUE_BYTES:
        return _bytes(message, at, _OPAQUE_BYTES[tag])
    raise ConfigError(
        f"{printable_name(to)} came with a value of unknown OSC type '{printable_name(tag)}'; send a number."
    )


def _string(message: bytes, at: int) -> tuple[str, int]:
    """Return the string at position `at`, and the position after it."""
    content, after = _bytes(message, at, message.find(b"\0", at) - at, ends_with_zero=True)
    try:
        return content.decode(), after
    except UnicodeDecodeError as error:
        raise ConfigError(NOT_OSC) from error


def _bytes(message: bytes, at: int, length: int, ends_with_zero: bool = False) -> tuple[bytes, int]:
    """Return `length` bytes from position `at`, and the position after the zeros that fill their last group of four.

    Raises ConfigError where bytes are missing, and for a negative length.
    """
    end = at + length
    after = (end + (4 if ends_with_zero else 3)) // 4 * 4
    if length < 0 or after > len(message) or any(message[end:after]):
        raise ConfigError(NOT_OSC)
    return message[at:end], after
