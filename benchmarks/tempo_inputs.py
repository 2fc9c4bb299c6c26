"""How well the show follows a MIDI clock and OS2L whose messages come with jitter.

    python -m benchmarks.tempo_inputs [--minutes 10] [--seeds 20] [--no-record]

Invented times, so that a busy machine changes nothing: messages are ideal ones, moved by jitter, and every 20 ms the follower's tempo
and position are compared with the ideal clock. Figures begin once the follower has had eight beats.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator

import numpy as np

from benchmarks.record import append_record, print_table
from engine.control.remotes.midi.clock import CLOCKS_A_BEAT, ClockMessage
from engine.control.tempo.beat_messages_tempo import BeatMessagesTempo
from engine.control.tempo.midi_tempo import MidiTempo
from engine.control.tempo.os2l_messages import BeatMessage
from engine.control.tempo.tempo_input import TempoInput
from engine.core.errors import run_main

ASKED_EVERY_S = 0.02
SETTLED_BEATS = 8
TEMPO_LIMIT_BPM, PHASE_LIMIT_MS = 0.1, 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how the show follows MIDI clocks and OS2L with jitter.")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each run (default 10)")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each kind (default 20)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    seconds = 60.0 * arguments.minutes
    rows = list[tuple[object, ...]]()
    for bpm in (60.0, 120.0, 174.0):
        for jitter_ms in (0.0, 2.0, 5.0):
            errors = [error for seed in range(arguments.seeds) for error in _midi(bpm, 1e-3 * jitter_ms, seconds, seed)]
            rows.append(_row("midi clock", bpm, f"±{jitter_ms:g}", errors))
    for jitter_ms in (0.0, 10.0):
        errors = [error for seed in range(arguments.seeds) for error in _os2l(126.0, 1e-3 * jitter_ms, seconds, seed)]
        rows.append(_row("os2l", 126.0, f"0 to {jitter_ms:g}", errors))
    print_table(("input", "bpm", "jitter ms", "tempo p99", "tempo worst", "phase p99 ms", "phase worst ms"), rows)
    if not arguments.no_record:
        names = ("input", "bpm", "jitter_ms", "tempo_p99_bpm", "tempo_worst_bpm", "phase_p99_ms", "phase_worst_ms")
        figures = [dict(zip(names, row, strict=True)) for row in rows]
        limits = {"tempo_limit_bpm": TEMPO_LIMIT_BPM, "phase_limit_ms": PHASE_LIMIT_MS}
        append_record(
            "tempo_inputs", {"minutes": arguments.minutes, "seeds": arguments.seeds, **limits, "runs": figures}
        )
    return 0


def _row(name: str, bpm: float, jitter: str, errors: list[tuple[float, float]]) -> tuple[object, ...]:
    tempo_bpm, phase_ms = np.abs(np.array(errors)).T
    return (
        name,
        bpm,
        jitter,
        round(float(np.percentile(tempo_bpm, 99)), 4),
        round(float(tempo_bpm.max()), 4),
        round(float(np.percentile(phase_ms, 99)), 3),
        round(float(phase_ms.max()), 3),
    )


def _midi(bpm: float, jitter_s: float, seconds: float, seed: int) -> Iterator[tuple[float, float]]:
    """Yield errors of tempo in bpm and of phase in ms behind a clock whose ticks are early or late by up to `jitter_s`."""
    noise, follower, tick_s = random.Random(seed), MidiTempo(), 60.0 / bpm / CLOCKS_A_BEAT
    follower(ClockMessage("start", 0.0, "in"))
    asked_s = SETTLED_BEATS * 60.0 / bpm
    last_s = 0.0
    for number in range(int(seconds / tick_s)):
        # A port delivers in order.
        last_s = max(last_s, number * tick_s + noise.uniform(-jitter_s, jitter_s))
        while asked_s < last_s:
            yield _errors(follower, asked_s, bpm)
            asked_s += ASKED_EVERY_S
        follower(ClockMessage("tick", last_s, "in"))


def _os2l(bpm: float, jitter_s: float, seconds: float, seed: int) -> Iterator[tuple[float, float]]:
    """Yield the same behind a sender whose messages are late by up to `jitter_s`: the mean of that stays in the phase."""
    noise, follower, beat_s = random.Random(seed), BeatMessagesTempo(), 60.0 / bpm
    asked_s = SETTLED_BEATS * beat_s
    for number in range(int(seconds / beat_s)):
        at_s = number * beat_s + noise.uniform(0.0, jitter_s)
        while asked_s < at_s:
            yield _errors(follower, asked_s, bpm)
            asked_s += ASKED_EVERY_S
        follower.add(BeatMessage(bpm, number, False), at_s)


def _errors(follower: TempoInput, now_s: float, bpm: float) -> tuple[float, float]:
    position = follower.position(now_s)
    assert position, "the follower has lost its sender"
    return position.bpm - bpm, 1e3 * (position.beats_at(now_s) * 60.0 / bpm - now_s)


if __name__ == "__main__":
    run_main(main)
