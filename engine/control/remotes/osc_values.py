"""OSC values as controllers really send them, made into what a parameter takes."""

from __future__ import annotations

import math

from engine.control.parameter import Parameter
from engine.core.errors import ConfigError


def remote_value(parameter: Parameter, given: object) -> float | int | bool | None:
    """Return what `parameter.parse` takes for a value that came over OSC; None for a trigger that is given.

    A parameter that chooses takes the names of its choices too.

    Buttons and switches send 1, 1.0, 127, 0.7 or T when they are pressed, and 0 or F when they are released.
    Raises ConfigError for texts, blobs, arrays and impulses where a number is expected, and for numbers that are not finite.
    """
    if given is None and parameter.kind == "trigger":
        return None
    if isinstance(given, str) and given.strip().casefold() in parameter.choices:
        return int(parameter.parse(given))
    if not isinstance(given, (bool, int, float)):
        raise ConfigError(f"{parameter.name} takes {parameter.expected()}, not {described(given)}.")
    if parameter.is_number:
        # A button that was released.
        return 0 if parameter.kind == "event" and given is False else given
    if not math.isfinite(given):
        raise ConfigError(f"{parameter.name} takes {parameter.expected()}, not {given}.")
    return given > 0


def described(given: object) -> str:
    """Return what came instead of a number, in words, and what to send."""
    if isinstance(given, float):
        return str(given)
    if isinstance(given, str):
        shown = repr(given)
        return f"the text {shown if len(shown) <= 40 else shown[:37] + '...'}; send a number, OSC type f or i"
    if isinstance(given, list):
        return "an array; send one number"
    if given is None:
        return "an impulse; send a number"
    return "a blob; send one number"
