"""Opens everything that steers a live show from outside, or tells of it: one function for each kind of remote."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from engine.app import openers
from engine.app.config import LiveConfig
from engine.app.web import open_web
from engine.audio.sources.web import BrowserSound
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.clock import Clock
from engine.core.notice_log import NoticeLog
from engine.model.card import ModelCard
from engine.ops.health_monitor import HealthMonitor
from engine.output.preview.preview_sink import PreviewSink
from engine.web.show_control import ShowControl

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
    releasing: ExitStack
    """Closes them at the end of the show."""


def open_remotes(parts: RemoteParts) -> list[str]:
    """Start the remotes that the configuration asks for, and return the lines of the start report that say where they are.

    Raises ConfigError for what was asked for and cannot be opened.
    """
    lines = [_open_osc(parts)]
    if parts.config.midi:
        parts.releasing.callback(openers.open_midi(parts.config, parts.access).close)
    # Last: it serves what the others have opened.
    return [*lines, *open_web(parts, None)]


def _open_osc(parts: RemoteParts) -> str:
    osc = openers.open_osc(parts.config, parts.access, parts.monitor, parts.notice_log.tell)
    if osc is None:
        return OFF
    parts.releasing.callback(osc.close)
    osc.start()
    return f"osc      {osc.host} port {osc.port}"
