"""The parts of a show beside its loop, each opened as the settings ask for it. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from engine.config import DEFAULT_OSC_PORT, LiveConfig
from engine.control_box import ControlBox
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.backends.backend import Backend
    from engine.remotes.midi import MidiRemote
    from engine.remotes.osc import OscServer
    from engine.service.vitals import Vitals
    from engine.show.assembly import Assembly
    from engine.sinks.sink import Presenter, Sink
    from engine.sources.source import Source


def open_model(config: LiveConfig, live: bool, climbed: Callable[[str], None], tell: Callable[[str], None]) -> Backend:
    """Open the model; live, "auto" goes on to another backend when one is lost."""
    from engine.backends.ladder import open_backend, open_enduring

    if live:
        return open_enduring(config.model, config.backend, config.threads, climbed, tell)
    return open_backend(config.model, config.backend, config.threads, climbed)


def source_state(source: Source) -> str:
    """Say in words what is heard."""
    return f"{source.name}, silent: it gives no sound" if getattr(source, "stalled", False) else source.name


def look_after(
    config: LiveConfig, source: Source, stats: Vitals, say: Callable[[str], None], releasing: ExitStack
) -> Callable[[str], None]:
    """Begin to look after the show, and return what says its lines."""
    from engine.clock import WallClock
    from engine.service.opening import open_service
    from engine.service.priority import raise_process

    # Threads inherit it, so it comes before any of them.
    priority = raise_process()
    service = open_service(
        stats,
        WallClock(),
        say=say,
        log=config.log,
        health_host=config.health_host,
        health_port=config.health_port,
        facts={"model": config.model, "source": source.name, "outputs": list(config.out), "priority": priority},
        releasing=releasing,
    )
    return service.tell


def open_presenter(
    config: LiveConfig,
    box: ControlBox,
    stats: Vitals | None = None,
    show: Assembly | None = None,
    notify: Callable[[str], None] = print,
) -> Presenter:
    """Choose the window, with an overlay about `show`."""
    from engine.clock import WallClock
    from engine.overlay_lines import overlay_lines
    from engine.sinks.window_choice import open_window

    clock = WallClock()

    def said(stats: Vitals, show: Assembly) -> Sequence[str]:
        return overlay_lines(stats, clock.now_s(), show.desk.name, show.deck.card.fps, show.deck.playing.name)

    def lines() -> Sequence[str]:
        return said(stats, show) if stats and show else ()

    return open_window(
        config.window,
        box,
        config.title,
        config.fullscreen,
        config.monitor,
        config.upscale,
        lines,
        next_scene=show.desk.following if show else None,
        notify=notify,
    )


def recorder(config: LiveConfig, notify: Callable[[str], None]) -> Sink:
    """Return what records while the knob `record` is on."""
    from engine.sinks.segments import SegmentedRecorder

    return SegmentedRecorder(
        config.recordings, segment_minutes=config.segment_minutes, keep_hours=config.keep_hours, notify=notify
    )


def open_osc(config: LiveConfig, box: ControlBox, stats: Vitals, say: Callable[[str], None]) -> OscServer | None:
    """Begin to listen; a port that nobody asked for and that is taken costs a line, not the show."""
    if not config.osc:
        return None
    from engine.announcement import remote_figures
    from engine.remotes.osc import OscServer

    def figures() -> dict[str, float]:
        return {**remote_figures(stats), **server.counts.figures()}

    port = DEFAULT_OSC_PORT if config.osc_port is None else config.osc_port
    try:
        server = OscServer(box, config.osc_host, port, figures)
    except ConfigError as error:
        if config.osc_port is not None:
            raise
        say(f"{error} The show goes on without OSC.")
        return None
    return server


def open_midi(config: LiveConfig, box: ControlBox, notify: Callable[[str], None]) -> MidiRemote:
    """Listen to the MIDI port that was asked for."""
    from engine.remotes.midi import MidiRemote

    midi = MidiRemote(box, config.midi or "", config.midi_knobs, notify)
    midi.start()
    notify(f"midi     {midi.name}")
    return midi
