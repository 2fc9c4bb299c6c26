"""The clock of a sequencer as it comes: each message with the time when it was received, for what follows its tempo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

CLOCKS_A_BEAT = 24
"""MIDI 1.0: timing clocks in a quarter note."""
CLOCKS_A_SIXTEENTH = 6
"""The song position counts sixteenths."""


class ClockMessage(NamedTuple):
    """One message of a sequencer's clock."""

    kind: Literal["tick", "start", "continue", "stop", "position"]
    """A tick is one timing clock. Ticks may go on during a stop; the first one after a start is the first beat."""
    at_s: float
    """When it was received, as WallClock tells the time. Taken in the process that reads the port, before anything else."""
    port: str
    """Name of the port; two sequencers may send at once."""
    sixteenths: int = 0
    """The song position, from the beginning of the song; for "position" alone."""


class MidiClock(Protocol):
    """Follows the clock of a sequencer."""

    def __call__(self, message: ClockMessage) -> None:
        """Take one message. Called in the thread that reads the ports, in the order of the messages; it returns at once."""
        ...


class TapClock:
    """Taps the beat on every quarter note, where nothing follows the clock more closely."""

    def __init__(self, tap: Callable[[], None]) -> None:
        self._tap = tap
        self._ticks = 0
        self._is_running = True

    def __call__(self, message: ClockMessage) -> None:
        match message.kind:
            case "start":
                self._ticks, self._is_running = 0, True
            case "continue" | "stop":
                # It goes on where it stopped, or at the song position that it sends meanwhile. Ticks go on during a stop.
                self._is_running = message.kind == "continue"
            case "position":
                self._ticks = message.sixteenths * CLOCKS_A_SIXTEENTH
            case "tick":
                if not self._is_running:
                    return
                self._ticks += 1
                if (self._ticks - 1) % CLOCKS_A_BEAT == 0:
                    self._tap()


def clock_message(message: Sequence[int], at_s: float, port: str) -> ClockMessage | None:
    """Return what a MIDI message says of the clock; None where it is about something else."""
    match message:
        case [0xF8]:
            return ClockMessage("tick", at_s, port)
        case [0xFA]:
            return ClockMessage("start", at_s, port)
        case [0xFB]:
            return ClockMessage("continue", at_s, port)
        case [0xFC]:
            return ClockMessage("stop", at_s, port)
        case [0xF2, low, high]:
            return ClockMessage("position", at_s, port, low + 128 * high)
        case _:
            return None
