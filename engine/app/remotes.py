"""Opens everything that steers a live show from outside, or tells of it: one function for each kind of remote."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.app import openers
from engine.app.config import LiveConfig
from engine.app.learnt_controls import LearntControls
from engine.app.web import open_web
from engine.audio.sources.web import BrowserSound
from engine.control.remotes.midi.clock import MidiClock
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.clock import Clock
from engine.core.notice_log import NoticeLog
from engine.model.card import ModelCard
from engine.ops.health_monitor import HealthMonitor
from engine.output.preview.preview_sink import PreviewSink
from engine.web.show_control import MidiControl, ShowControl

if TYPE_CHECKING:
    from engine.control.remotes.osc import OscServer

OFF = "osc      off"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteParts:
    """What remotes get of a show."""

    config: LiveConfig
    access: RemoteAccess
    telemetry: Callable[[], Telemetry]
    notice_log: NoticeLog
    show_control: ShowControl
    """Scenes, playlist, models, inputs and mappings."""
    card: Callable[[], ModelCard]
    """The card of the model that plays."""
    preview: PreviewSink | None
    """What browsers see of it; None in a show without a page."""
    browser_sound: BrowserSound
    """Where browsers send the sound of their microphones to."""
    monitor: HealthMonitor
    clock: Clock
    midi_clock: MidiClock | None = None
    """Follows the clock of sequencers; None: every quarter note taps the beat."""
    releasing: ExitStack
    """Closes them at the end of the show."""


def open_remotes(parts: RemoteParts) -> list[str]:
    """Start the remotes that the configuration asks for, and return the lines of the start report that say where they are.

    Raises ConfigError for what was asked for and cannot be opened.
    """
    osc, lines = _open_osc(parts)
    midi = _open_midi(parts)
    # Last: it serves what the others have opened.
    return [*lines, *open_web(parts, midi, osc)]


def _open_midi(parts: RemoteParts) -> MidiControl | None:
    """Open the MIDI ports, and return what learns their controls; None where no port is asked for."""
    config = parts.config
    if not (config.midi or config.midi_clock_out):
        return None
    midi = openers.open_midi(config, parts.access, parts.midi_clock, parts.clock, parts.card())
    parts.releasing.callback(midi.close)
    if config.midi_clock_out:
        clock_out = openers.open_midi_clock_out(midi.ports, parts.telemetry, parts.access, parts.clock)
        parts.releasing.callback(clock_out.close)
    return LearntControls(midi.learning, midi.devices) if config.midi else None


def _open_osc(parts: RemoteParts) -> tuple[OscServer | None, list[str]]:
    config, lines = parts.config, [OFF]
    osc = openers.open_osc(config, parts.access, parts.monitor, parts.notice_log.tell)
    if osc:
        parts.releasing.callback(osc.close)
        osc.start()
        tcp = f", tcp port {osc.tcp_port}" if osc.tcp_port else ""
        lines = [f"osc      {osc.host} port {osc.port}{tcp}"]
    if config.osc_out:
        out = openers.open_osc_out(config, parts.access, osc, parts.telemetry, parts.notice_log, parts.clock)
        parts.releasing.callback(out.close)
        out.start()
        lines.append(f"osc out  {', '.join(config.osc_out)}, {config.osc_out_rate:g} times a second")
    return osc, lines
