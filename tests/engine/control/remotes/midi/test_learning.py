"""Which control a hand moves, and how it sends, from its messages alone."""

from __future__ import annotations

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.remotes.midi.control_message import Control, ControlDecoder
from engine.control.remotes.midi.learning import SILENT_S, Learning, Learnt


def learnt(*messages: list[int]) -> tuple[Learnt | None, Learning]:
    """Return what is learnt with the last of some messages, and nothing before it."""
    decoder, learning = ControlDecoder(), Learning()
    found = None
    for number, message in enumerate(messages):
        assert found is None, f"learnt before message {number}"
        found = learning.watch(decoder.decode(message), 0.01 * number)
    return found, learning


def control(number: int, *positions: int) -> list[list[int]]:
    return [[0xB2, number, position] for position in positions]


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (control(21, 30, 31, 32), Learnt(Control("control", 2, 21), "position")),
        (control(21, 127, 0), Learnt(Control("control", 2, 21), "press")),
        (control(21, 1, 1, 2, 1, 1, 3, 1, 1), Learnt(Control("control", 2, 21), "twos_complement")),
        (control(21, 1, 1, 127, 126, 127, 127, 1, 1), Learnt(Control("control", 2, 21), "twos_complement")),
        (control(21, 65, 65, 66, 65, 65, 66, 65, 65), Learnt(Control("control", 2, 21), "binary_offset")),
        (control(21, 65, 65, 63, 63, 62, 65, 65, 65), Learnt(Control("control", 2, 21), "binary_offset")),
        (control(21, 1, 1, 2, 65, 65, 66, 1, 1), Learnt(Control("control", 2, 21), "signed_bit")),
        # A rotary that is turned up from its lowest position repeats nothing.
        (control(21, 1, 2, 3, 4, 5, 6, 7, 8), Learnt(Control("control", 2, 21), "position")),
        ([[0xB2, 3, 9], [0xB2, 35, 100]], Learnt(Control("control14", 2, 3), "position")),
        ([[0xB0, 99, 1], [0xB0, 98, 4], [0xB0, 6, 5]], Learnt(Control("nrpn", 0, 132), "position")),
        ([[0x92, 40, 90], [0x82, 40, 0]], Learnt(Control("note", 2, 40), "press")),
        ([[0x92, 40, 90], [0xD2, 30], [0x92, 40, 0]], Learnt(Control("note", 2, 40), "press")),
        # A motor fader says first that a hand touches it.
        ([[0x90, 104, 127], [0xE0, 3, 60]], Learnt(Control("pitch_bend", 0), "position", 104)),
        ([[0xC0, 7]], Learnt(Control("programme", 0, 7), "press")),
        ([[0xD0, 7]], Learnt(Control("aftertouch", 0), "position")),
    ],
)
def test_a_control_is_recognised(messages: list[list[int]], found: Learnt) -> None:
    assert learnt(*messages)[0] == found


@pytest.mark.parametrize(
    ("messages", "acts"),
    [(control(21, 127), "press"), (control(21, 50), "position"), (control(21, 1, 1, 1), "twos_complement")],
)
def test_a_control_that_falls_silent_is_recognised_from_what_came(messages: list[list[int]], acts: str) -> None:
    found, learning = learnt(*messages)
    assert found is None
    assert learning.decide(0.5 * SILENT_S) is None
    decided = learning.decide(2.0 * SILENT_S)
    assert decided is not None
    assert decided.acts == acts


def test_nothing_is_learnt_from_silence(store: ParameterStore) -> None:
    assert Learning().decide(100.0) is None
