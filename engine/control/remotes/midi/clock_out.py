"""Tells the process that opens MIDI ports where the show's beat is, so that it sends timing clocks when they are due."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.control.parameter import Value
from engine.control.parameter_table import ShowValues
from engine.control.remotes.midi.ports import MidiPorts
from engine.control.telemetry import Telemetry
from engine.core.clock import Clock
from engine.core.repeating_thread import RepeatingThread

REPORTS_EVERY_S = 0.05


class MidiClockOut:
    """The show's beat as a MIDI clock, from `start` to `close`."""

    def __init__(
        self,
        ports: MidiPorts,
        telemetry: Callable[[], Telemetry],
        values: Callable[[], Mapping[str, Value]],
        clock: Clock,
    ) -> None:
        self._ports = ports
        self._telemetry = telemetry
        self._values = values
        self._clock = clock
        self._rewinds = int(ShowValues(values()).midi_rewind)
        self._thread = RepeatingThread("midi clock", REPORTS_EVERY_S, self.report)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Report no more; safe to call twice."""
        self._thread.close()

    def report(self) -> None:
        """Tell the process of the beat as it is now."""
        before_s = self._clock.now_s()
        telemetry, values = self._telemetry(), ShowValues(self._values())
        # Light goes ahead of the beat to make up for its way; a sequencer's sound does not.
        beats = telemetry.beats - 1e-3 * values.look_ahead_ms * telemetry.tempo_bpm / 60.0
        self._ports.say("beat", before_s, beats, telemetry.tempo_bpm, telemetry.beats_a_bar)
        # A process that was started again does not know it.
        self._ports.say("run", values.transport)
        if values.midi_rewind != self._rewinds:
            self._rewinds = int(values.midi_rewind)
            self._ports.say("rewind")
