"""The commands that a client sends over its WebSocket: LISTEN and IGNORE, as JSON from strangers."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, cast

from engine.core.errors import ConfigError
from engine.core.printable import printable_name

LISTEN, IGNORE = "LISTEN", "IGNORE"
_EXPECTED = '{"COMMAND": "LISTEN", "DATA": "/fluid/zoom"}'


class Command(NamedTuple):
    """A command and the address that it is about."""

    is_listen: bool
    address: str


def parse(text: str) -> Command:
    """Parse a command. Raises ConfigError with a sentence for the client."""
    try:
        given: Any = json.loads(text)
    # RecursionError: a text of nothing but brackets.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"This text is not JSON; a command was expected, e.g. {_EXPECTED}.") from error
    fields = cast(dict[str, Any], given) if isinstance(given, dict) else {}
    command, data = fields.get("COMMAND"), fields.get("DATA")
    if not isinstance(command, str):
        raise ConfigError(f"This text has no COMMAND; LISTEN or IGNORE was expected, e.g. {_EXPECTED}.")
    if command not in (LISTEN, IGNORE):
        raise ConfigError(f"{printable_name(command)} is no command; LISTEN or IGNORE was expected, e.g. {_EXPECTED}.")
    if not isinstance(data, str):
        raise ConfigError(f"{command} came without an address in DATA; send e.g. {_EXPECTED}.")
    return Command(command == LISTEN, data)
