"""Opens the parts of a show that its configuration asks for. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from engine.app.config import DEFAULT_OSC_PORT, WHERE_HEARD, LiveConfig
from engine.control.parameter_store import ParameterStore
from engine.core.errors import ConfigError, MediaError, SourceError
from engine.core.printable import printable

if TYPE_CHECKING:
    from engine.app.assembly import Controllers
    from engine.app.listening import Listening
    from engine.audio.source import Source
    from engine.audio.sources.inputs import OpenInputs
    from engine.control.parameter import Value
    from engine.control.remotes.midi.clock import MidiClock
    from engine.control.remotes.midi.clock_out import MidiClockOut
    from engine.control.remotes.midi.midi_remote import MidiRemote
    from engine.control.remotes.midi.ports import MidiPorts
    from engine.control.remotes.osc import OscServer
    from engine.control.remotes.osc_out import OscOut
    from engine.control.remotes.remote_access import RemoteAccess
    from engine.control.telemetry import Telemetry
    from engine.core.clock import Clock
    from engine.core.notice_log import NoticeLog
    from engine.model.backend import Backend
    from engine.model.backends.first_test import FirstTestWatch
    from engine.model.card import ModelCard
    from engine.model.context.opening import ShowContext
    from engine.ops.health_monitor import HealthMonitor
    from engine.output.sink import Sink, WindowSink
    from engine.takes.replay import Take


def open_model(
    config: LiveConfig,
    live: bool,
    selected: Callable[[str], None],
    tell: Callable[[str], None],
    watch: FirstTestWatch,
) -> Backend:
    """Open the model; live, "auto" goes on to another backend when one is lost. Raises StoppedError where `watch` stops its first
    test."""
    from engine.model.backends.selection import open_backend, open_with_fallback

    if live:
        return open_with_fallback(config.model, config.backend, config.threads, selected, tell, watch)
    return open_backend(config.model, config.backend, config.threads, selected, tell, watch)


def open_context(config: LiveConfig, card: ModelCard, live: bool, tell: Callable[[str], None]) -> ShowContext:
    """Return the context that the configuration asks for.

    Raises ConfigError where the first model, that of `card`, looks at none, and where an output would take its place.
    """
    from engine.model.context.opening import ShowContext

    context = ShowContext(config.context, tell, live=live)
    context.check(card)
    context.check_outputs(config.out)
    return context


def open_replayed_context(
    config: LiveConfig, take: Take, card: ModelCard, output: str, tell: Callable[[str], None]
) -> ShowContext:
    """Return the context of a take, or the one that is given in its place, and tell what differs.

    Raises ConfigError where the model looks at none, and where `output` would take its place.
    """
    from engine.model.context.opening import GIVE_ANOTHER, GIVE_IT_AGAIN, ShowContext
    from engine.takes.replay import context_differences

    way_out = GIVE_ANOTHER if config.context else GIVE_IT_AGAIN
    context = ShowContext(config.context or take.header.context, tell, way_out=way_out)
    context.check_outputs((output,))
    if take.header.context is None:
        context.check(card)
    for line in context_differences(take.header, config.context, context.sha256):
        tell(line)
    return context


def listen(
    config: LiveConfig,
    inputs: OpenInputs,
    values: Callable[[], Mapping[str, Value]],
    clock: Clock,
    notify: Callable[[str], None],
    releasing: ExitStack,
) -> Listening | None:
    """Open the loudspeaker that the configuration asks for; None where the show is not listened to, or where it need not be and
    cannot. Raises UserError."""
    if config.listen is None or not inputs.source.live:
        return None
    from engine.app.listening import Listening
    from engine.control.parameter_table import ShowValues

    try:
        listening = Listening(config, inputs, clock, lambda: 1e-3 * ShowValues(values()).listen_delay_ms)
    except SourceError as error:
        if config.listen != WHERE_HEARD:
            raise
        notify(f"{error} The show goes on unheard.")
        return None
    releasing.callback(listening.loudspeaker.close)
    # Called first: the show is over then, or could not begin.
    releasing.callback(lambda: notify(listening.summary()) if listening.loudspeaker.has_sound else None)
    return listening


def source_state(source: Source) -> str:
    """Return the name of the source, and whether it stalls, for the status."""
    return f"{source.name}, stalled: it gives no sound" if source.stalled else source.name


def supervise(
    config: LiveConfig,
    source: Source,
    monitor: HealthMonitor,
    say: Callable[[str], None],
    releasing: ExitStack,
) -> Callable[[str], None]:
    """Start what looks after a live show, and return what says and logs its lines. Raises ConfigError for log and port."""
    from engine.core.clock import WallClock
    from engine.ops.priority import raise_process
    from engine.ops.start import start_supervisor

    # Threads inherit it, so it comes before any of them.
    priority = raise_process(releasing)
    supervisor = start_supervisor(
        monitor,
        WallClock(),
        say=say,
        log=config.log,
        health_host=config.health_host,
        health_port=config.health_port,
        facts={"model": config.model, "source": source.name, "outputs": list(config.out), "priority": priority},
        releasing=releasing,
    )
    return supervisor.tell


OverlayLines = Callable[[], Sequence[str]]
"""Gives what the window's overlay says of the show."""


def overlay_of(monitor: HealthMonitor, controllers: Controllers, clock: Clock) -> OverlayLines:
    """Return what gives the overlay's lines for a show."""
    from engine.app.overlay_lines import overlay_lines

    switcher, scenes = controllers.switcher, controllers.scene_controller

    def lines() -> Sequence[str]:
        return overlay_lines(monitor, clock.now_s(), scenes.name, switcher.card.fps, switcher.playing.name)

    return lines


def open_window_sink(
    config: LiveConfig,
    store: ParameterStore,
    overlay: OverlayLines = tuple,
    is_recording_take: Callable[[], bool] = bool,
    notify: Callable[[str], None] = print,
) -> WindowSink:
    """Make the window that the configuration asks for. Raises SinkError for one that there is not."""
    from engine.output.window.window_choice import make_window
    from engine.output.window.window_config import WindowConfig

    window = WindowConfig(
        title=printable(config.title),
        fullscreen=config.fullscreen,
        monitor=config.monitor,
        upscale=config.upscale,
        overlay_lines=overlay,
        is_recording_take=is_recording_take,
    )
    return make_window(config.window, store, window, notify)


def recorder(config: LiveConfig, notify: Callable[[str], None]) -> Sink:
    """Return the sink that records while the parameter `record` is on."""
    from engine.output.recording.segment_writer import RecordingConfig
    from engine.output.recording.segments import SegmentedRecorder

    recording = RecordingConfig(
        folder=Path(config.recordings), segment_minutes=config.segment_minutes, keep_hours=config.keep_hours
    )
    return SegmentedRecorder(recording, notify=notify)


def duration_s(sources: Sequence[str], seconds: float | None) -> float | None:
    """Return how much of the first of some sources will be rendered, at most `seconds`, if it is a file that says how long it is."""
    from engine.audio.sources.spec import parse_spec

    path = parse_spec(sources[0]).detail if sources else ""
    if not path or not Path(path).is_file():
        return seconds
    from engine.media.opening import duration_s as file_duration_s

    try:
        known_s = file_duration_s(path)
    except MediaError:
        return seconds
    return seconds if known_s is None else min(known_s, seconds or known_s)


def open_osc(
    config: LiveConfig, access: RemoteAccess, stats: HealthMonitor, say: Callable[[str], None]
) -> OscServer | None:
    """Begin to listen; a port that nobody asked for and that is taken costs a line, not the show."""
    if not config.osc:
        if config.osc_tcp is not None:
            raise ConfigError(f"osc_tcp is {config.osc_tcp} and osc is off; leave out --osc-tcp or --no-osc.")
        return None
    from engine.app.report import remote_figures
    from engine.control.remotes.osc import OscServer
    from engine.control.remotes.osc_senders import AllowedSenders

    def figures() -> dict[str, float]:
        return {**remote_figures(stats), **server.counts.figures()}

    port = DEFAULT_OSC_PORT if config.osc_port is None else config.osc_port
    allowed = AllowedSenders(config.osc_allow)
    try:
        server = OscServer(access, config.osc_host, port, figures, allowed)
        if config.osc_tcp is not None:
            server.listen_to_tcp(config.osc_tcp)
    except ConfigError as error:
        if config.osc_port is not None or config.osc_tcp is not None:
            raise
        say(f"{error} The show goes on without OSC.")
        return None
    return server


def open_osc_out(
    config: LiveConfig,
    access: RemoteAccess,
    server: OscServer | None,
    telemetry: Callable[[], Telemetry],
    notice_log: NoticeLog,
    clock: Clock,
) -> OscOut:
    """Prepare to tell the listeners that were asked for. Raises ConfigError for what is no address."""
    from engine.control.remotes.osc_feedback import Feedback
    from engine.control.remotes.osc_listeners import Listener, parse_listener
    from engine.control.remotes.osc_out import OscOut

    addresses = dict.fromkeys(map(parse_listener, config.osc_out))
    listeners = [Listener(address, notice_log.tell, server) for address in addresses]
    feedback = server.feedback if server else Feedback(access, clock)
    return OscOut(listeners, telemetry, notice_log, feedback, clock, config.osc_out_rate)


def open_midi(
    config: LiveConfig, access: RemoteAccess, follow_clock: MidiClock | None, clock: Clock, card: ModelCard
) -> MidiRemote:
    """Listen to the MIDI ports that were asked for, now or as soon as they are there. `card` is that of the model that begins."""
    from engine.control.left_out import left_out_controls
    from engine.control.remotes.midi.controller_folder import read_given
    from engine.control.remotes.midi.midi_remote import MidiRemote, MidiWishes
    from engine.control.remotes.midi.ports import AskedPorts

    wishes = MidiWishes(
        asked=AskedPorts(ports=config.midi, clock_out=config.midi_clock_out, api=config.midi_api),
        parameters=config.midi_parameters,
        given=read_given(config.controller),
        left_out=left_out_controls(card),
        folder=config.controllers,
    )
    midi = MidiRemote(access, wishes, follow_clock, clock=clock)
    midi.start()
    return midi


def open_midi_clock_out(
    ports: MidiPorts, telemetry: Callable[[], Telemetry], access: RemoteAccess, clock: Clock
) -> MidiClockOut:
    """Send the show's beat to the port that was asked for."""
    from engine.control.remotes.midi.clock_out import MidiClockOut

    clock_out = MidiClockOut(ports, telemetry, access.values, clock)
    clock_out.start()
    return clock_out
