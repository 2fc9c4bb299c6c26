"""Random damage to files, of the kinds that accidents and ill will do."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

PIECES = (
    b"9" * 5000, b"n" * 5000, b"0x" + b"f" * 5000, b"-1", b"18446744073709551617", b"1e999", b".inf", b".nan", b"NaN", b"null", b"true", b"2026-01-31",
    b"[" * 3000, b"{" * 300, b"- " * 300, b"[]", b"{}", b'""', b"'", b'"', b"\n", b"\r\n", b"\t", b"\x00", b"\\u0000", b"\\ud800", b"\x1b[2J", b"\xff\xfe",
    "\u202e".encode(), b"&a ", b"*a", b"&a [*a, *a]", b"<<: *a\n", b"!!python/object/apply:os.system [ls]", b"!!int x", b"!!set {a}", b"!!binary aGk=",
    b"../../../../etc/passwd", b"/dev/zero", b"a: 1\n" * 2000, b"9**9**9", b"1/0", b"(" * 300, b"**", b"<<", b"lambda: 0", b"__import__('os')",
)  # fmt: skip
LARGEST_BYTES = 2 << 20


def damaged(content: bytes, drawn: random.Random) -> bytes:
    """Return `content` with one to three random changes."""
    for _ in range(drawn.choice((1, 1, 1, 2, 3))):
        content = drawn.choice(_CHANGES)(content, drawn)[:LARGEST_BYTES]
    return content


def replace_by_other(file: Path, drawn: random.Random) -> None:
    """Put something else into the place of a file: a pipe, a device, a folder, a link, or nothing."""
    file.unlink()
    kind = drawn.choice(
        ("pipe", "device", "folder", "loop", "nothing") if os.name == "posix" else ("folder", "nothing")
    )
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind != "nothing":
        file.symlink_to("/dev/zero" if kind == "device" else file.name)


def _flip(content: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(content or b" ")
    for _ in range(drawn.choice((1, 1, 2, 8))):
        changed[drawn.randrange(len(changed))] = drawn.randrange(256)
    return bytes(changed)


def _cut(content: bytes, drawn: random.Random) -> bytes:
    return content[: drawn.randint(0, len(content))]


def _insert(content: bytes, drawn: random.Random) -> bytes:
    at = drawn.randint(0, len(content))
    return content[:at] + drawn.choice(PIECES) + content[at:]


def _replace(content: bytes, drawn: random.Random) -> bytes:
    """Replace a word, as between blanks, colons and brackets."""
    at = drawn.randint(0, len(content))
    end = next((n for n in range(at, len(content)) if content[n] in b" :,\n[]{}()"), len(content))
    return content[:at] + drawn.choice(PIECES) + content[end:]


def _remove(content: bytes, drawn: random.Random) -> bytes:
    at = drawn.randint(0, len(content))
    return content[:at] + content[at + drawn.randint(1, 40) :]


def _repeat(content: bytes, drawn: random.Random) -> bytes:
    at = drawn.randint(0, len(content))
    end = at + drawn.randint(1, 200)
    return content[:end] + content[at:end] * drawn.choice((1, 2, 50, 2000)) + content[end:]


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _cut,
    _insert,
    _replace,
    _replace,
    _remove,
    _repeat,
)
