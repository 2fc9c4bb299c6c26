"""Plays a show: `python run_live.py` listens to the microphone and opens a window. See --help."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from engine.app.command_line import ParsedCommand, parse_order
from engine.app.config import LiveConfig, describe
from engine.app.parts import look_after, open_midi, open_model, open_osc, open_window_sink, recorder, source_state
from engine.control.parameter_store import ParameterStore
from engine.core.errors import ConfigError, SourceError, run_main
from engine.core.free_path import free_path
from engine.output.registry import WINDOW

if TYPE_CHECKING:
    from engine.audio.sources.source import Source
    from engine.model.card import ModelCard
    from engine.ops.health_monitor import HealthMonitor
    from engine.output.sink import Sink
    from engine.render.statistics import ShowStatistics


HEADLESS_OUTPUT, HEADLESS_SECONDS = "show.mp4", 10.0
THREAD_SWITCH_S = 0.0005


def main() -> int:
    order = parse_order(sys.argv[1:])
    if order == "devices":
        return list_devices()
    if order == "backends":
        return list_backends()
    for notice in order.resolved.notices:
        say(notice)
    if order.dry_run:
        print("\n".join(describe(order.resolved, order.parameters)))
        return 0
    if order.calibrate_from:
        from engine.ops.calibration.command import calibrate_from

        calibrate_from(order.calibrate_from, say=say)
        return 0
    return calibrate_venue(order) if order.calibrate else play_show(order)


def list_devices() -> int:
    """Print the sound inputs, the one that `mic` takes first, and the monitors."""
    from engine.audio.sources.portaudio import list_inputs

    devices = list_inputs()
    for device in devices:
        print(f"mic:{device.name}  ({device.channels} channels, {device.rate_hz} Hz)")
    if not devices:
        print("No microphone or other sound input was found.")
    for line in screens():
        print(line)
    return 0


def screens() -> list[str]:
    """Return a line for each monitor that a window can be sent to, as far as they can be listed here."""
    from engine.core.errors import SinkError
    from engine.output.window.monitors import list_monitors

    try:
        return [f"monitor {monitor}" for monitor in list_monitors()]
    except SinkError as error:
        return [str(error)]


def list_backends() -> int:
    """Print where models can run here, and what the other places lack."""
    from engine.model.backends.selection import backend_table

    print("\n".join(backend_table()))
    return 0


def calibrate_venue(order: ParsedCommand) -> int:
    """Play clicks, flash for each that the microphone hears, and write what that says of the venue."""
    from engine.audio.sources.registry import open_source
    from engine.ops.calibration.command import calibrate_here

    config = order.resolved.config
    source = open_source(config.source or "mic", live=True)
    window = open_window_sink(config, ParameterStore(order.parameters, config.controls))
    calibrate_here(source, window, say=say)
    return 0


def play_show(order: ParsedCommand) -> int:
    """Play live, render or replay, as was asked for, until the end or a signal."""
    from engine.app.report import closing
    from engine.core.clock import WallClock
    from engine.ops.health_monitor import HealthMonitor

    stop = stop_on_signals()
    share_processor()
    config, stats = order.resolved.config, HealthMonitor(WallClock())
    check_stats_file(config)
    with ExitStack() as releasing:
        card = order.card
        if order.replay:
            card = replay_take(order, order.replay, stats, stop)
        else:
            config, source = choose_rendering(config, order.render) if order.render else choose_live(config)
            releasing.callback(source.close)
            perform(order, config, source, stats, stop, releasing)
    say(("stopped: " if stop.is_set() else "played: ") + closing(stats, card))
    write_stats(config, stats)
    return 0


def share_processor() -> None:
    """Let the threads of a show get in each other's way as little as can be."""
    import cv2

    # A thread that computes may keep the others from running for so long, and no longer.
    sys.setswitchinterval(THREAD_SWITCH_S)
    # Effects and upscaling would take the cores from the step.
    cv2.setNumThreads(1)


def perform(
    order: ParsedCommand,
    config: LiveConfig,
    source: Source,
    stats: HealthMonitor,
    stop: threading.Event,
    releasing: ExitStack,
) -> None:
    """Put the parts together, announce them and play."""
    from engine.app.assembly import assemble_show
    from engine.app.report import opening
    from engine.core.clock import WallClock
    from engine.output.registry import open_sinks
    from engine.render.play import play

    clock, store = WallClock(), ParameterStore(order.parameters, config.controls, say)
    sinks = open_sinks(config.out)
    tell = look_after(config, source, stats, say, releasing) if source.live else say
    # "auto" says where it stopped and why.
    climbed: list[str] = []
    backend = open_model(config, source.live, climbed.append, tell)
    show = assemble_show(config, backend, source, store, clock, tell, releasing)
    # The deck's, since another model may come to play.
    stats.describe_source = lambda: source_state(source)
    stats.describe_backend = lambda: show.switcher.backend.description
    window = open_window_sink(config, store, stats, show, tell) if WINDOW in config.out else None
    stats.has_window = window is not None
    sinks.append(recorder(config, tell) if source.live else progress(order, config))
    osc = None if order.render else open_osc(config, store, stats, say)
    if osc:
        releasing.callback(osc.close)
        osc.start()
    if config.midi and not order.render:
        releasing.callback(open_midi(config, store, tell).close)
    for line in opening(backend, climbed, source, config.out, f"{osc.host} port {osc.port}" if osc else "off"):
        tell(line)
    play(
        show.source,
        show.switcher,
        sinks,
        store=store,
        clock=clock,
        stats=stats,
        stop=stop,
        window=window,
        seconds=config.seconds,
        notify=tell,
        direction=show.direction,
    )


def replay_take(
    order: ParsedCommand, replay: tuple[str, str], stats: HealthMonitor, stop: threading.Event
) -> ModelCard:
    """Render a take once more, and return the card of the model that it began with."""
    from engine.app.assembly import assemble_replay
    from engine.control.parameter_table import parameters_for
    from engine.core.clock import WallClock
    from engine.model.backends.selection import open_backend
    from engine.output.progress import ProgressBar
    from engine.output.registry import open_sinks
    from engine.output.resized import ResizedSink, parse_size
    from engine.render.play import play
    from engine.takes.replay import ReplayedControls, TakeSource, differences, read_take

    folder, output = replay
    take = read_take(folder, order.resolved.config.model if order.resolved.origins.get("model") else None)
    backend = open_backend(take.model, take.header.backend, take.header.threads)
    for line in differences(take, backend):
        say(line)
    source = TakeSource(take)
    store = ReplayedControls(take, source, parameters_for(backend.card))
    show = assemble_replay(take, source, backend, store, WallClock(), say)
    sinks: list[Sink] = [
        ResizedSink(sink, *parse_size(order.size)) if order.size else sink for sink in open_sinks((output,))
    ]
    sinks.append(ProgressBar(take.seconds))
    play(
        source,
        show.switcher,
        sinks,
        store=store,
        clock=WallClock(),
        stats=stats,
        stop=stop,
        notify=say,
        direction=show.direction,
    )
    return backend.card


def progress(order: ParsedCommand, config: LiveConfig) -> Sink:
    """Return what tells how far a rendering has come."""
    from engine.output.progress import ProgressBar

    return ProgressBar(duration_s(order.render[0], config.seconds) if order.render else None)


def stop_on_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    return stop


def choose_rendering(config: LiveConfig, render: tuple[str, str]) -> tuple[LiveConfig, Source]:
    """Open the sound to render; it is all there at once."""
    from engine.audio.sources.registry import open_source

    source, output = render
    return replace(config, source=source, out=(output,)), open_source(source, live=False)


def choose_live(config: LiveConfig) -> tuple[LiveConfig, Source]:
    """Open the source, and fill in what was left to the engine, saying so where a machine lacks a part."""
    from engine.audio.sources.registry import open_source
    from engine.output.window.screen import has_screen

    if not config.out and has_screen():
        config = replace(config, out=(WINDOW,))
    elif not config.out:
        config = replace(config, out=(HEADLESS_OUTPUT,), seconds=config.seconds or HEADLESS_SECONDS)
        say(f"No screen answers, so {config.seconds:g} s are written to a file; choose with --out.")
    # What a show before this one has left is not written over.
    config = replace(config, out=tuple(str(free_path(name)) if Path(name).suffix else name for name in config.out))
    if config.source:
        return config, open_source(config.source, live=True, repeat=config.repeat)
    return config, microphone_or_demo()


def microphone_or_demo() -> Source:
    """Open the default microphone once, to see that it can be; play the demo where it cannot."""
    from engine.audio.sources.registry import open_source

    try:
        trial = open_source("mic", live=True)
        try:
            trial.start()
        finally:
            trial.close()
        return open_source("mic", live=True)
    except SourceError as error:
        say(f"{error} Playing 'demo'; choose with --source.")
        return open_source("demo", live=True)


def duration_s(sound: str, limit_s: float | None) -> float | None:
    """Return how much of a file will be rendered, if it says how long it is."""
    if not Path(sound).is_file():
        return limit_s
    import av

    with av.open(sound) as container:
        known_s = None if container.duration is None else container.duration / av.time_base
    return limit_s if known_s is None else min(known_s, limit_s or known_s)


def check_stats_file(config: LiveConfig) -> None:
    """Refuse a place for the measurements that cannot be written, before the show rather than after it."""
    if config.stats and not Path(config.stats).absolute().parent.is_dir():
        raise ConfigError(f"Cannot write {config.stats}: there is no such folder; choose another place with --stats.")


def write_stats(config: LiveConfig, stats: ShowStatistics) -> None:
    """Write the measurements to the file that was asked for."""
    if config.stats:
        try:
            stats.write_json(config.stats)
        except OSError as error:
            raise ConfigError(f"Cannot write {config.stats}: {error.strerror}; choose another with --stats.") from error


def say(line: str) -> None:
    """Print a line; a terminal that is gone keeps nobody from playing on and from writing the measurements."""
    with suppress(OSError, ValueError):
        print(line, flush=True)


if __name__ == "__main__":
    run_main(main)
