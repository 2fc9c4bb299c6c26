"""Whether floods of OSC keep a show from its steps, its faders or its end.

    python -m benchmarks.osc_flood --seconds 30

For each kind of flood a show of its own plays without a window, and a process of its own sends. Meanwhile a fader is moved:
what is measured is the time until the show answers with the fader's new value, which the next step plays.
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
from benchmarks.osc_flood_traffic import HOST, KINDS
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.record import append_record, print_table
from engine.control.remotes.osc_addresses import PING, STATS, address
from engine.control.remotes.osc_limits import SENDER_ANSWERS_A_SECOND
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card

MODEL = ROOT / "engine" / "models" / "water.onnx"
FADER = "zoom"
MOVE_EVERY_S = 0.5
ASK_EVERY_S = 1.2 / SENDER_ANSWERS_A_SECOND
"""A little slower than the show answers."""
SEEN_WITHIN_S = 5.0
SETTLES_S = 1.0
ENDS_WITHIN_S = 15.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what floods of OSC do to a show.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), metavar="KIND")
    parser.add_argument("--a-second", type=float, default=5000.0, help="datagrams a second (default 5000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each flood (default 30)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    figures: dict[str, dict[str, Any]] = {}
    for kind in arguments.kinds:
        with PrivateDesktop("osc flood", (), "") as stage:
            figures[kind] = measure(stage, arguments.model, kind, arguments.a_second, arguments.seconds)
    headings = list(next(iter(figures.values())))
    print_table(["flood", *headings], [[kind, *row.values()] for kind, row in figures.items()])
    if not arguments.no_record:
        card = read_card(arguments.model)
        asked = {"a_second": arguments.a_second, "seconds": arguments.seconds, "hop_ms": 1e3 * card.hop_s}
        append_record("osc_flood", {**asked, "floods": figures}, model=card.name)
    return 0


def measure(stage: PrivateDesktop, model: Path, kind: str, a_second: float, seconds: float) -> dict[str, Any]:
    """Return what one flood does to a show."""
    port, stats_file, clock = free_port(socket.SOCK_DGRAM), stage.folder / "stats.json", WallClock()
    options = ["--source", "tone", "--out", "null", "--osc-port", str(port), "--stats", str(stats_file)]
    show = stage.start(
        [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *options], "show.log"
    )
    sender = SceneControl(port)
    wait_until(lambda: sender.ask(PING) is not None, "the show's start")
    clock.sleep(2 * SETTLES_S)
    before = sender.figures()
    pace = ["--a-second", str(a_second), "--seconds", str(seconds)]
    command = [sys.executable, "-m", "benchmarks.osc_flood_traffic", str(port), kind, *pace]
    flood = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    seen_s = []
    while flood.poll() is None:
        seen_s.append(sender.move(FADER, 1.0 + (len(seen_s) % 16 + 1) / 16))
        clock.sleep(MOVE_EVERY_S)
    sent = flood.communicate()[0].strip()
    clock.sleep(SETTLES_S)
    after = sender.figures()
    asked_s = clock.now_s()
    show.send_signal(signal.SIGTERM)
    show.wait(ENDS_WITHIN_S)
    ended_s = clock.now_s() - asked_s
    written = json.loads(stats_file.read_text(encoding="utf-8")) if stats_file.exists() else {}
    known_s = [seconds for seconds in seen_s if seconds is not None]
    return {
        "sent": int(sent or 0),
        "steps": int(after["hops"] - before["hops"]),
        "skipped": int(after["skipped_hops"] - before["skipped_hops"]),
        "moves": len(seen_s),
        "unseen": len(seen_s) - len(known_s),
        "seen_p50_ms": round(1e3 * float(np.percentile(known_s, 50)), 1) if known_s else None,
        "seen_max_ms": round(1e3 * max(known_s), 1) if known_s else None,
        "refused": int(after["osc_refused"] - before["osc_refused"]),
        "unanswered": int(after["osc_unanswered"] - before["osc_unanswered"]),
        "end_s": round(ended_s, 2),
        "stats": bool(written),
    }


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
            return OscMessage(self._socket.recv(65536)).params
        except OSError:
            return None

    def figures(self) -> dict[str, float]:
        """Return the show's figures. Raises ConfigError when it does not tell them."""
        self._forget()
        told: list[Any] = []

        def came() -> bool:
            told[:] = self.ask(STATS) or []
            return len(told) > 1

        wait_until(came, "an answer to /fluid/stats")
        return dict(zip(told[::2], told[1::2], strict=True))

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
