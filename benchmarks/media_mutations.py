"""Good media files of twenty kinds, and random damage to them: changed bytes, cuts, lost and repeated parts, joins."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.media_making import Kind, write_media

RATE_HZ, FPS, SECONDS = 48000, 25, 1.0
WIDTH, HEIGHT = 64, 48
HEADER_BYTES = 400
LARGEST_BYTES = 1 << 20

KINDS = (
    Kind(extension="wav", sound="pcm_s16le"),
    Kind(extension="wav", sound="pcm_f32le"),
    Kind(extension="mp3", sound="libmp3lame"),
    Kind(extension="aac", sound="aac"),
    Kind(extension="m4a", sound="alac"),
    Kind(extension="mp4", video="libx264", sound="aac"),
    Kind(extension="mov", video="mjpeg", sound="pcm_s16le"),
    Kind(extension="mkv", video="libx264", sound="flac"),
    Kind(extension="webm", video="libvpx", sound="libopus"),
    Kind(extension="ogg", sound="flac"),
    Kind(extension="opus", sound="libopus"),
    Kind(extension="flac", sound="flac"),
    Kind(extension="ts", video="libx264", sound="aac", format="mpegts"),
    Kind(extension="avi", video="mpeg4", sound="libmp3lame"),
    Kind(extension="caf", sound="pcm_s16be"),
    Kind(extension="aiff", sound="pcm_s16be"),
    Kind(extension="w64", sound="pcm_s16le"),
    Kind(extension="gif", video="gif"),
    Kind(extension="mpg", video="mpeg2video", sound="mp2"),
    Kind(extension="flv", video="flv", sound="libmp3lame", rate_hz=44100),
)


class Seed(NamedTuple):
    """A good file."""

    name: str
    extension: str
    content: bytes


def seeds(folder: Path) -> list[Seed]:
    """Make one good file of each kind in an empty folder, and return them."""
    time_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    sound_TC = np.stack([0.3 * np.sin(2 * np.pi * tone_hz * time_s) for tone_hz in (440, 660)], axis=1)
    shade_HW = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))
    frames = [np.stack([shade_HW + 5 * k, shade_HW, shade_HW - 5 * k], 2).astype(np.uint8) for k in range(FPS)]
    return [
        Seed(
            kind.name,
            kind.extension,
            write_media(
                folder / f"{number}.{kind.extension}",
                kind,
                sound_TC[: round(SECONDS * kind.rate_hz), : 1 + number % 2].astype(np.float32),
                frames,
                FPS,
            ).read_bytes(),
        )
        for number, kind in enumerate(KINDS)
    ]


def mutated(good: Sequence[Seed], number: int, drawn: random.Random) -> tuple[Seed, bytes]:
    """Return the seed of a number, each in its turn, and its content with one to three random changes."""
    seed = good[number % len(good)]
    content = seed.content
    for _ in range(drawn.choice((1, 1, 2, 3))):
        change = drawn.choice(_CHANGES)
        content = change(content, drawn)[:LARGEST_BYTES]
        if drawn.random() < JOINED_SHARE:
            content = (content + drawn.choice((seed, seed, drawn.choice(good))).content)[:LARGEST_BYTES]
    return seed, content


JOINED_SHARE = 0.12
"""Of the changes, after which another file, or the same once more, is appended."""


def _place(content: bytes, drawn: random.Random) -> int:
    """Return a place, every other time in the header."""
    most = len(content) if drawn.random() < 0.5 else min(HEADER_BYTES, len(content))
    return drawn.randrange(most) if most else 0


def _flip(content: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(content or b" ")
    for _ in range(drawn.choice((1, 1, 2, 8, 64))):
        changed[_place(content or b" ", drawn)] = drawn.choice((0, 255, drawn.randrange(256)))
    return bytes(changed)


def _number(content: bytes, drawn: random.Random) -> bytes:
    """Put a number that is too large into a field of 2, 4 or 8 bytes."""
    at, width = _place(content, drawn), drawn.choice((2, 4, 8))
    number = drawn.choice((0, 1, (1 << (8 * width)) - 1, 1 << (8 * width - 1), drawn.getrandbits(8 * width)))
    return content[:at] + number.to_bytes(width, drawn.choice(("little", "big"))) + content[at + width :]


def _cut(content: bytes, drawn: random.Random) -> bytes:
    return content[: drawn.randint(0, len(content))]


def _headless(content: bytes, drawn: random.Random) -> bytes:
    return content[_place(content, drawn) :]


def _zeros(content: bytes, drawn: random.Random) -> bytes:
    at, length = _place(content, drawn), drawn.randint(1, 5000)
    return content[:at] + bytes(len(content[at : at + length])) + content[at + length :]


def _rubbish(content: bytes, drawn: random.Random) -> bytes:
    at = drawn.choice((_place(content, drawn), len(content)))
    return content[:at] + drawn.randbytes(drawn.randint(1, 3000)) + content[at:]


def _lose(content: bytes, drawn: random.Random) -> bytes:
    at = _place(content, drawn)
    return content[:at] + content[at + drawn.randint(1, 3000) :]


def _repeat(content: bytes, drawn: random.Random) -> bytes:
    at = _place(content, drawn)
    end = at + drawn.randint(1, 5000)
    return content[:end] + content[at:end] * drawn.choice((1, 2, 20)) + content[end:]


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _flip, _flip, _number, _number, _cut, _headless, _zeros, _rubbish, _lose, _repeat,
)  # fmt: skip
