"""What run_live.py does: one function for each thing that a user can ask for."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.app.command_line import ParsedCommand
from engine.app.config import LiveConfig
from engine.app.config_reading import describe
from engine.core.atomic_files import check_writable
from engine.core.counted import counted
from engine.core.errors import ConfigError, StoppedError
from engine.core.printable import print_line
from engine.core.stop_signals import StopRequest, handle_stop_signals

if TYPE_CHECKING:
    from engine.app.built_show import BuiltShow
    from engine.app.show_builder import ShowBuilder
    from engine.render.show import Show
    from engine.render.statistics import ShowStatistics

THREAD_SWITCH_S = 0.0005
BEFORE_THE_SHOW = "before the show began"


def say(line: str) -> None:
    """Print a line. A terminal that is gone does not end the show or cost its measurements."""
    with suppress(OSError, ValueError):
        print_line(line)


def list_devices() -> int:
    """Print the sound inputs, the one that `mic` takes first, what the machine plays, the loudspeakers and the monitors."""
    from engine.audio.sources.device_table import device_table
    from engine.audio.sources.portaudio import list_outputs
    from engine.core.errors import SinkError, SourceError
    from engine.output.window.monitors import list_monitors

    print_line(*device_table())
    # Without PortAudio the table has said so.
    with suppress(SourceError):
        for device in list_outputs():
            print_line(f"loudspeaker {device.name}  ({counted(device.channels, 'channel')}, {device.rate_hz} Hz)")
    try:
        for monitor in list_monitors():
            print_line(f"monitor {monitor}")
    except SinkError as error:
        print_line(error)
    return 0


def list_backends() -> int:
    """Print where models can run here, and what the other places lack."""
    from engine.model.backends.selection import backend_table

    print_line(*backend_table())
    return 0


def list_gallery() -> int:
    """Print the models that ship, with the frames that each gives and what it was trained on."""
    from engine.model.backends.selection import read_card
    from engine.model.shipped import shipped_models

    cards = {name: read_card(path) for name, path in shipped_models().items()}
    width = max(map(len, cards))
    for name, card in cards.items():
        size = f"{card.width} x {card.height}"
        print_line(f"{name:<{width}}  {size:>11}  {card.fps:>4.4g} fps  {card.provenance.source}")
    return 0


def describe_show(command: ParsedCommand) -> int:
    """Print the configuration and where each value comes from."""
    print_line(*describe(command.resolved, command.parameters))
    return 0


def calibrate_from_film(command: ParsedCommand, film: str) -> int:
    """Write the venue's latency as measured in a film of the flashing window."""
    from engine.ops.calibration.command import calibrate_from

    calibrate_from(film, command.venue, say=say, track=command.resolved.config.track)
    return 0


def calibrate_venue(command: ParsedCommand) -> int:
    """Play clicks, flash for each that the microphone receives, and write the venue's latency."""
    from engine.app.openers import open_window_sink
    from engine.audio.sources.registry import open_source
    from engine.control.parameter_store import ParameterStore
    from engine.ops.calibration.command import calibrate_here
    from engine.ops.calibration.venue import check_venue

    check_venue(command.venue)
    config = command.resolved.config
    # Clicks come back through one input.
    source = open_source(config.source[0] if config.source else "mic", live=True, capture=config.capture)
    window = open_window_sink(config, ParameterStore(command.parameters, config.controls))
    calibrate_here(source, window, command.venue, say=say)
    return 0


def play_show(command: ParsedCommand) -> int:
    """Play live, render or replay until the sound ends or a signal comes."""
    from engine.app.report import end_report
    from engine.app.show_builder import ShowBuilder
    from engine.core.clock import WallClock
    from engine.ops.health_monitor import HealthMonitor
    from engine.render.play import play

    stop = StopRequest()
    # To the end of the process: whatever is written after the show is written whole.
    handle_stop_signals(stop.ask)
    share_processor()
    config, monitor = command.resolved.config, HealthMonitor(WallClock())
    check_stats_file(config)
    built: BuiltShow | None = None
    with ExitStack() as releasing, suppress(StoppedError):
        built = _build(ShowBuilder(command, monitor, say, releasing, stop.is_asked), command)
        show = built.show
        stop.begin(lambda: goes_on_without_terminal(show))
        play(show, stop, built.seconds)
    report = end_report(monitor, built.controllers.switcher.card, command.film) if built else BEFORE_THE_SHOW
    say(("stopped: " if stop.is_set() else "played: ") + report)
    write_stats(config, monitor)
    return 0


def render_into_folder(command: ParsedCommand) -> int:
    """Render several sounds into a folder; return 2 where one could not be rendered."""
    assert command.render
    renderings = command.render.renderings()
    from engine.app.render_files import render_files

    stop = StopRequest()
    handle_stop_signals(stop.ask)
    share_processor()
    try:
        return render_files(command, renderings, stop)
    except StoppedError:
        say(f"stopped: {BEFORE_THE_SHOW}")
        return 0


def _build(builder: ShowBuilder, command: ParsedCommand) -> BuiltShow:
    if command.replay:
        return builder.replay(*command.replay)
    return builder.rendering(command.render.inputs, command.render.output) if command.render else builder.live()


def goes_on_without_terminal(show: Show) -> bool:
    """Tell whether a show whose terminal was closed still has something to play for, and say so in its log."""
    if show.is_kept_or_seen:
        show.runtime.notices.tell("The terminal was closed. The show goes on; SIGTERM ends it.")
    return show.is_kept_or_seen


def share_processor() -> None:
    """Let the threads of a show get in each other's way as little as can be."""
    import cv2

    # A thread that computes may keep the others from running for so long, and no longer.
    sys.setswitchinterval(THREAD_SWITCH_S)
    # Effects and upscaling would take the cores from the step.
    cv2.setNumThreads(1)


def check_stats_file(config: LiveConfig) -> None:
    """Refuse a place for the measurements that cannot be written, before the show rather than after it."""
    if config.stats:
        try:
            check_writable(Path(config.stats))
        except OSError as error:
            raise _unwritable(config.stats, error) from error


def write_stats(config: LiveConfig, statistics: ShowStatistics) -> None:
    """Write the measurements to the file that was asked for."""
    if config.stats:
        try:
            statistics.write_json(config.stats)
        except OSError as error:
            raise _unwritable(config.stats, error) from error


def _unwritable(file: str, error: OSError) -> ConfigError:
    return ConfigError(f"Cannot write {file}: {error.strerror}; choose another place with --stats.")
