"""The parts of a show beside its loop, each opened as the settings ask for it. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from engine.app.config import DEFAULT_OSC_PORT, LiveConfig
from engine.control.parameter_store import ParameterStore
from engine.core.errors import ConfigError

if TYPE_CHECKING:
    from engine.app.assembly import Assembly
    from engine.audio.sources.source import Source
    from engine.control.remotes.midi import MidiRemote
    from engine.control.remotes.osc import OscServer
    from engine.model.backends.backend import Backend
    from engine.ops.health_monitor import HealthMonitor
    from engine.output.sink import Sink, WindowSink


def open_model(config: LiveConfig, live: bool, climbed: Callable[[str], None], tell: Callable[[str], None]) -> Backend:
    """Open the model; live, "auto" goes on to another backend when one is lost."""
    from engine.model.backends.selection import open_backend, open_with_fallback

    if live:
        return open_with_fallback(config.model, config.backend, config.threads, climbed, tell)
    return open_backend(config.model, config.backend, config.threads, climbed)


def source_state(source: Source) -> str:
    """Say in words what is heard."""
    return f"{source.name}, stalled: it gives no sound" if source.stalled else source.name


def look_after(
    config: LiveConfig, source: Source, stats: HealthMonitor, say: Callable[[str], None], releasing: ExitStack
) -> Callable[[str], None]:
    """Begin to look after the show, and return what says its lines."""
    from engine.core.clock import WallClock
    from engine.ops.priority import raise_process
    from engine.ops.start import start_supervisor

    # Threads inherit it, so it comes before any of them.
    priority = raise_process()
    service = start_supervisor(
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


def open_window_sink(
    config: LiveConfig,
    store: ParameterStore,
    stats: HealthMonitor | None = None,
    show: Assembly | None = None,
    notify: Callable[[str], None] = print,
) -> WindowSink:
    """Choose the window, with an overlay about `show`."""
    from engine.app.overlay_lines import overlay_lines
    from engine.core.clock import WallClock
    from engine.output.window.window_choice import open_window

    clock = WallClock()

    def said(stats: HealthMonitor, show: Assembly) -> Sequence[str]:
        return overlay_lines(
            stats, clock.now_s(), show.scene_controller.name, show.switcher.card.fps, show.switcher.playing.name
        )

    def lines() -> Sequence[str]:
        return said(stats, show) if stats and show else ()

    return open_window(
        config.window,
        store,
        config.title,
        config.fullscreen,
        config.monitor,
        config.upscale,
        lines,
        next_scene=show.scene_controller.following if show else None,
        notify=notify,
    )


def recorder(config: LiveConfig, notify: Callable[[str], None]) -> Sink:
    """Return what records while the knob `record` is on."""
    from engine.output.recording.segments import SegmentedRecorder

    return SegmentedRecorder(
        config.recordings, segment_minutes=config.segment_minutes, keep_hours=config.keep_hours, notify=notify
    )


def open_osc(
    config: LiveConfig, store: ParameterStore, stats: HealthMonitor, say: Callable[[str], None]
) -> OscServer | None:
    """Begin to listen; a port that nobody asked for and that is taken costs a line, not the show."""
    if not config.osc:
        return None
    from engine.app.report import remote_figures
    from engine.control.remotes.osc import OscServer

    def figures() -> dict[str, float]:
        return {**remote_figures(stats), **server.counts.figures()}

    port = DEFAULT_OSC_PORT if config.osc_port is None else config.osc_port
    try:
        server = OscServer(store, config.osc_host, port, figures)
    except ConfigError as error:
        if config.osc_port is not None:
            raise
        say(f"{error} The show goes on without OSC.")
        return None
    return server


def open_midi(config: LiveConfig, store: ParameterStore, notify: Callable[[str], None]) -> MidiRemote:
    """Listen to the MIDI port that was asked for."""
    from engine.control.remotes.midi import MidiRemote

    midi = MidiRemote(store, config.midi or "", config.midi_knobs, notify)
    midi.start()
    notify(f"midi     {midi.name}")
    return midi
