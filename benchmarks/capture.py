"""How soon sound reaches a program, by each way in, with clicks.

    python -m benchmarks.capture --ways server:128 sounddevice:128 parec:5 --clicks 60 --rounds 3

Plays clicks into a private PulseAudio server. Each way in is a process of its own (benchmarks/capture_reader.py) that tells when the block
with the beginning of a click has arrived; all ways take turns, round after round. A way is NAME:SIZE:

    server:SAMPLES       the server's own protocol, as the engine reads it (engine/audio/sources/server_stream.py)
    sounddevice:SAMPLES  PortAudio through ALSA, two blocks in the driver, as the engine asks for
    pyaudio:SAMPLES      the same by PyAudio
    parec:MS             the server's own recording program as a child
    soundcard:SAMPLES    the package of that name

A delay is counted from the moment at which the server has taken the click from its player; it holds the player's buffer, which is the
same for all. A server renders as often as its most demanding client asks, so a rig that records beside them would flatter all of them
alike: nothing else listens here. A way that is not installed is left out with a sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.capture_reader import WAYS, obstacle
from benchmarks.click_desktop import MONITOR
from benchmarks.click_figures import LIGHT_WITHIN_S, RATE_HZ, spread_ms
from benchmarks.click_sound import ClickPlayer
from benchmarks.private_desktop import PULSE_PROGRAMS, ROOT, PrivateDesktop, end, wait_until
from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.ops.calibration.clicks import click_starts

DEFAULT = (
    "server:64",
    "server:128",
    "server:240",
    "sounddevice:128",
    "sounddevice:240",
    "pyaudio:128",
    "parec:5",
    "soundcard:128",
)
GAP_S = (0.3, 0.5)
SETTLE_S = 3.0
"""PulseAudio gives nothing in the first two seconds of a stream of PortAudio's."""


def main() -> int:
    arguments = _parser().parse_args()
    ways = [way for way in arguments.ways if _is_there(way)]
    if arguments.clicks < 1 or arguments.rounds < 1 or not ways:
        raise ConfigError(
            "--clicks and --rounds are at least 1, and one way must be installed; see the sentences above."
        )
    delays_s: dict[str, list[float]] = {way: [] for way in ways}
    missed = dict.fromkeys(ways, 0)
    with PrivateDesktop(
        "capture test", PULSE_PROGRAMS, "pulseaudio pulseaudio-utils libasound2-plugins", home=ROOT
    ) as desktop:
        desktop.start_sound()
        for number in range(arguments.rounds):
            # In changing order: what comes first warms up the machine.
            for way in ways if number % 2 == 0 else reversed(ways):
                found_s = _measure(desktop, way, arguments.clicks, number)
                delays_s[way] += found_s
                missed[way] += arguments.clicks - len(found_s)
    records: list[dict[str, Any]] = []
    for way in ways:
        records.append({"way": way, "missed": missed[way], **spread_ms(delays_s[way])})
    columns = ("p50", "p95", "p99", "max", "jitter")
    print_table(
        ["way", "clicks", "missed", *(f"{name} ms" for name in columns)],
        [[r["way"], r["count"], r["missed"], *(r.get(name, 0.0) for name in columns)] for r in records],
    )
    if not arguments.no_record:
        append_record("capture", {"clicks": arguments.clicks, "rounds": arguments.rounds, "ways": records})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how soon sound arrives by each way in, with clicks.")
    parser.add_argument("--ways", nargs="+", default=list(DEFAULT), metavar="NAME:SIZE", help="ways in (default: all)")
    parser.add_argument("--clicks", type=int, default=60, help="clicks a round and way (default 60)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds, in each of which every way has its turn (default 3)"
    )
    parser.add_argument("--no-record", action="store_true", help="keep no record of the run")
    return parser


def _is_there(way: str) -> bool:
    name, _, size = way.partition(":")
    if name not in WAYS or not size.isdigit() or not int(size):
        raise ConfigError(
            f"'{way}' is no way in; NAME:SIZE was expected, NAME one of {', '.join(WAYS)}, e.g. server:128."
        )
    reason = obstacle(name)
    if reason:
        print(f"{way} is left out: {reason}")
    return not reason


def _measure(desktop: PrivateDesktop, way: str, clicks: int, seed: int) -> list[float]:
    """Return the delay of each click that a way has brought, in seconds."""
    clock = WallClock()
    with tempfile.TemporaryDirectory() as folder:
        arrivals = Path(folder) / "arrivals.jsonl"
        desktop.environment["PULSE_SOURCE"] = MONITOR
        reader = desktop.start(
            [sys.executable, "-m", "benchmarks.capture_reader", way, MONITOR, str(arrivals)], "reader.log"
        )
        player = ClickPlayer(desktop.environment["PULSE_SERVER"])
        try:
            wait_until(lambda: arrivals.exists() or reader.poll() is not None, f"the first sound by {way}")
            if reader.poll() is not None:
                raise ConfigError(
                    f"{way} ended before it began; its last output: {desktop.output('reader.log')[-400:]}"
                )
            clock.sleep(SETTLE_S)
            starts = click_starts(clicks, seed, RATE_HZ, first_s=0.5, gap_s=GAP_S)
            clock.sleep(player.play(starts) + 1.0)
        finally:
            player.close()
            end(reader)
        arrived_s = [json.loads(line) for line in arrivals.read_text(encoding="utf-8").splitlines()]
    return _delays(player.written_s, arrived_s)


def _delays(written_s: list[float], arrived_s: list[float]) -> list[float]:
    """Pair each click with the first arrival after it."""
    waiting, delays_s = list(arrived_s), list[float]()
    for written in written_s:
        while waiting and waiting[0] < written:
            waiting.pop(0)
        if waiting and waiting[0] < written + LIGHT_WITHIN_S:
            delays_s.append(waiting.pop(0) - written)
    return delays_s


if __name__ == "__main__":
    os.environ.pop("PULSE_SOURCE", None)
    run_main(main)
