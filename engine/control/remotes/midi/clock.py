"""The clock of a sequencer as it comes: each message with the time when it was received, for what follows its tempo."""

from __future__ import annotations

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
