"""What a control that is moved sets, by its assignment; and what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from engine.control.parameter import Parameter, Value
from engine.control.parameter_table import parameters_for
from engine.control.remotes.midi.assigned_control import HOLDS_S, AssignedControl
from engine.control.remotes.midi.control_message import Control, Moved
from engine.control.remotes.midi.controller_file import Assignment
from tests.engine.model.probe_model import CARD

PARAMETERS = {parameter.name: parameter for parameter in parameters_for(CARD)}
CROSSFADE, BLACKOUT, RESET, SCENE, SEED = (
    PARAMETERS[name] for name in ("brightness", "blackout", "reset", "scene", "seed")
)


class Hand:
    """Moves one control of a parameter, whose value it keeps."""

    def __init__(self, parameter: Parameter, **keys: Any) -> None:
        self.parameter = parameter
        self.control = AssignedControl(Assignment(parameter=parameter.name, **keys))
        self.value: Value | None = None if parameter.kind == "event" else parameter.default
        self.now_s = 0.0
        self.set: list[Value] = []

    def move(self, *positions: int) -> Value | None:
        """Move it to each position, and return the value afterwards."""
        assignment = self.control.assignment
        for position in positions:
            moved = Moved(Control(assignment.sender, 4, assignment.number), position)
            value = self.control.move(moved, self.parameter, self.value, self.now_s)
            if value is not None:
                self.value = value
                self.set.append(value)
        return self.value

    def told(self) -> tuple[Control, int] | None:
        return self.control.feedback(self.parameter, self.value, self.now_s)


@pytest.mark.parametrize(
    ("keys", "position", "value"),
    [
        ({"control": 1}, 127, 2.0),
        ({"control": 1, "low": 0.5, "high": 1.0}, 0, 0.5),
        ({"control": 1, "low": 1.0, "high": 0.5}, 127, 0.5),
        ({"control14": 1}, 16383, 2.0),
        ({"pitch_bend": True}, 0, 0.0),
        ({"aftertouch": True}, 127, 2.0),
        ({"note": 3, "acts": "position"}, 127, 2.0),
        ({"note": 3}, 1, 2.0),
        ({"note": 3, "value": 0.25}, 1, 0.25),
        ({"programmes": True}, 127, 2.0),
        ({"nrpn": 300}, 16383, 2.0),
    ],
)
def test_every_kind_of_control_moves_a_number(keys: dict[str, Any], position: int, value: float) -> None:
    assert Hand(CROSSFADE, **keys).move(position) == value


@pytest.mark.parametrize("curve", ["linear", "exponential", "s-curve"])
def test_curves_go_from_end_to_end_and_their_feedback_is_the_position(curve) -> None:
    hand, values = Hand(CROSSFADE, control=1, curve=curve), list[float]()
    for position in range(128):
        hand.move(position)
        values.append(float(hand.value or 0.0))
        hand.control.forget_device()
        hand.now_s += HOLDS_S
        told = hand.told()
        assert told is not None
        assert told[1] == position
    assert (values[0], values[-1]) == (0.0, pytest.approx(2.0))
    assert values == sorted(values)
    middle = {"linear": 1.0, "exponential": 0.18, "s-curve": 1.0}[curve]
    assert values[64] == pytest.approx(middle, abs=0.02)


@pytest.mark.parametrize(
    ("acts", "right", "left"),
    [("twos_complement", 1, 127), ("binary_offset", 65, 63), ("signed_bit", 1, 65)],
)
def test_encoders_turn_in_steps_from_wherever_the_parameter_is(acts, right: int, left: int) -> None:
    hand = Hand(CROSSFADE, control=1, acts=acts, steps=100)
    assert hand.move(right) == pytest.approx(1.02)
    assert hand.move(left, left) == pytest.approx(0.98)
    hand.value = 2.0
    assert hand.move(right) == 2.0
    assert hand.move(left) == pytest.approx(1.98)
    hand.value = 0.0
    assert hand.move(left, right) == pytest.approx(0.02)


def test_encoders_step_through_whole_numbers_and_switch() -> None:
    choice = Parameter(name="way", kind="int", help="", high=3, default=0)
    assert Hand(choice, control=1, acts="twos_complement").move(1, 1) == 2
    assert Hand(BLACKOUT, control=1, acts="twos_complement").move(1) is True
    assert Hand(SEED, control=1, acts="twos_complement").move(1) == round(SEED.high / 128)


def test_buttons_hold_toggle_and_give() -> None:
    assert Hand(BLACKOUT, note=1).move(90) is True
    assert Hand(BLACKOUT, note=1).move(90, 0) is False
    assert Hand(BLACKOUT, note=1, acts="toggle").move(90, 0) is True
    assert Hand(BLACKOUT, note=1, acts="toggle").move(90, 0, 90, 0) is False
    assert Hand(CROSSFADE, note=1, acts="toggle").move(90, 0) == 2.0
    assert Hand(CROSSFADE, note=1, acts="toggle").move(90, 0, 90, 0) == 0.0
    reset = Hand(RESET, control=1, acts="press")
    reset.move(127, 0, 127, 0)
    assert reset.set == [True, True]
    scene = Hand(SCENE, note=1, value=3)
    scene.move(90, 0)
    assert scene.set == [3]
    faded = Hand(SCENE, programmes=True)
    faded.move(0, 127)
    assert faded.set == [1, 128]


def test_a_fader_that_stands_elsewhere_waits_until_it_passes_the_value() -> None:
    hand = Hand(CROSSFADE, control=1, pickup=True)
    hand.move(0, 10, 20)
    assert hand.set == []
    # The value 1.0 lies between 20 and 90.
    assert hand.move(90) == pytest.approx(2.0 * 90 / 127)
    # A scene takes the value away, and the fader does not tear it back.
    hand.value = 0.2
    hand.move(91, 92)
    assert hand.value == 0.2
    assert hand.move(5) == pytest.approx(2.0 * 5 / 127)


def test_a_fader_is_not_moved_while_a_hand_is_on_it() -> None:
    hand = Hand(CROSSFADE, control=7)
    hand.move(127)
    hand.value = 0.0
    assert hand.told() is None
    hand.now_s = HOLDS_S
    assert hand.told() == (Control("control", 4, 7), 0)
    assert hand.told() is None


def test_a_touched_fader_waits_for_the_hand_to_go() -> None:
    hand = Hand(CROSSFADE, pitch_bend=True, touch=104)
    touched = Control("note", 0, 104)
    assert hand.control.touch(Moved(touched, 127))
    assert hand.told() is None
    assert not hand.control.touch(Moved(Control("note", 0, 105), 0))
    hand.control.touch(Moved(touched, 0))
    assert hand.told() == (Control("pitch_bend", 0), round(16383 / 2))


def test_a_lamp_shows_the_switch_and_a_ring_the_encoder() -> None:
    lamp = Hand(BLACKOUT, note=9, acts="toggle", lit=3, dark=1)
    assert lamp.told() == (Control("note", 0, 9), 1)
    lamp.move(90)
    # At once, and again after the release: the button may have darkened it.
    assert lamp.told() == (Control("note", 4, 9), 3)
    lamp.move(0)
    assert lamp.told() == (Control("note", 4, 9), 3)
    ring = Hand(CROSSFADE, control=9, acts="binary_offset")
    ring.move(65)
    assert ring.told() == (Control("control", 4, 9), 64)
    assert Hand(BLACKOUT, note=9, feedback=False).told() is None


def test_a_device_that_repeats_what_it_is_told_does_not_coarsen_the_value() -> None:
    hand = Hand(CROSSFADE, control=7)
    hand.value = 0.333
    told = hand.told()
    assert told is not None
    assert hand.move(told[1]) == 0.333


def test_a_fader_brings_a_value_back_that_others_set_beyond_its_way() -> None:
    hand = Hand(CROSSFADE, control=7, low=0.0, high=0.5)
    hand.value = 1.0
    assert hand.move(127) == 0.5
