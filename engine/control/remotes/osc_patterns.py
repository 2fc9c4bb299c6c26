"""OSC address patterns: one message for several parameters, e.g. /fluid/onset_* or /fluid/{zoom,glow}.

http://opensoundcontrol.org/spec-1_0 : `?` is any character, `*` any number of them, `[a-c]` and `[!a-c]` one of those and one
of all others, `{zoom,glow}` one of those texts. A pattern is matched in a time that has bounds: the set of positions that it can
have reached in a name is a whole number, and each of the pattern's parts changes it once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.control.parameter import Parameter
from engine.control.remotes.osc_addresses import PREFIX, address
from engine.core.errors import ConfigError
from engine.core.printable import printable_name
from engine.core.token_bucket import Bucket

LONGEST_PATTERN = 100
MOST_REMEMBERED = 64
NEW_PATTERNS_A_SECOND, NEW_PATTERNS_AT_ONCE = 10.0, 20.0
_TOO_MANY = f"More than {NEW_PATTERNS_A_SECOND:g} new address patterns came in a second; send this one again."
_SPECIAL = frozenset("*?[]{}")
_FIRST = PREFIX.strip("/")

Part = Callable[["Name", int], int]
"""Takes a name and the positions reached in it, one bit each, and returns those reached after this part of the pattern."""


class Name(NamedTuple):
    """A name that is matched: its length, and the positions of each of its characters, one bit each."""

    length: int
    positions: Mapping[str, int]


class Matched(NamedTuple):
    """What an address pattern matches."""

    names: tuple[str, ...]
    """Of the parameters; former names for those that it knows by these."""
    asked: tuple[str, ...]
    """Addresses of those that have a value to ask for."""
    triggers_alone: bool


_NOTHING = Matched((), (), False)


class Patterns:
    """Matches patterns against the parameters. Results are remembered, and only so many new patterns are matched a second."""

    def __init__(self) -> None:
        self._bucket = Bucket(NEW_PATTERNS_A_SECOND, NEW_PATTERNS_AT_ONCE)
        self._parameters: Mapping[str, Parameter] = {}
        self._remembered: OrderedDict[str, Matched] = OrderedDict()

    def match(self, pattern: str, parameters: Mapping[str, Parameter], now_s: float) -> Matched:
        """Return what an address pattern matches.

        Raises ConfigError for an invalid pattern, and when too many new ones have come.
        """
        if parameters is not self._parameters:
            # Another model plays.
            self._parameters = parameters
            self._remembered.clear()
        matched = self._remembered.pop(pattern, None)
        if matched is None:
            if not self._bucket.take(now_s):
                raise ConfigError(_TOO_MANY)
            matched = _match(pattern, parameters)
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        # The newest come last.
        self._remembered[pattern] = matched
        return matched


def is_pattern(to: str) -> bool:
    """Return whether an address, or a part of one, is a pattern."""
    return not _SPECIAL.isdisjoint(to)


def matches_name(pattern: str, name: str) -> bool:
    """Return whether one part of a pattern matches one part of an address. Raises ConfigError for an invalid pattern."""
    return _is_match(_parts(pattern), _name(name))


def _match(pattern: str, parameters: Mapping[str, Parameter]) -> Matched:
    if len(pattern) > LONGEST_PATTERN:
        raise ConfigError(f"This address pattern has more than {LONGEST_PATTERN} characters; send a shorter one.")
    levels = pattern.split("/")
    if len(levels) != 3 or levels[0] or not matches_name(levels[1], _FIRST):
        return _NOTHING
    parts = _parts(levels[2])
    matched = {name: name for name in parameters if _is_match(parts, _name(name))}
    for parameter in parameters.values():
        for former in parameter.former_names:
            if parameter.name not in matched and _is_match(parts, _name(former)):
                matched[parameter.name] = former
    found = [parameters[name] for name in matched]
    return Matched(
        names=tuple(matched.values()),
        asked=tuple(address(parameter.name) for parameter in found if not parameter.happens),
        triggers_alone=bool(found) and all(parameter.kind == "trigger" for parameter in found),
    )


def _name(name: str) -> Name:
    positions: dict[str, int] = {}
    for at, letter in enumerate(name):
        positions[letter] = positions.get(letter, 0) | 1 << at
    return Name(len(name), positions)


def _is_match(parts: list[Part], name: Name) -> bool:
    reached = 1
    for part in parts:
        reached = part(name, reached)
    return bool(reached >> name.length & 1)


def _parts(pattern: str) -> list[Part]:
    parts: list[Part] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter in "[{":
            end = pattern.find("]" if letter == "[" else "}", at)
            if end < 0:
                raise _invalid(pattern, f"has a {letter} that does not end")
            inside = pattern[at + 1 : end]
            parts.append(_one_of(inside) if letter == "[" else _alternatives(pattern, inside))
            at = end
        elif letter in "]}":
            raise _invalid(pattern, f"has a {letter} without its beginning")
        else:
            parts.append(_any_number if letter == "*" else _any if letter == "?" else _letter(letter))
        at += 1
    return parts


def _invalid(pattern: str, reason: str) -> ConfigError:
    return ConfigError(
        f"The address pattern {printable_name(pattern)} {reason}; patterns look like onset_*, [a-c]* or {{zoom,glow}}."
    )


def _any_number(name: Name, reached: int) -> int:
    lowest = reached & -reached
    return (2 << name.length) - lowest if reached else 0


def _any(name: Name, reached: int) -> int:
    # The end of the name is followed by nothing.
    return (reached << 1) & ((2 << name.length) - 1)


def _letter(letter: str) -> Part:
    return lambda name, reached: (reached & name.positions.get(letter, 0)) << 1


def _one_of(inside: str) -> Part:
    is_negated, inside = inside.startswith("!"), inside.removeprefix("!")
    ranges = list[tuple[str, str]]()
    at = 0
    while at < len(inside):
        has_end = inside[at + 1 : at + 2] == "-" and at + 2 < len(inside)
        ranges.append((inside[at], inside[at + 2] if has_end else inside[at]))
        at += 3 if has_end else 1

    def step(name: Name, reached: int) -> int:
        there = 0
        for letter, positions in name.positions.items():
            if any(low <= letter <= high for low, high in ranges) != is_negated:
                there |= positions
        return (reached & there) << 1

    return step


def _alternatives(pattern: str, inside: str) -> Part:
    if is_pattern(inside):
        raise _invalid(pattern, "has a pattern inside { and }")
    texts = inside.split(",")

    def step(name: Name, reached: int) -> int:
        after = 0
        for text in texts:
            here = reached
            for letter in text:
                here = (here & name.positions.get(letter, 0)) << 1
            after |= here
        return after

    return step
