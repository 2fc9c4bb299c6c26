"""A night without anybody: the real show, an hour of music, random remotes, and a fault of another kind every minute.

    python -m benchmarks.night --minutes 60 --json night.json

Starts a sound server, a screen and a small disk of its own, plays the demonstration into the real capture path, and looks at the
real window five times a second. Prints what was to be reached and whether it was, writes every figure to --json and a plot beside
it, and keeps a record.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import night_report
from benchmarks.night_faults import FAULTS, Fault, Night, write_scenes
from benchmarks.night_report import Happened
from benchmarks.night_stage import Stage, flags, free_port
from benchmarks.night_traffic import Traffic
from benchmarks.night_watch import Sample, Watcher
from benchmarks.own_stage import wait_until
from benchmarks.record import append_record, print_table
from engine.app.config import DEFAULT_MODEL, SETTINGS
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.model.backends.selection import read_card

LOOK_EVERY_S = 0.2
FIRST_FAULT_S = 10.0
ENDS_WITHIN_S = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Play a show unattended, with faults, and measure what becomes of it.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--fault-every", type=float, default=60.0, metavar="S", help="time between two faults (default 60 s)"
    )
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_MODEL))
    parser.add_argument(
        "--json", type=Path, default=Path("night.json"), help="where the figures go; the plot goes beside it"
    )
    parser.add_argument("--no-record", action="store_true", help="only try: keep no record")
    parser.add_argument("flags", nargs="*", help="more flags for the product, after --")
    arguments = parser.parse_args()
    # The show runs in a folder of its own.
    vigil = Vigil(str(arguments.model.resolve()), 60.0 * arguments.minutes, arguments.fault_every, arguments.flags)
    figures = vigil.keep()
    report(figures)
    night_report.plot(arguments.json.with_suffix(".png"), vigil.samples, vigil.happened)
    series = [sample.as_dict() for sample in vigil.samples]
    arguments.json.write_text(json.dumps({**figures, "samples": series}, indent=1) + "\n", encoding="utf-8")
    if not arguments.no_record:
        append_record("night", figures, backend=figures["backend"], model=arguments.model.name)
    return 0 if all(reached is not False for reached in figures["reached"].values()) else 1


class Vigil:
    """One night, watched."""

    def __init__(self, model: str, seconds: float, fault_every_s: float, more: list[str]) -> None:
        self._model, self._seconds, self._fault_every_s, self._more = model, seconds, fault_every_s, more
        self._clock = WallClock()
        self._began_s = 0.0
        self._visible = self._answering = True
        self._over = threading.Event()
        self.samples: list[Sample] = []
        self.happened: list[Happened] = []
        self.left_out: dict[str, str] = {}

    def keep(self) -> dict[str, Any]:
        """Play and watch until the night is over or the show has crashed; return all figures."""
        card = read_card(self._model)
        parameters = parameters_for(card)
        health_port = free_port(socket.SOCK_STREAM) if "health_port" in SETTINGS else 0
        osc_port = free_port(socket.SOCK_DGRAM)
        with Stage() as stage:
            stats = stage.folder / "stats.json"
            wanted = {"model": self._model, "osc_port": osc_port, "health_port": health_port,
                      "log": stage.folder / "show.jsonl", "stats": stats, "scenes": stage.folder / "scenes",
                      "recordings": (stage.disk or stage.folder) / "recordings"}  # fmt: skip
            write_scenes(stage.folder / "scenes", Path(self._model))
            show = stage.start_show([*flags(wanted), *self._more])
            traffic = Traffic(osc_port, parameters)
            wait_until(lambda: show.poll() is not None or stage.window_place() is not None, "the show's window")
            self._clock.sleep(night_report.STARTED_S)
            watcher = Watcher(stage, show.pid, health_port)
            night = Night(stage, traffic, show.pid, frozenset(p.name for p in parameters))
            self._began_s = self._clock.now_s()
            traffic.start()
            faults = threading.Thread(target=self._do_faults, args=(night, watcher), name="faults", daemon=True)
            faults.start()
            self._watch(show, watcher)
            self._over.set()
            faults.join(ENDS_WITHIN_S)
            traffic.close()
            code = _finish(show)
            said = stage.said()
            summary = json.loads(stats.read_text(encoding="utf-8")) if stats.exists() else {}
        return self._figures(
            code, said, {"sample_rate_hz": card.sample_rate_hz, **summary}, card.hop_samples, traffic.sent
        )

    def _watch(self, show: subprocess.Popen[bytes], watcher: Watcher) -> None:
        next_s = self._began_s
        while show.poll() is None and self._clock.now_s() - self._began_s < self._seconds:
            self.samples.append(watcher.look(self._now_s(), self._visible, self._answering))
            next_s = max(next_s + LOOK_EVERY_S, self._clock.now_s())
            self._clock.sleep(max(0.0, next_s - self._clock.now_s()))

    def _do_faults(self, night: Night, watcher: Watcher) -> None:
        due_s, turn = FIRST_FAULT_S, 0
        possible = [fault for fault in FAULTS if self._is_possible(fault, night)]
        while not self._over.wait(max(0.0, due_s - self._now_s())):
            fault = possible[turn % len(possible)]
            if due_s + fault.hold_s + night_report.AFTER_S > self._seconds:
                return
            try:
                self._do(fault, night, watcher)
            except ConfigError as error:
                # The night goes on, and its figures say what was not done.
                self.left_out[fault.name] = str(error)
                self._visible = self._answering = True
            turn, due_s = turn + 1, due_s + self._fault_every_s

    def _is_possible(self, fault: Fault, night: Night) -> bool:
        reason = fault.obstacle(night)
        if reason:
            self.left_out[fault.name] = reason
        return reason is None

    def _do(self, fault: Fault, night: Night, watcher: Watcher) -> None:
        heard = len(night.stage.said())
        self._visible, self._answering = not fault.excuses, not fault.stops_product
        begin_s = self._now_s()
        fault.begin(night)
        self._over.wait(fault.hold_s)
        fault.finish(night)
        end_s = self._now_s()
        self._visible = self._answering = True
        watcher.look_anew()
        self._over.wait(min(4.0, self._fault_every_s / 2))
        said = tuple(night.stage.said()[heard:])
        self.happened.append(Happened(name=fault.name, begin_s=begin_s, end_s=end_s, excuses=fault.excuses, said=said))

    def _now_s(self) -> float:
        return self._clock.now_s() - self._began_s

    def _figures(
        self, code: int | None, said: list[str], stats: dict[str, Any], hop_samples: int, sent: int
    ) -> dict[str, Any]:
        samples, excused = self.samples, [(f.begin_s, f.end_s) for f in self.happened if f.excuses]
        normal_ms = night_report.normal_age_ms(samples, self.happened)
        rows = night_report.judge_faults(samples, self.happened, normal_ms)
        back = [row["age_back_s"] for row in rows]
        figures: dict[str, Any] = {
            "seconds": round(samples[-1].at_s, 1) if samples else 0.0,
            "longest_gap_s": round(max((b.at_s - a.at_s for a, b in pairwise(samples)), default=0.0), 2),
            "crashes": int(code != 0),
            "exit_code": code,
            "still_s": round(night_report.longest_run_s(samples, night_report.still, excused), 2),
            "black_s": round(night_report.longest_run_s(samples, night_report.black, excused), 2),
            "normal_age_ms": normal_ms,
            "worst_age_back_s": None if not back or None in back else max(back),
            "memory": night_report.memory(samples),
            "drift": night_report.drift(samples, stats, hop_samples),
            "osc_sent": sent,
            "backend": next((line.removeprefix("backend  ") for line in said if line.startswith("backend")), ""),
            "left_out": self.left_out,
            "faults": rows,
            "stats": stats,
            "last_words": said[-5:],
        }
        return {**figures, "reached": night_report.verdicts(figures)}


def _finish(show: subprocess.Popen[bytes]) -> int | None:
    """Ask the show to end and return its exit code; None when it did not end."""
    if show.poll() is None:
        show.send_signal(signal.SIGTERM)
    try:
        return show.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return None


def report(figures: dict[str, Any]) -> None:
    """Print the tables."""
    measured = figures["normal_age_ms"] is not None
    print_table(
        ["fault", "times", "still s", "black s", "age back s", "later ms", "lines told"],
        night_report.by_kind(figures["faults"], measured),
    )
    for name, reason in figures["left_out"].items():
        print(f"left out: {name}: {reason}")
    held, drift = figures["memory"], figures["drift"]
    print(
        f"{figures['seconds']:.0f} s, {figures['osc_sent']} OSC messages; longest still {figures['still_s']:.1f} s, black "
        f"{figures['black_s']:.1f} s; memory {held['settled_mib']} to {held['last_mib']} MiB; drift {drift['drift_samples']} "
        f"samples, against the clock {drift['clock_lag_change_ms']} ms; age {figures['normal_age_ms']} ms"
    )
    print(f"the watch itself: longest time between two looks {figures['longest_gap_s']:.1f} s; far beyond {LOOK_EVERY_S:g} s the "
          "machine was overloaded, and so was the show")  # fmt: skip
    for what, reached in figures["reached"].items():
        print(f"{'not measured' if reached is None else 'yes' if reached else 'NO':>12}  {what}")
    if figures["crashes"]:
        print(f"The show ended with {figures['exit_code']}; its last words: " + " / ".join(figures["last_words"]))


if __name__ == "__main__":
    run_main(main)
