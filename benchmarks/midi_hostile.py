"""Random hostile MIDI, by a seed: valid messages in floods, cut ones, bytes without a status, system exclusive without an end."""

from __future__ import annotations

import random

_CHANNEL_KINDS = (0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0)
_SYSTEM = (0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF)
_SELECTING = (6, 38, 96, 97, 98, 99, 100, 101)
LONGEST_BYTES = 200


def hostile(rolled: random.Random) -> list[int]:
    """Return the bytes of one message, or of what is none."""
    kind = rolled.randrange(12)
    if kind < 5:
        return [0xB0 | rolled.randrange(16), rolled.randrange(128), rolled.randrange(128)]
    if kind == 5:
        return [0xB0 | rolled.randrange(2), rolled.choice(_SELECTING), rolled.randrange(128)]
    if kind == 6:
        return _cut([rolled.choice(_CHANNEL_KINDS) | rolled.randrange(16), *_data(rolled, 2)], rolled)
    if kind == 7:
        return [rolled.choice(_SYSTEM), *_data(rolled, rolled.randrange(4))]
    if kind == 8:
        # Running status: data without a status byte.
        return _data(rolled, 1 + rolled.randrange(3))
    if kind == 9:
        end = [0xF7] if rolled.randrange(2) else []
        return [0xF0, *_data(rolled, rolled.randrange(LONGEST_BYTES)), *end]
    if kind == 10:
        return [rolled.randrange(256) for _ in range(1 + rolled.randrange(6))]
    return [rolled.choice(_CHANNEL_KINDS) | rolled.randrange(16), *_data(rolled, 2)]


def _data(rolled: random.Random, count: int) -> list[int]:
    return [rolled.randrange(128) for _ in range(count)]


def _cut(message: list[int], rolled: random.Random) -> list[int]:
    return message[: 1 + rolled.randrange(len(message))]
