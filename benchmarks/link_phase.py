"""The beat of a show beside that of another peer in its Ableton Link session, in another process.

    python -m benchmarks.link_phase [--minutes 10] [--leads] [--no-record]

A whole show plays the demo sound without a window. It follows the session, or with --leads it leads it by the beat that it hears.
Every 50 ms its beat is compared with the peer's at the same time: the session as the show's process knows it, and the show's own
beat, which telemetry and effects use. Needs multicast on loopback; nothing else on the network may be in a session.
"""

from __future__ import annotations

import argparse
import threading
from contextlib import ExitStack

import numpy as np

from benchmarks.link_peer import LinkPeer, off_s
from benchmarks.record import append_record, print_table
from engine.app.command_line import ParsedCommand, parse_command
from engine.app.config import LiveConfig
from engine.app.show_builder import ShowBuilder
from engine.app.tempo import open_tempo
from engine.control.parameter_store import ParameterStore
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.ops.health_monitor import HealthMonitor
from engine.render.play import play

COMPARED_EVERY_S = 0.05
SETTLES_S = 15.0
PEER_BPM = 127.3
LIMIT_MS = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the beat phase between a show and another Link peer.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--leads", action="store_true", help="the show hears the beat and leads the session")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    off_ms = measure(60.0 * arguments.minutes, arguments.leads)
    rows = [
        (what, len(errors), float(np.median(errors)), *(float(np.percentile(np.abs(errors), p)) for p in (95, 99, 100)))
        for what, errors in off_ms.items()
    ]
    print_table(("beat of", "compared", "median ms", "p95 |ms|", "p99 |ms|", "worst |ms|"), rows)
    figures = {
        what: {"compared": count, "median_ms": median, "p95_ms": p95, "p99_ms": p99, "worst_ms": worst}
        for what, count, median, p95, p99, worst in rows
    }
    if not arguments.no_record:
        direction = "leads" if arguments.leads else "follows"
        record = {"minutes": arguments.minutes, "direction": direction, "limit_ms": LIMIT_MS, **figures}
        append_record("link_phase", record)
    return 0


def measure(seconds: float, leads: bool) -> dict[str, list[float]]:
    """Return the distances from the peer in milliseconds, of the session and of the show's beat. Raises ConfigError without a peer."""
    source = "sound" if leads else "link"
    command = parse_command(["--source", "demo", "--out", "null", "--no-osc", "--tempo-source", source])
    assert isinstance(command, ParsedCommand)
    clock, stop = WallClock(), threading.Event()
    with ExitStack() as releasing:
        peer = LinkPeer(PEER_BPM)
        releasing.callback(peer.close)
        clock.sleep(1.0)
        built = ShowBuilder(command, HealthMonitor(clock), print, releasing).live()
        capture, store = built.show.capture, built.store
        assert isinstance(store, ParameterStore)
        tempo = open_tempo(LiveConfig(link=True), RemoteAccess(store), store, capture, clock, releasing)
        playing = threading.Thread(target=play, args=(built.show, stop, None))
        playing.start()
        try:
            clock.sleep(SETTLES_S)
            if not tempo.link or not tempo.link.peers:
                raise ConfigError("No other Link peer is found; this benchmark needs multicast on loopback.")
            session_ms, show_ms = list[float](), list[float]()
            end_s = clock.now_s() + seconds
            while clock.now_s() < end_s and playing.is_alive():
                clock.sleep(COMPARED_EVERY_S)
                there, now_s = peer.position, clock.now_s()
                here = tempo.link.position(now_s)
                if here:
                    session_ms.append(1e3 * off_s(here.beats_at(there.at_s), there))
                show = capture.features_now(now_s, 0.0)
                beats = show.beats - (now_s - there.at_s) * show.tempo_bpm / 60.0
                show_ms.append(1e3 * off_s(beats, there))
            return {"session": session_ms, "show": show_ms}
        finally:
            stop.set()
            playing.join()


if __name__ == "__main__":
    run_main(main)
