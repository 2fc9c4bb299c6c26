"""Writes OSC messages as every program understands them."""

from __future__ import annotations

from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.parameter import Parameter, Value
from engine.control.remotes.osc_addresses import address

OscValue = float | int | bool | str


def build(to: str, values: tuple[OscValue, ...]) -> bytes:
    """Return the datagram of one message."""
    builder = OscMessageBuilder(address=to)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def build_value(parameter: Parameter, value: Value) -> bytes:
    """Return the datagram that tells a parameter's value: a float, or a whole number; a switch is 1 or 0."""
    return build(address(parameter.name), (float(value) if parameter.kind == "float" else int(value),))
