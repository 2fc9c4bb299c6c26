"""One assigned control while the show runs: what it sets when it is moved, and what it is told when its parameter changes."""

from __future__ import annotations

from engine.control.parameter import Parameter, Value
from engine.control.remotes.midi.control_message import SEVEN_BITS, Control, Moved
from engine.control.remotes.midi.controller_file import RELATIVE, Acts, Assignment, problem_of
from engine.control.remotes.midi.curve import Way

STEPS = 128
"""Steps of an encoder over the whole range of a parameter."""
HOLDS_S = 0.5
"""A fader that was moved is not moved back for so long: a hand is on it."""


class AssignedControl:
    """An assignment and where its control is. For one thread at a time."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        # Asked for at every message, and found out once.
        self._sender, self._highest, self._acts = assignment.sender, assignment.highest, assignment.way_of_acting
        self._channel = 0
        self._position: int | None = None
        """Where the control was last."""
        self._share = 0.0
        """The encoder's own place, finer than the parameter's values."""
        self._has_picked_up = False
        self._set: Value | None = None
        """What the control set last."""
        self._moved_s = float("-inf")
        self._is_touched = False
        self._told: int | None = None
        """The position that the device knows: where it was moved to, or what it was sent."""
        self._fits: tuple[Parameter, bool] | None = None

    def fits(self, parameter: Parameter) -> bool:
        """Return whether the assignment makes sense for a parameter, which may be another model's of the same name."""
        if self._fits is None or self._fits[0] is not parameter:
            self._fits = parameter, not problem_of(self.assignment, {self.assignment.parameter: parameter})
        return self._fits[1]

    def is_of(self, moved: Moved) -> bool:
        """Return whether a control of the same kind and number is on the channel of the assignment."""
        channel = self.assignment.channel
        return channel is None or channel == moved.control.channel + 1

    def move(self, moved: Moved, parameter: Parameter, current: Value | None, at_s: float) -> Value | None:
        """Return what a movement sets the parameter to, whose value is `current`; None where it sets nothing."""
        before, self._position = self._position, moved.position
        self._channel, self._moved_s = moved.control.channel, at_s
        acts = self._acts
        if acts in RELATIVE:
            value = self._turned(_turns(acts, moved.position), parameter, current)
        elif acts == "position" and not self._is_pushed(parameter):
            self._told = moved.position
            value = self._positioned(moved.position, before, parameter, current)
        else:
            # A button may darken its lamp by itself.
            self._told = None
            value = self._pushed(moved.position, before, parameter, current)
        if value is not None:
            self._set = value
        return value

    def touch(self, moved: Moved) -> bool:
        """Take note of a hand on the fader; return whether the note says so."""
        if self.assignment.touch is None or moved.control.sender != "note":
            return False
        if moved.control.number != self.assignment.touch:
            return False
        self._is_touched = moved.position > 0
        return True

    def feedback(self, parameter: Parameter, value: Value | None, now_s: float) -> tuple[Control, int] | None:
        """Return the position to tell the device, which it knows from then on; None where there is nothing new or a hand is on it."""
        if not self.assignment.feedback or value is None or parameter.happens:
            return None
        is_held = self._is_touched or now_s - self._moved_s < HOLDS_S
        if is_held and self._acts == "position":
            return None
        position = self._position_of(parameter, value)
        if position == self._told:
            return None
        self._told = position
        return self.assignment.target(self._channel), position

    def forget_device(self) -> None:
        """The port was opened again: the device knows nothing."""
        self._told = self._position = None
        self._is_touched = False

    def _is_pushed(self, parameter: Parameter) -> bool:
        """Return whether each push counts: of a trigger, or of an event with a number of its own."""
        return parameter.kind == "trigger" or (parameter.kind == "event" and self.assignment.value is not None)

    def _positioned(
        self, position: int, before: int | None, parameter: Parameter, current: Value | None
    ) -> Value | None:
        if self._sender == "note" and position == 0:
            # The velocity counts, and a release has none.
            return None
        if parameter.kind == "bool":
            return position > self._highest // 2
        if parameter.kind == "event":
            return None if position == before else self._value_at(parameter, position / self._highest)
        if self.assignment.pickup and not self._picks_up(position, before, parameter, current):
            return None
        way = self._way(parameter)
        is_within = current is not None and min(way.low, way.high) <= current <= max(way.low, way.high)
        if current is not None and is_within and self._position_of(parameter, current) == position:
            # A device that repeats what it is told does not coarsen the value.
            return None
        return self._value_at(parameter, position / self._highest)

    def _picks_up(self, position: int, before: int | None, parameter: Parameter, current: Value | None) -> bool:
        """Return whether the control has the parameter in its hand: it passed the value, and nobody else has set it since."""
        if current is None:
            return True
        stands = self._position_of(parameter, current)
        if self._has_picked_up and current != self._set and before is not None and stands != before:
            self._has_picked_up = False
        near = abs(position - stands) <= self._highest // SEVEN_BITS
        passed = before is not None and min(before, position) <= stands <= max(before, position)
        self._has_picked_up = self._has_picked_up or near or passed
        return self._has_picked_up

    def _pushed(self, position: int, before: int | None, parameter: Parameter, current: Value | None) -> Value | None:
        if not self._is_down(position):
            return self._released(before, parameter)
        # A button sends its position when it is pressed and again when it is released; some send each press alone, always the
        # same. A fader that moves on above the middle presses nothing.
        if self._sender == "control" and before is not None and self._is_down(before) and position != before:
            return None
        value, way = self.assignment.value, self._way(parameter)
        toggles = self._acts == "toggle" or self._sender == "programme"
        if parameter.kind == "trigger":
            return True
        if parameter.kind == "bool":
            return not current if toggles else True
        high = way.high if value is None else value
        return _whole(parameter, way.low if toggles and value is None and current == _whole(parameter, high) else high)

    def _released(self, before: int | None, parameter: Parameter) -> Value | None:
        was_down = before is not None and self._is_down(before)
        if self._acts == "toggle" or parameter.happens or not was_down:
            return None
        if parameter.kind == "bool":
            return False
        return None if self.assignment.value is not None else _whole(parameter, self._way(parameter).low)

    def _is_down(self, position: int) -> bool:
        """Return whether a button is pressed: a note with any velocity, a controller above its middle."""
        return position > (0 if self._sender == "note" else self._highest // 2)

    def _turned(self, turns: int, parameter: Parameter, current: Value | None) -> Value | None:
        if turns == 0 or current is None or parameter.happens:
            return None
        if parameter.kind == "bool":
            return turns > 0
        if self._value_at(parameter, self._share) != current:
            self._share = self._way(parameter).share_of(current)
        values = round(abs(self._way(parameter).high - self._way(parameter).low))
        steps = self.assignment.steps or (max(1, min(STEPS, values)) if parameter.kind == "int" else STEPS)
        self._share = min(max(self._share + turns / steps, 0.0), 1.0)
        return self._value_at(parameter, self._share)

    def _way(self, parameter: Parameter) -> Way:
        low, high = self.assignment.low, self.assignment.high
        return Way(
            parameter.low if low is None else low, parameter.high if high is None else high, self.assignment.curve
        )

    def _value_at(self, parameter: Parameter, share: float) -> Value:
        return _whole(parameter, self._way(parameter).value_at(share))

    def _position_of(self, parameter: Parameter, value: Value) -> int:
        """Return the position that the control has, or the lamp shows, at a value."""
        way = self._way(parameter)
        if self._acts in ("press", "toggle") or parameter.kind == "bool":
            high = way.high if self.assignment.value is None else self.assignment.value
            is_on = bool(value) if parameter.kind == "bool" else value == _whole(parameter, high)
            return self.assignment.lit if is_on else self.assignment.dark
        return round(way.share_of(value) * self._highest)


def _whole(parameter: Parameter, value: float) -> Value:
    return value if parameter.kind == "float" else round(value)


def _turns(acts: Acts, position: int) -> int:
    """Return how many steps an encoder was turned, to the left if less than 0."""
    if acts == "binary_offset":
        return position - 64
    if acts == "signed_bit":
        return position if position < 64 else 64 - position
    return position if position < 64 else position - 128
