"""MIDI messages as movements of controls: 7 and 14 bits, pairs, numbered parameters, notes."""

from __future__ import annotations

import random

import pytest

from engine.control.remotes.midi.control_message import Control, ControlDecoder, Moved, message_of


def decoded(*messages: list[int]) -> tuple[Moved, ...]:
    """Return what the last of some messages moves."""
    decoder = ControlDecoder()
    return [decoder.decode(message) for message in messages][-1]


@pytest.mark.parametrize(
    ("messages", "moved"),
    [
        ([[0xB0, 64, 5]], Moved(Control("control", 0, 64), 5)),
        ([[0x91, 36, 100]], Moved(Control("note", 1, 36), 100)),
        ([[0x91, 36, 0]], Moved(Control("note", 1, 36), 0)),
        ([[0x81, 36, 64]], Moved(Control("note", 1, 36), 0)),
        ([[0xE2, 1, 64]], Moved(Control("pitch_bend", 2), 8193)),
        ([[0xD0, 9]], Moved(Control("aftertouch", 0), 9)),
        ([[0xA0, 60, 9]], Moved(Control("key_pressure", 0, 60), 9)),
        ([[0xC0, 4]], Moved(Control("programmes", 0), 4)),
        # A pair: 7 << 7 | 3, and the coarse half alone.
        ([[0xB0, 1, 7], [0xB0, 33, 3]], Moved(Control("control14", 0, 1), 899)),
        ([[0xB0, 1, 7], [0xB0, 33, 3], [0xB0, 1, 8]], Moved(Control("control14", 0, 1), 1024)),
        ([[0xB0, 99, 2], [0xB0, 98, 5], [0xB0, 6, 64]], Moved(Control("nrpn", 0, 261), 8192)),
        ([[0xB0, 99, 2], [0xB0, 98, 5], [0xB0, 6, 64], [0xB0, 38, 9]], Moved(Control("nrpn", 0, 261), 8201)),
        ([[0xB0, 99, 2], [0xB0, 98, 5], [0xB0, 6, 64], [0xB0, 96, 0]], Moved(Control("nrpn", 0, 261), 8193)),
        ([[0xB0, 101, 0], [0xB0, 100, 1], [0xB0, 6, 127]], Moved(Control("rpn", 0, 1), 16256)),
    ],
)
def test_messages_move_controls(messages: list[list[int]], moved: Moved) -> None:
    assert decoded(*messages)[-1] == moved


def test_a_numbered_parameter_that_is_not_chosen_is_none() -> None:
    assert {moved.control.sender for moved in decoded([0xB0, 99, 2], [0xB0, 6, 64])} == {"control", "control14"}
    assert {moved.control.sender for moved in decoded([0xB0, 101, 127], [0xB0, 100, 127], [0xB0, 6, 64])} == {
        "control",
        "control14",
    }


@pytest.mark.parametrize("sender", ["control", "control14", "nrpn", "rpn", "note", "pitch_bend", "key_pressure"])
def test_what_is_told_a_device_is_what_it_would_say(sender) -> None:
    control = Control(sender, 3, 0 if sender == "pitch_bend" else 17)
    for position in (0, 1, control.highest):
        decoder = ControlDecoder()
        moves = [moved for message in message_of(control, position) for moved in decoder.decode(message)]
        # Controller 17 alone may also be the coarse half of a pair.
        assert Moved(control, position) in moves[-2:]


def test_random_bytes_raise_nothing_and_stay_in_range() -> None:
    rolled, decoder = random.Random(3), ControlDecoder()
    for _ in range(20_000):
        message = [rolled.randrange(256) for _ in range(rolled.randrange(5))]
        for control, position in decoder.decode(message):
            assert 0 <= position <= control.highest
            assert 0 <= control.channel <= 15
