"""What MIDI messages say of a device's controls: which one was moved, and where to. 14-bit pairs and (N)RPN are put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

Sender = Literal[
    "control",
    "control14",
    "nrpn",
    "rpn",
    "note",
    "pitch_bend",
    "aftertouch",
    "key_pressure",
    "programme",
    "programmes",
]
SEVEN_BITS, FOURTEEN_BITS = 0x7F, 0x3FFF
PAIRS = 32
"""Controllers 0 to 31 have a finer half, 32 numbers on."""
CHANNELS = 16
WIDE: frozenset[Sender] = frozenset(("control14", "nrpn", "rpn", "pitch_bend"))
"""Those with 14 bits."""
NUMBERED: frozenset[Sender] = frozenset(("control", "control14", "nrpn", "rpn", "note", "key_pressure", "programme"))

# MIDI 1.0, table 1: status bytes. The lower half of a channel message's status is its channel.
NOTE_OFF, NOTE_ON, KEY_PRESSURE, CONTROL_CHANGE = 0x80, 0x90, 0xA0, 0xB0
PROGRAMME_CHANGE, AFTERTOUCH, PITCH_BEND = 0xC0, 0xD0, 0xE0
# Table 3: the controllers that choose and move a numbered parameter of the device.
DATA_MSB, DATA_LSB, DATA_UP, DATA_DOWN = 6, 38, 96, 97
NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB = 98, 99, 100, 101
SELECTING = (NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB)


class Control(NamedTuple):
    """One control of a device."""

    sender: Sender
    channel: int
    """0 to 15, as in the message."""
    number: int = 0
    """0 for the senders that have none."""

    @property
    def highest(self) -> int:
        """Its highest position; the lowest is 0."""
        return FOURTEEN_BITS if self.sender in WIDE else SEVEN_BITS

    @property
    def has_number(self) -> bool:
        """Whether there are several of its kind on a channel."""
        return self.sender in NUMBERED

    def said(self) -> str:
        """Return it in words, e.g. "control 21, channel 1"."""
        kind = {"control14": "14-bit control", "nrpn": "NRPN", "rpn": "RPN"}.get(
            self.sender, self.sender.replace("_", " ")
        )
        return f"{kind}{f' {self.number}' if self.has_number else ''}, channel {self.channel + 1}"


class Moved(NamedTuple):
    """A control that was moved to a position, 0 to its highest. A note's position is its velocity, 0 when it is released."""

    control: Control
    position: int


class ControlDecoder:
    """Decodes the messages of one port. Its memory is bounded by the channels and pairs there are."""

    def __init__(self) -> None:
        self._msb: dict[tuple[int, int], int] = {}
        """The coarse half of a pair by channel and controller."""
        self._selected: dict[int, tuple[Literal["nrpn", "rpn"], int, int]] = {}
        """The numbered parameter that a channel has chosen: its kind and the halves of its number; -1 while one is missing."""
        self._values: dict[int, int] = {}
        """The 14 bits of that parameter, by channel."""

    def decode(self, message: Sequence[int]) -> tuple[Moved, ...]:
        """Return what one message moves: a controller may be one of 7 bits and the half of one of 14. Never raises."""
        if not message or any(not 0 <= byte <= SEVEN_BITS for byte in message[1:]):
            return ()
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        match kind, *message[1:]:
            case 0xB0, number, position:
                return self._control_change(channel, number, position)
            case 0x90, number, velocity:
                return (Moved(Control("note", channel, number), velocity),)
            case 0x80, number, _:
                return (Moved(Control("note", channel, number), 0),)
            case 0xC0, number:
                # One of them may be a button of its own, or all of them one control.
                button, whole = Control("programme", channel, number), Control("programmes", channel)
                return (Moved(button, SEVEN_BITS), Moved(whole, number))
            case 0xE0, low, high:
                return (Moved(Control("pitch_bend", channel), low | high << 7),)
            case 0xD0, pressure:
                return (Moved(Control("aftertouch", channel), pressure),)
            case 0xA0, number, pressure:
                return (Moved(Control("key_pressure", channel, number), pressure),)
            case _:
                return ()

    def _control_change(self, channel: int, number: int, position: int) -> tuple[Moved, ...]:
        moved = [Moved(Control("control", channel, number), position)]
        if number < PAIRS:
            # MIDI 1.0: a new coarse half sets the fine one to 0.
            self._msb[channel, number] = position
            moved.append(Moved(Control("control14", channel, number), position << 7))
        elif number < 2 * PAIRS:
            coarse = self._msb.get((channel, number - PAIRS), 0)
            moved.append(Moved(Control("control14", channel, number - PAIRS), coarse << 7 | position))
        elif number in SELECTING:
            self._select(channel, number, position)
        if number in (DATA_MSB, DATA_LSB, DATA_UP, DATA_DOWN):
            moved.extend(self._enter(channel, number, position))
        return tuple(moved)

    def _select(self, channel: int, number: int, position: int) -> None:
        kind: Literal["nrpn", "rpn"] = "nrpn" if number in (NRPN_LSB, NRPN_MSB) else "rpn"
        before = self._selected.get(channel)
        _, msb, lsb = before if before and before[0] == kind else (kind, -1, -1)
        self._selected[channel] = (kind, position, lsb) if number in (NRPN_MSB, RPN_MSB) else (kind, msb, position)
        self._values.pop(channel, None)

    def _enter(self, channel: int, number: int, position: int) -> tuple[Moved, ...]:
        kind, msb, lsb = self._selected.get(channel, ("rpn", -1, -1))
        # 127, 127 chooses none.
        if msb < 0 or lsb < 0 or msb == lsb == SEVEN_BITS:
            return ()
        before = self._values.get(channel, 0)
        if number == DATA_MSB:
            value = position << 7
        elif number == DATA_LSB:
            value = before & ~SEVEN_BITS | position
        else:
            value = min(max(before + (1 if number == DATA_UP else -1), 0), FOURTEEN_BITS)
        self._values[channel] = value
        return (Moved(Control(kind, channel, msb << 7 | lsb), value),)


def message_of(control: Control, position: int) -> list[list[int]]:
    """Return the messages that say a position of a control, for feedback."""
    coarse, fine = position >> 7 & SEVEN_BITS, position & SEVEN_BITS
    channel = control.channel
    match control.sender:
        case "control":
            return [[CONTROL_CHANGE | channel, control.number, position]]
        case "control14":
            return [
                [CONTROL_CHANGE | channel, control.number, coarse],
                [CONTROL_CHANGE | channel, control.number + PAIRS, fine],
            ]
        case "nrpn" | "rpn":
            first, second = (NRPN_MSB, NRPN_LSB) if control.sender == "nrpn" else (RPN_MSB, RPN_LSB)
            pairs = (
                (first, control.number >> 7),
                (second, control.number & SEVEN_BITS),
                (DATA_MSB, coarse),
                (DATA_LSB, fine),
            )
            return [[CONTROL_CHANGE | channel, number, value] for number, value in pairs]
        case "note":
            return [[NOTE_ON | channel, control.number, position]]
        case "pitch_bend":
            return [[PITCH_BEND | channel, fine, coarse]]
        case "aftertouch":
            return [[AFTERTOUCH | channel, position]]
        case "key_pressure":
            return [[KEY_PRESSURE | channel, control.number, position]]
        case "programme" | "programmes":
            return [[PROGRAMME_CHANGE | channel, position if control.sender == "programmes" else control.number]]
