"""The MIDI clock out of a show, and a trembling one in, over JACK.

    python -m benchmarks.midi_clock --seconds 60

Out: a show at 120 bpm sends its clock; the distances of the ticks as another program receives them, and how far each is from the line
through all of them. In: a sequencer at 120 bpm, whose ticks are each up to 2 ms early or late, is followed; tempo and beat are compared
with the sequencer's own, ten times a second after the first SETTLES_S. JACK hands messages on once a period of 1.3 ms, which counts in both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.private_jack import PACKAGES, PROGRAMS, start_jack
from benchmarks.record import append_record, print_table
from engine.control.remotes.midi.clock import CLOCKS_A_BEAT, ClockMessage, clock_message
from engine.control.remotes.midi.ports import AskedPorts, MidiPorts
from engine.control.tempo.midi_tempo import MidiTempo
from engine.core.clock import WallClock
from engine.core.errors import run_main

BPM, JITTER_S = 120.0, 0.002
SETTLES_S, LOOKS_EVERY_S = 8.0, 0.1
MOST_TEMPO_BPM, MOST_PHASE_MS = 0.1, 5.0
"""The goals."""
SEQUENCER = "sequencer"


class ClockListener:
    """Hands the clock of all ports to `take`, and their names to `ports`."""

    def __init__(self, take: Callable[[ClockMessage], None], ports: list[str]) -> None:
        self._take = take
        self._ports = ports

    def opened(self, port: str, wish: str, has_output: bool) -> None:
        self._ports.append(port)

    def lost(self, port: str) -> None:
        pass

    def look(self) -> None:
        pass

    def receive(self, port: str, at_s: float, message: Sequence[int]) -> None:
        of_clock = clock_message(message, at_s, port)
        if of_clock:
            self._take(of_clock)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the MIDI clock, out and in.")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each part (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the jitter (default 1)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    with PrivateDesktop("midi clock", PROGRAMS, PACKAGES) as stage:
        start_jack(stage)
        # This process starts the one that opens ports.
        os.environ.update({name: stage.environment[name] for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")})
        sent = measure_out(stage, arguments.seconds)
        followed = measure_in(stage, arguments.seconds, arguments.seed)
    for figures in (sent, followed):
        print_table(list(figures), [list(figures.values())])
    met = followed["tempo_error_bpm"] <= MOST_TEMPO_BPM and followed["phase_error_ms"] <= MOST_PHASE_MS
    if not arguments.no_record:
        append_record(
            "midi_clock",
            {"seconds": arguments.seconds, "seed": arguments.seed, "met": met, "out": sent, "in": followed},
        )
    return 0 if met else 1


def measure_out(stage: PrivateDesktop, seconds: float) -> dict[str, Any]:
    """Return how the ticks of a show come."""
    options = [
        "--source",
        "tone",
        "--out",
        "null",
        "--no-osc",
        "--tempo-bpm",
        str(BPM),
        "--seconds",
        str(seconds + 5.0),
    ]
    midi = ["--midi-clock-out", "virtual", "--midi-api", "jack"]
    show = stage.start([sys.executable, str(ROOT / "run_live.py"), *options, *midi], "show.log")
    wait_until(lambda: "clock to fluid" in stage.output("show.log"), "the port of the clock")
    times_s = list[float]()

    def take(message: ClockMessage) -> None:
        if message.kind == "tick":
            times_s.append(message.at_s)

    ports = _listen("fluid", take)
    show.wait(seconds + 60.0)
    ports.close()
    # The first beats may still be moved to the show's.
    kept_s = np.asarray(times_s[2 * CLOCKS_A_BEAT :])
    numbers = np.arange(len(kept_s))
    slope_s, begin_s = np.polyfit(numbers, kept_s, 1)
    off_ms = 1e3 * np.abs(kept_s - begin_s - slope_s * numbers)
    distances_ms = 1e3 * np.diff(kept_s)
    return {
        "ticks": len(kept_s),
        "tempo_bpm": round(60.0 / (slope_s * CLOCKS_A_BEAT), 3),
        "distance_ms": round(float(distances_ms.mean()), 3),
        "jitter_sd_ms": round(float(distances_ms.std()), 3),
        "off_p95_ms": round(float(np.percentile(off_ms, 95)), 2),
        "off_max_ms": round(float(off_ms.max()), 2),
    }


def measure_in(stage: PrivateDesktop, seconds: float, seed: int) -> dict[str, Any]:
    """Return how far tempo and beat that are followed are from those of a sequencer whose ticks tremble."""
    sequencer = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.midi_clock_sender", SEQUENCER, str(BPM), str(JITTER_S), str(seed)],
        env=stage.environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    tempo, clock = MidiTempo(), WallClock()
    opened = list[str]()
    ports = _listen(SEQUENCER, tempo, opened)
    assert sequencer.stdin
    assert sequencer.stdout
    wait_until(lambda: bool(opened), "the port of the sequencer")
    sequencer.stdin.write("begin\n")
    sequencer.stdin.flush()
    begin_s = next(float(line.split()[1]) for line in sequencer.stdout if line.startswith("begins"))
    tempo_errors, phase_errors_ms = list[float](), list[float]()
    while (now_s := clock.now_s()) < begin_s + seconds:
        position = tempo.position(now_s)
        if position and now_s > begin_s + SETTLES_S:
            tempo_errors.append(abs(position.bpm - BPM))
            beats = (now_s - begin_s) * BPM / 60.0
            off = (position.beats_at(now_s) - beats + 0.5) % 1.0 - 0.5
            phase_errors_ms.append(1e3 * off * 60.0 / BPM)
        clock.sleep(LOOKS_EVERY_S)
    ports.close()
    sequencer.communicate()
    return {
        "looks": len(tempo_errors),
        "tempo_error_bpm": round(max(tempo_errors, default=float("inf")), 3),
        "phase_mean_ms": round(float(np.mean(phase_errors_ms or [np.inf])), 2),
        "phase_error_ms": round(max(map(abs, phase_errors_ms), default=float("inf")), 2),
    }


def _listen(port: str, take: Callable[[ClockMessage], None], opened: list[str] | None = None) -> MidiPorts:
    listener = ClockListener(take, [] if opened is None else opened)
    ports = MidiPorts(AskedPorts(ports=(port,), api="jack"), listener, print)
    ports.start()
    return ports


if __name__ == "__main__":
    run_main(main)
