"""The show: let sound move a picture. `python run_live.py` listens and opens a window; see --help.

Heavy libraries are imported by the functions that need them, so that --help and mistakes answer at once.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.command_line import Order, parse_order
from engine.config import DEFAULT_OSC_PORT, LiveConfig, describe
from engine.errors import ConfigError, SinkError, run_main
from engine.parameters import ControlBox

if TYPE_CHECKING:
    from engine.remotes.osc import OscServer
    from engine.session import Session
    from engine.sinks.registry import Outputs
    from engine.sources.source import Source
    from engine.stats import Stats

WITHOUT_SCREEN = "show.mp4"
WITHOUT_SCREEN_S = 10.0
SWITCH_INTERVAL_S = 0.0005
"""A thread waiting for the interpreter gets it this soon; the default of 5 ms would show in the age of a picture."""


def main() -> int:
    order = parse_order(sys.argv[1:])
    if order is None:
        return list_devices()
    if order.dry_run:
        print("\n".join(describe(order.resolved, order.parameters)))
        return 0
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop = stop_on_signals()
    return render(order, stop) if order.render else perform(order, stop)


def list_devices() -> int:
    """Print the sound inputs."""
    from engine.sources.portaudio import list_inputs

    devices = list_inputs()
    for device in devices:
        mark = "*" if device.is_default else " "
        print(f"{mark} mic:{device.name}  ({device.channels} channels, {device.rate_hz} Hz)")
    print("* is what --source mic takes." if devices else "There is no sound input; --source demo needs none.")
    return 0


def stop_on_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set, so that files are closed properly; a second Ctrl-C leaves at once."""
    stop = threading.Event()

    def ask_to_stop(number: int, frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    return stop


def perform(order: Order, stop: threading.Event) -> int:
    """Play live until it is stopped, the window is closed or the time is over."""
    from engine.sinks.registry import open_sinks

    config, seconds = order.resolved.config, order.resolved.config.seconds
    specs = config.out
    if not specs:
        specs, seconds = choose_output(seconds)
    box = ControlBox(order.parameters, config.controls)
    session = open_session(config)
    source = choose_source(config)
    outputs = open_sinks(specs, box, config.title, config.fullscreen)
    announce(session, source.name, ", ".join(specs))
    stats = new_stats()
    osc = start_osc(config, box, stats)
    try:
        run(session, source, outputs, box, stats, stop, seconds)
    finally:
        if osc:
            osc.close()
        finish(config, stats)
    return 0


def render(order: Order, stop: threading.Event) -> int:
    """Play a file into a file through the same loop, as fast as it goes."""
    from engine.sinks.progress import ProgressSink
    from engine.sinks.registry import open_sinks
    from engine.sources.registry import open_source

    assert order.render
    sound, output = order.render
    config = order.resolved.config
    box = ControlBox(order.parameters, config.controls)
    source = open_source(sound, live=False)
    outputs = open_sinks([output], box)
    if outputs.presenter:
        raise SinkError("--render needs a file to write, e.g. out.mp4, not the window.")
    session = open_session(config)
    announce(session, source.name, output)
    outputs.sinks.append(ProgressSink())
    stats = new_stats()
    try:
        run(session, source, outputs, box, stats, stop, config.seconds)
    finally:
        finish(config, stats)
    return 0


def run(
    session: Session,
    source: Source,
    outputs: Outputs,
    box: ControlBox,
    stats: Stats,
    stop: threading.Event,
    seconds: float | None,
) -> None:
    """Hand everything to the one loop."""
    from engine.clock import WallClock
    from engine.loop import play

    play(
        source,
        session,
        outputs.sinks,
        controls_box=box,
        clock=WallClock(),
        stats=stats,
        stop=stop,
        presenter=outputs.presenter,
        seconds=seconds,
        notify=tell,
    )


def choose_output(seconds: float | None) -> tuple[tuple[str, ...], float | None]:
    """Return the outputs and the length of a show for which none was named: the window if there is a screen."""
    from engine.sinks.screen import has_screen

    if has_screen():
        return ("window",), seconds
    seconds = seconds or WITHOUT_SCREEN_S
    tell(f"No screen was found; writing {seconds:g} s to {WITHOUT_SCREEN} instead (choose with --out).")
    return (WITHOUT_SCREEN,), seconds


def choose_source(config: LiveConfig) -> Source:
    """Open the source that was named, else the microphone, else the demo sound."""
    from engine.sources.portaudio import has_microphone
    from engine.sources.registry import open_source

    spec = config.source
    if spec is None:
        spec = "mic" if has_microphone() else "demo"
        if spec == "demo":
            tell("No microphone was found; playing the built-in demo sound (choose with --source).")
    return open_source(spec, live=True, repeat=config.repeat)


def open_session(config: LiveConfig) -> Session:
    """Open the model on the backend that was asked for."""
    from engine.backends.ladder import open_backend
    from engine.session import Session

    return Session(open_backend(config.model, config.backend, config.threads, tell))


def start_osc(config: LiveConfig, box: ControlBox, stats: Stats) -> OscServer | None:
    """Listen to remotes; a default port that is taken is told and done without, a port that was asked for must be free."""
    if not config.osc:
        return None
    from engine.remotes.osc import OscServer

    def figures() -> Mapping[str, float]:
        return {
            "hops": stats.hops,
            "skipped_hops": stats.skipped_hops,
            "age_p50_ms": 1e3 * stats.handed_age.percentile_s(50),
            "age_p95_ms": 1e3 * stats.handed_age.percentile_s(95),
            "osc_refused": box.refused,
        }

    try:
        server = OscServer(
            box, config.osc_host, DEFAULT_OSC_PORT if config.osc_port is None else config.osc_port, figures
        )
    except ConfigError as error:
        if config.osc_port is not None:
            raise
        tell(f"{error} The show goes on without OSC.")
        return None
    server.start()
    tell(f"osc      udp {server.host}:{server.port}, addresses in docs/osc.md")
    return server


def announce(session: Session, source: str, output: str) -> None:
    """Print what plays, and how long a sound takes to a picture as far as it is known."""
    card = session.card
    origin = card.provenance
    tell(f"model    {card.name}: {origin.source}, {origin.licence}, {origin.iterations} iterations")
    tell(f"picture  {card.width}x{card.height} at {card.fps:g} fps on {session.backend.description}")
    tell(f"sound    {source}")
    tell(f"output   {output}")
    tell(
        f"latency  0 to {1e3 * card.hop_s:g} ms for the hop + {1e3 * card.look_ahead_s:g} ms look-ahead + the age of the frame"
    )


def new_stats() -> Stats:
    """Return empty statistics."""
    from engine.stats import Stats

    return Stats()


def finish(config: LiveConfig, stats: Stats) -> None:
    """Write the measurements if asked to, and say in one line how the show went."""
    age = stats.shown_age if stats.shown_age.summary()["count"] else stats.handed_age
    aged = f", age p50 {1e3 * age.percentile_s(50):.0f} ms, p95 {1e3 * age.percentile_s(95):.0f} ms"
    tell(f"{stats.steps} frames, {stats.skipped_hops} skipped{aged if age.summary()['count'] else ''}")
    if config.stats:
        try:
            stats.write_json(Path(config.stats))
        except OSError as error:
            raise SinkError(f"Cannot write the statistics to {config.stats}: {error.strerror}.") from error


def tell(line: str) -> None:
    """Print a line for the user at once."""
    print(line, flush=True)


if __name__ == "__main__":
    run_main(main)
