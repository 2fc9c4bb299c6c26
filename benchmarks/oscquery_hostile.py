"""Random requests and commands for OSCQuery as nobody should send them; the OSC packets are those of benchmarks/osc_hostile.py."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

_KEYS = ("COMMAND", "DATA", "COMMAND", "DATA", "command", "")
_WORDS = ("LISTEN", "IGNORE", "PATH_CHANGED", "HOST_INFO", "", "\ud800", "\x1b[2J", "x" * 3000)
_OTHERS: tuple[Any, ...] = (None, True, -1, 1e308, 10**300, [], {}, [[[]]], {"OLD": "/fluid"})
_PARTS = ("fluid", "out", "..", "%2e%2e", "%00", "%ff", "é", "a" * 200, "", "%", "[", "page", "page/socket", "*")
_QUERIES = (
    "",
    "?VALUE",
    "?HOST_INFO",
    "?VALUE&RANGE",
    "?&&=",
    "?%56ALUE",
    "?VALUE=1&TYPE",
    "?é",
    "?" + "A" * 300,
    "?token=x",
)
_NOISE = '{}[]",:\x00é'


def command(rolled: random.Random, names: Sequence[str]) -> str:
    """Return something like a command for a show with parameters of these names."""
    addresses = [f"/fluid/{rolled.choice(names)}", "/fluid/out/level", "/fluid", "/", "//"]
    values = (*_WORDS, *addresses, *_OTHERS)
    made = json.dumps({rolled.choice(_KEYS): rolled.choice(values) for _ in range(3)})
    kind, at = rolled.random(), rolled.randrange(len(made))
    if kind < 0.3:
        return json.dumps({"COMMAND": rolled.choice(_WORDS[:2]), "DATA": addresses[0]})
    if kind < 0.6:
        return made
    return made[:at] if kind < 0.8 else made[:at] + rolled.choice(_NOISE) + made[at:]


def request(rolled: random.Random, names: Sequence[str]) -> str:
    """Return something like the path and the query of a request."""
    parts = [rolled.choice((*_PARTS, "fluid", rolled.choice(names))) for _ in range(rolled.randrange(1, 5))]
    return "/" + quote("/".join(parts), safe="/%") + quote(rolled.choice(_QUERIES), safe="?&=%")
