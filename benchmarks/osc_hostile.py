"""Random OSC datagrams as nobody should send them: patterns, all types, mutated bytes, nested and cut bundles."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

HEAD = b"#bundle\0" + bytes(7) + b"\1"
_HEADS = (HEAD, HEAD, HEAD, b"#bundle\0" + bytes(8), b"#bundle\0" + 8 * b"\xff", b"#bundle\0\xd0" + bytes(7))
"""Now, and times that are long past or far ahead."""
_TAGS = "ifhdsSbcrmtTFNI[]z"
_LETTERS = "abcdefgh_*?[]{}!-,/\x1b\n é"
_NUMBERS = (0.0, -0.0, 1.0, 0.7, 127.0, -1.0, 0.5, 3.0, 1e300, float("inf"), float("nan"))
_WHOLE = (0, 1, 2, 3, 127, 128, -1, 2**31 - 1, -(2**31))
_SHARE_MUTATED = 0.2
_MOST_ELEMENTS = 12
_MOST_DEPTH = 3


def hostile(rolled: random.Random, names: Sequence[str], depth: int = 0) -> bytes:
    """Return one datagram for a show with parameters of these names."""
    kind = rolled.random()
    if kind < 0.04:
        datagram = rolled.randbytes(rolled.randrange(200))
    elif kind < 0.2 and depth < _MOST_DEPTH:
        datagram = rolled.choice(_HEADS) + b"".join(
            _element(rolled, names, depth) for _ in range(rolled.randrange(_MOST_ELEMENTS))
        )
    else:
        datagram = _message(rolled, _address(rolled, names))
    return _mutated(rolled, datagram) if rolled.random() < _SHARE_MUTATED else datagram


def _element(rolled: random.Random, names: Sequence[str], depth: int) -> bytes:
    element = hostile(rolled, names, depth + 1)
    length = rolled.choice((-4, 0, len(element) + 4, 2**31 - 1)) if rolled.random() < 0.05 else len(element)
    return struct.pack(">i", length) + element


def _address(rolled: random.Random, names: Sequence[str]) -> str:
    name, kind = rolled.choice(names), rolled.random()
    if kind < 0.5:
        return "/fluid/" + name
    if kind < 0.75:
        return rolled.choice(("/fluid/", "/fluid/", "/*/", "/[a-z]*/")) + _pattern(rolled, name, names)
    if kind < 0.85:
        return "/fluid/" + "".join(rolled.choices(_LETTERS, k=rolled.randrange(1, 120)))
    return "/" + "".join(rolled.choices(_LETTERS, k=rolled.randrange(1, 20)))


def _pattern(rolled: random.Random, name: str, names: Sequence[str]) -> str:
    at, length = rolled.randrange(len(name)), rolled.randrange(3)
    inside = rolled.choice(
        ("*", "?" * length, "[a-z]", "[!x]", "**", f"{{{name[at : at + length]},{rolled.choice(names)}}}")
    )
    return name[:at] + inside + name[at + length :]


def _message(rolled: random.Random, to: str) -> bytes:
    tags, content = "", b""
    for _ in range(rolled.choice((0, 1, 1, 1, 1, 1, 2, 5))):
        tag = rolled.choice(_TAGS if rolled.random() < 0.5 else "if")
        tags += tag
        content += _value(rolled, tag)
    return _text(to) + _text("," + tags) + content


def _value(rolled: random.Random, tag: str) -> bytes:
    if tag in "ih":
        return struct.pack(">i" if tag == "i" else ">q", rolled.choice(_WHOLE))
    if tag in "fd":
        number = rolled.choice((*_NUMBERS, rolled.uniform(-2.0, 5.0)))
        return struct.pack(">d", number) if tag == "d" else struct.pack(">f", max(min(number, 3e38), -3e38))
    if tag in "sS":
        return _text(rolled.choice(("0.5", "1", "on", "loud", "\x1b[2J", "", "9" * 5000)))
    if tag == "b":
        blob = rolled.randbytes(rolled.randrange(40))
        return struct.pack(">i", len(blob)) + blob + bytes(-len(blob) % 4)
    return rolled.randbytes({"c": 4, "r": 4, "m": 4, "t": 8}.get(tag, 0))


def _text(text: str) -> bytes:
    content = text.encode()
    return content + bytes(4 - len(content) % 4)


def _mutated(rolled: random.Random, datagram: bytes) -> bytes:
    content = bytearray(datagram)
    for _ in range(rolled.randrange(1, 4)):
        if content and rolled.random() < 0.7:
            content[rolled.randrange(len(content))] = rolled.choice(
                (0, 0xFF, 0x80, ord("["), ord("#"), rolled.randrange(256))
            )
        else:
            del content[rolled.randrange(len(content) + 1) :]
    return bytes(content)
