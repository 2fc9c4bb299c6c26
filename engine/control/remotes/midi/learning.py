"""Learns which control a hand moves, and what it sends: a button, a rotary, an encoder of one of three kinds, or 14 bits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from engine.control.parameter import Parameter
from engine.control.remotes.midi.control_message import PAIRS, SELECTING, SEVEN_BITS, Control, Moved
from engine.control.remotes.midi.controller_file import Acts, Assignment

SILENT_S = 1.0
"""After so much silence it decides from what came."""
ROTARY_FROM, ENCODER_FROM = 3, 8
"""Messages after which a rotary, and one that could be an encoder, is known."""
FASTEST_TURN = 10
"""Steps in one message of an encoder that is turned fast."""
MOST_CONTROLS, MOST_POSITIONS = 64, 16


class Learnt(NamedTuple):
    """A control and how it acts."""

    control: Control
    acts: Acts
    touch: int | None = None


class Learning:
    """Watches one port until a control is known. For one thread at a time."""

    def __init__(self) -> None:
        self._positions: dict[Control, list[int]] = {}
        self._last: Control | None = None
        self._last_s = 0.0
        self._held: list[Control] = []

    def watch(self, moves: Sequence[Moved], at_s: float) -> Learnt | None:
        """Take what one message moves; return the control as soon as it is known."""
        if not moves:
            return None
        self._last_s = at_s
        numbered = next((one.control for one in moves if one.control.sender in ("nrpn", "rpn")), None)
        if numbered:
            return Learnt(numbered, "position", self._touch)
        control, position = moves[0]
        if control.sender == "note":
            return self._note(control, position)
        if control.sender == "control":
            return self._controller(control, position)
        if control.sender in ("aftertouch", "key_pressure") and self._held:
            # A key that is held gives it by the way.
            return None
        return Learnt(control, "press" if control.sender == "programme" else "position", self._touch)

    def decide(self, now_s: float) -> Learnt | None:
        """Return the control that was moved last, once nothing has come for SILENT_S."""
        if self._last is None or now_s - self._last_s < SILENT_S:
            return None
        return Learnt(self._last, _acts(self._positions[self._last], is_over=True) or "position", self._touch)

    @property
    def _touch(self) -> int | None:
        """The note that a fader sends while a hand is on it."""
        return self._held[-1].number if self._held else None

    def _note(self, control: Control, velocity: int) -> Learnt | None:
        if velocity and control not in self._held:
            # A fader may follow, which sends its touch as a note.
            self._held = [*self._held[-7:], control]
            return None
        return Learnt(control, "press") if control in self._held else None

    def _controller(self, control: Control, position: int) -> Learnt | None:
        if control.number in SELECTING:
            return None
        last, self._last = self._last, control
        if last and last.channel == control.channel and abs(last.number - control.number) == PAIRS:
            coarse = min(last.number, control.number)
            if coarse < PAIRS:
                return Learnt(Control("control14", control.channel, coarse), "position", self._touch)
        if control not in self._positions and len(self._positions) >= MOST_CONTROLS:
            self._positions.clear()
        positions = self._positions.setdefault(control, [])
        positions.append(position)
        del positions[:-MOST_POSITIONS]
        acts = _acts(positions, is_over=False)
        return Learnt(control, acts, self._touch) if acts else None


def _acts(positions: Sequence[int], is_over: bool) -> Acts | None:
    """Return how a controller acts that sent these positions; None while that is not certain."""
    if set(positions) <= {0, SEVEN_BITS}:
        is_button = len(set(positions)) == 2 or (is_over and len(positions) < ENCODER_FROM)
        if is_button:
            return "press"
    could_turn = all(_is_small(position) for position in positions)
    repeats = any(one == other for one, other in pairwise(positions))
    if could_turn and len(positions) < ENCODER_FROM and not is_over:
        return None
    if could_turn and repeats:
        return _encoder(positions)
    return "position" if len(positions) >= ROTARY_FROM or is_over else None


def _is_small(position: int) -> bool:
    return 0 < position <= FASTEST_TURN or abs(position - 64) <= FASTEST_TURN or position > SEVEN_BITS - FASTEST_TURN


def _encoder(positions: Sequence[int]) -> Acts:
    has_few = any(position <= FASTEST_TURN for position in positions)
    if any(64 - FASTEST_TURN <= position < 64 for position in positions):
        return "binary_offset"
    if any(64 < position <= 64 + FASTEST_TURN for position in positions):
        return "signed_bit" if has_few else "binary_offset"
    return "twos_complement"


def assignment_of(learnt: Learnt, parameter: Parameter) -> Assignment:
    """Return what a control that was learnt does with a parameter: a button switches, unless each push counts."""
    control, acts = learnt.control, learnt.acts
    if acts == "press" and not parameter.happens:
        acts = "toggle"
    sender: dict[str, Any] = {control.sender: control.number if control.has_number else True}
    return Assignment(**sender, channel=control.channel + 1, parameter=parameter.name, acts=acts, touch=learnt.touch)
