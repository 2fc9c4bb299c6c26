"""OS2L, the protocol by which VirtualDJ tells lights of its beat: JSON objects one after the other in a TCP stream.

{"evt": "beat", "change": false, "pos": 12, "bpm": 126.0, "strength": 0.5}
{"evt": "btn", "name": "blackout", "state": "on"}
{"evt": "cmd", "id": 3, "param": 100.0}
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

from engine.core.structured import parse_json

LONGEST_MESSAGE = 1024
DEEPEST_MESSAGE = 4
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class BeatMessage:
    """A beat, at the moment at which it came."""

    bpm: float
    number: int | None
    """Counted from the beginning of the song, where a bar begins; None where it is not told."""
    has_changed: bool
    """Whether the beat is not the one after that before."""


@dataclass(frozen=True, slots=True)
class ButtonMessage:
    """A button of a controller."""

    name: str
    is_pressed: bool


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command with its number and how far its fader is up, 0 to 100."""

    number: int
    strength: float


Message = BeatMessage | ButtonMessage | CommandMessage


class MessageReader:
    """Cuts the stream of one sender into messages. It never holds more than LONGEST_MESSAGE characters."""

    def __init__(self) -> None:
        self.refused = 0
        """Pieces that were no message."""
        self.is_foreign = False
        """Whether the sender began with something else: a web page, whose request has a head, may not press buttons."""
        self._has_begun = False
        self._text = bytearray()
        self._depth = 0
        self._is_in_text = self._is_escaped = False
        self._is_noise = False

    def feed(self, received: bytes) -> list[Message]:
        """Return the messages that `received` completes."""
        messages: list[Message] = []
        for character in received:
            if not self._depth:
                self._between(character)
                if self.is_foreign:
                    break
                continue
            self._text.append(character)
            self._count(character)
            if not self._depth:
                message = parse_message(bytes(self._text))
                self.refused += message is None
                messages += [message] if message else []
            elif self._depth > DEEPEST_MESSAGE or len(self._text) >= LONGEST_MESSAGE:
                self.refused += 1
                self._depth = 0
                self._is_noise = True
        return messages

    def _between(self, character: int) -> None:
        """Wait for the beginning of an object; other characters than white space are noise, which counts once."""
        if character == ord("{"):
            self._has_begun = True
            self._text[:] = b"{"
            self._depth, self._is_in_text, self._is_escaped, self._is_noise = 1, False, False, False
        elif character not in b" \t\r\n\0" and not self._is_noise:
            self._is_noise = True
            self.refused += 1
            self.is_foreign = not self._has_begun

    def _count(self, character: int) -> None:
        """Keep count of open braces and brackets outside texts."""
        if self._is_in_text:
            if self._is_escaped:
                self._is_escaped = False
            elif character == ord("\\"):
                self._is_escaped = True
            elif character == ord('"'):
                self._is_in_text = False
        elif character == ord('"'):
            self._is_in_text = True
        elif character in b"{[":
            self._depth += 1
        elif character in b"}]":
            self._depth -= 1


def parse_message(text: bytes) -> Message | None:
    """Return the message in a JSON object; None for anything else."""
    try:
        parsed: Any = parse_json(text)
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    fields = cast(dict[str, Any], parsed)
    match fields.get("evt"):
        case "beat":
            bpm, number = _number(fields.get("bpm")), _number(fields.get("pos"))
            if bpm is None or not 20.0 <= bpm <= 999.0:
                return None
            whole = int(number) if number is not None and abs(number) < 2**31 else None
            return BeatMessage(bpm, whole, fields.get("change") is True)
        case "btn":
            name, state = fields.get("name"), fields.get("state")
            if not isinstance(name, str) or len(name) > LONGEST_NAME or state not in ("on", "off"):
                return None
            return ButtonMessage(name, state == "on")
        case "cmd":
            number, strength = _number(fields.get("id")), _number(fields.get("param"))
            if number is None or strength is None or not number.is_integer() or abs(number) >= 2**31:
                return None
            return CommandMessage(int(number), strength)
        case _:
            return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None
