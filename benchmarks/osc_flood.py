"""Whether floods of OSC keep a show from its steps, its faders or its end.

    python -m benchmarks.osc_flood --seconds 30

For each kind of flood a show of its own plays without a window, and a process of its own sends. Meanwhile a fader is moved:
what is measured is the time until the show answers with the fader's new value, which the next step plays. A show without a flood
comes first, for comparison, and one beside a flood that goes elsewhere. Each show is asked to end while its flood goes on; only the
flood to every address ends before, and the show has to have the last value of each.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pythonosc.osc_message import OscMessage

from benchmarks.night_desktop import free_port
from benchmarks.night_traffic import message
from benchmarks.osc_flood_traffic import EVERY_ADDRESS, FADER, HOST, KINDS, LOCKED, last_values
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.record import append_record, print_table
from engine.control.remotes.osc_addresses import PING, PONG, STATS, address
from engine.control.remotes.osc_limits import SENDER_ANSWERS_A_SECOND
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card

MODEL = ROOT / "engine" / "models" / "water.onnx"
MOVE_EVERY_S = 0.5
ASK_EVERY_S = 1.2 / SENDER_ANSWERS_A_SECOND
"""A little slower than the show answers."""
SEEN_WITHIN_S = 5.0
SETTLES_S = 1.0
ENDS_WITHIN_S = 15.0
OUTLASTS_S = 6.0
"""A flood goes on while the show is asked for its figures and ends."""
MOST_AGE_RATIO, MOST_END_S = 1.10, 3.0
"""The goals, beside no step skipped and a fader seen within one step (and one question)."""
ASKED_AT_MOST = 100
QUIET, ELSEWHERE = "quiet", "elsewhere"
"""A show without a flood, and one beside a flood that goes to another port: what the sender alone costs on this machine."""
COUNTS = ("refused", "unanswered", "strangers")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what floods of OSC do to a show.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--a-second", type=float, default=5000.0, help="datagrams a second (default 5000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each flood (default 30)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    card = read_card(arguments.model)
    figures: dict[str, dict[str, Any]] = {}
    for kind in (QUIET, ELSEWHERE, *arguments.kinds):
        with PrivateDesktop("osc flood", (), "") as stage:
            figures[kind] = measure(stage, arguments.model, kind, arguments.a_second, arguments.seconds)
        judge(figures[kind], figures[QUIET], card.hop_s)
        print(f"{kind}: {'met' if figures[kind]['met'] else 'MISSED'}", flush=True)
    headings = list(figures[QUIET])
    print_table(["flood", *headings], [[kind, *row.values()] for kind, row in figures.items()])
    if not arguments.no_record:
        asked = {"a_second": arguments.a_second, "seconds": arguments.seconds, "hop_ms": 1e3 * card.hop_s}
        append_record("osc_flood", {**asked, "floods": figures}, model=card.name)
    return 0


def judge(figures: dict[str, Any], quiet: dict[str, Any], hop_s: float) -> None:
    """Add to the figures of a flood the ratio of its frame age to a quiet show's, and whether it met the goals."""
    age, quiet_age, late_ms = figures["age_p99_ms"], quiet["age_p99_ms"], figures["seen_max_ms"]
    figures["age_ratio"] = round(age / quiet_age, 3) if age and quiet_age else None
    seen = not figures["unseen"] and late_ms is not None and late_ms <= 1e3 * (hop_s + ASK_EVERY_S)
    ended = figures["end_s"] is not None and figures["end_s"] <= MOST_END_S and figures["stats"]
    aged = figures["age_ratio"] is not None and figures["age_ratio"] <= MOST_AGE_RATIO
    applied = figures["last_missed"] in (None, 0)
    figures["met"] = bool(seen and ended and aged and applied and figures["skipped"] == 0)


def measure(stage: PrivateDesktop, model: Path, kind: str, a_second: float, seconds: float) -> dict[str, Any]:
    """Return what one flood does to a show, which is asked to end while the flood goes on."""
    port, stats_file, clock = free_port(socket.SOCK_DGRAM), stage.folder / "stats.json", WallClock()
    options = ["--source", "tone", "--out", "null", "--osc-port", str(port), "--stats", str(stats_file)]
    options += ["--osc-host", "0.0.0.0", "--osc-allow", HOST, "--remote-lock", LOCKED]
    show = stage.start(
        [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *options], "show.log"
    )
    sender = SceneControl(port)
    wait_until(lambda: sender.ask(PING) is not None, "the show's start")
    clock.sleep(2 * SETTLES_S)
    before = sender.figures()
    outlasts_s = 0.0 if kind == EVERY_ADDRESS else OUTLASTS_S
    flood = _start_flood(port, kind, a_second, seconds + outlasts_s)
    began_s, seen_s = clock.now_s(), list[float | None]()
    while clock.now_s() - began_s < seconds:
        seen_s.append(sender.move(FADER, 1.0 + (len(seen_s) % 16 + 1) / 16))
        clock.sleep(MOVE_EVERY_S)
    # A flood to every address is waited for, the others go on.
    sent = flood.communicate()[0].strip() if flood and not outlasts_s else ""
    missed = sender.missed(last_values(kind, int(sent))) if sent else None
    after = sender.ask_figures()
    ended_s = _end(show)
    sent = sent or (flood.communicate()[0].strip() if flood else 0)
    written = json.loads(stats_file.read_text(encoding="utf-8")) if stats_file.exists() else {}
    known_s = [seconds for seconds in seen_s if seconds is not None]
    return {
        "sent": int(sent or 0),
        "steps": int(written["hops"] - before["hops"]) if written else None,
        "skipped": int(written["skipped_hops"] - before["skipped_hops"]) if written else None,
        "age_p99_ms": written["handed_age"]["p99_ms"] if written else None,
        "moves": len(seen_s),
        "unseen": len(seen_s) - len(known_s),
        "last_missed": missed,
        "seen_p50_ms": round(1e3 * float(np.percentile(known_s, 50)), 1) if known_s else None,
        "seen_max_ms": round(1e3 * max(known_s), 1) if known_s else None,
        **{name: int(after[f"osc_{name}"] - before[f"osc_{name}"]) if after else None for name in COUNTS},
        "end_s": ended_s,
        "stats": bool(written),
    }


def _start_flood(port: int, kind: str, a_second: float, seconds: float) -> subprocess.Popen[str] | None:
    if kind == QUIET:
        return None
    pace = ["--a-second", str(a_second), "--seconds", str(seconds)]
    if kind == ELSEWHERE:
        port, kind = free_port(socket.SOCK_DGRAM), next(iter(KINDS))
    command = [sys.executable, "-m", "benchmarks.osc_flood_traffic", str(port), kind, *pace]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _end(show: subprocess.Popen[bytes]) -> float | None:
    """Ask the show to end and return the seconds that it took; None when it did not end."""
    clock = WallClock()
    asked_s = clock.now_s()
    show.send_signal(signal.SIGTERM)
    try:
        show.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return None
    return round(clock.now_s() - asked_s, 2)


class SceneControl:
    """A fader box that also asks."""

    def __init__(self, port: int) -> None:
        self._clock = WallClock()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(ASK_EVERY_S)
        self._to = (HOST, port)

    def ask(self, to: str) -> list[Any] | None:
        """Return what is answered within ASK_EVERY_S, if anything is."""
        self._socket.sendto(message(to), self._to)
        try:
            answer = OscMessage(self._socket.recv(65536))
        except OSError:
            return None
        # Another address is the late answer to an earlier question.
        return answer.params if answer.address == (PONG if to == PING else to) else None

    def figures(self) -> dict[str, float]:
        """Return the show's figures. Raises ConfigError when it does not tell them."""
        self._forget()
        told: list[Any] = []

        def came() -> bool:
            told[:] = self.ask(STATS) or []
            return len(told) > 1

        wait_until(came, "an answer to /fluid/stats")
        return dict(zip(told[::2], told[1::2], strict=True))

    def ask_patiently(self, to: str) -> list[Any] | None:
        """Return what is answered to one of many questions; a flood of questions of others can leave one unanswered."""
        self._forget()
        for _ in range(ASKED_AT_MOST):
            if (told := self.ask(to)) is not None:
                return told
        return None

    def ask_figures(self) -> dict[str, float]:
        """Return the show's figures, nothing when it does not tell them."""
        told = self.ask_patiently(STATS) or []
        return dict(zip(told[::2], told[1::2], strict=True)) if len(told) > 1 else {}

    def move(self, name: str, value: float) -> float | None:
        """Move a fader; return the seconds until the show says so, None after SEEN_WITHIN_S."""
        self._forget()
        moved_s = self._clock.now_s()
        self._socket.sendto(message(address(name), value), self._to)
        while self._clock.now_s() - moved_s < SEEN_WITHIN_S:
            asked_s = self._clock.now_s()
            if self.ask(address(name)) == [value]:
                return self._clock.now_s() - moved_s
            self._clock.sleep(max(0.0, ASK_EVERY_S - (self._clock.now_s() - asked_s)))
        return None

    def missed(self, last: dict[str, float]) -> int:
        """Return how many addresses do not answer the value that was sent there last."""
        self._clock.sleep(SETTLES_S)
        return sum(self.ask_patiently(to) != [value] for to, value in last.items())

    def _forget(self) -> None:
        """Drop late answers."""
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(65536)
        except BlockingIOError:
            self._socket.settimeout(ASK_EVERY_S)


if __name__ == "__main__":
    run_main(main)
