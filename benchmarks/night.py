"""An unattended show: the real program, an hour of music, random remotes, and another fault every minute.

    python -m benchmarks.night --minutes 60 --json night.json

Starts a private sound server, screen and small disk, plays the demo sound into the real capture path, and samples the real window
five times a second. Prints the goals and whether they were reached, writes all figures to --json and a plot beside it, and appends
a record.
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
from benchmarks.night_desktop import NightDesktop, flags, free_port
from benchmarks.night_faults import FAULTS, Fault, FaultTarget, write_scenes
from benchmarks.night_report import FaultRecord
from benchmarks.night_traffic import Traffic
from benchmarks.night_watch import Sample, Watcher
from benchmarks.private_desktop import wait_until
from benchmarks.record import append_record, print_table
from engine.app.config import DEFAULT_MODEL, SETTINGS
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.model.backends.selection import read_card

SAMPLE_EVERY_S = 0.2
FIRST_FAULT_S = 10.0
ENDS_WITHIN_S = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Play an unattended show with faults, and measure it.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--fault-every", type=float, default=60.0, metavar="S", help="time between two faults (default 60 s)"
    )
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_MODEL))
    parser.add_argument(
        "--json", type=Path, default=Path("night.json"), help="file of the figures; the plot is written beside it"
    )
    parser.add_argument("--no-record", action="store_true", help="append no record")
    parser.add_argument("flags", nargs="*", help="more flags of run_live.py, after --")
    arguments = parser.parse_args()
    # The show runs in another folder.
    night = NightRun(str(arguments.model.resolve()), 60.0 * arguments.minutes, arguments.fault_every, arguments.flags)
    figures = night.run()
    report(figures)
    night_report.plot(arguments.json.with_suffix(".png"), night.samples, night.faults)
    series = [sample.as_dict() for sample in night.samples]
    arguments.json.write_text(json.dumps({**figures, "samples": series}, indent=1) + "\n", encoding="utf-8")
    if not arguments.no_record:
        append_record("night", figures, backend=figures["backend"], model=arguments.model.name)
    return 0 if all(reached is not False for reached in figures["reached"].values()) else 1


class NightRun:
    """One unattended show, with faults and samples."""

    def __init__(self, model: str, seconds: float, fault_every_s: float, more_flags: list[str]) -> None:
        self._model, self._seconds, self._fault_every_s = model, seconds, fault_every_s
        self._more_flags = more_flags
        self._clock = WallClock()
        self._started_s = 0.0
        self._is_visible = self._is_answering = True
        self._over = threading.Event()
        self.samples: list[Sample] = []
        self.faults: list[FaultRecord] = []
        self.left_out: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        """Play and sample until the time is over or the show has crashed; return all figures."""
        card = read_card(self._model)
        parameters = parameters_for(card)
        health_port = free_port(socket.SOCK_STREAM) if "health_port" in SETTINGS else 0
        osc_port = free_port(socket.SOCK_DGRAM)
        with NightDesktop() as desktop:
            stats = desktop.folder / "stats.json"
            wanted = {"model": self._model, "osc_port": osc_port, "health_port": health_port,
                      "log": desktop.folder / "show.jsonl", "stats": stats, "scenes": desktop.folder / "scenes",
                      "recordings": (desktop.disk or desktop.folder) / "recordings"}  # fmt: skip
            write_scenes(desktop.folder / "scenes", Path(self._model))
            show = desktop.start_show([*flags(wanted), *self._more_flags])
            traffic = Traffic(osc_port, parameters)
            wait_until(lambda: show.poll() is not None or desktop.window_rectangle() is not None, "the show's window")
            self._clock.sleep(night_report.STARTED_S)
            watcher = Watcher(desktop, show.pid, health_port)
            target = FaultTarget(desktop, traffic, show.pid, frozenset(p.name for p in parameters))
            self._started_s = self._clock.now_s()
            traffic.start()
            faults = threading.Thread(target=self._do_faults, args=(target, watcher), name="faults", daemon=True)
            faults.start()
            self._watch(show, watcher)
            self._over.set()
            faults.join(ENDS_WITHIN_S)
            traffic.close()
            code = _finish(show)
            lines = desktop.show_lines()
            summary = json.loads(stats.read_text(encoding="utf-8")) if stats.exists() else {}
        return self._figures(
            code, lines, {"sample_rate_hz": card.sample_rate_hz, **summary}, card.hop_samples, traffic.sent
        )

    def _watch(self, show: subprocess.Popen[bytes], watcher: Watcher) -> None:
        next_s = self._started_s
        while show.poll() is None and self._clock.now_s() - self._started_s < self._seconds:
            self.samples.append(watcher.sample(self._now_s(), self._is_visible, self._is_answering))
            next_s = max(next_s + SAMPLE_EVERY_S, self._clock.now_s())
            self._clock.sleep(max(0.0, next_s - self._clock.now_s()))

    def _do_faults(self, target: FaultTarget, watcher: Watcher) -> None:
        due_s, number = FIRST_FAULT_S, 0
        possible = [fault for fault in FAULTS if self._is_possible(fault, target)]
        while not self._over.wait(max(0.0, due_s - self._now_s())):
            fault = possible[number % len(possible)]
            if due_s + fault.hold_s + night_report.AFTER_S > self._seconds:
                return
            try:
                self._do(fault, target, watcher)
            except ConfigError as error:
                # The show goes on; the figures name the fault that was left out.
                self.left_out[fault.name] = str(error)
                self._is_visible = self._is_answering = True
            number, due_s = number + 1, due_s + self._fault_every_s

    def _is_possible(self, fault: Fault, target: FaultTarget) -> bool:
        reason = fault.obstacle(target)
        if reason:
            self.left_out[fault.name] = reason
        return reason is None

    def _do(self, fault: Fault, target: FaultTarget, watcher: Watcher) -> None:
        lines_before = len(target.desktop.show_lines())
        self._is_visible, self._is_answering = not fault.excuses, not fault.stops_product
        start_s = self._now_s()
        fault.start(target)
        self._over.wait(fault.hold_s)
        fault.stop(target)
        end_s = self._now_s()
        self._is_visible = self._is_answering = True
        watcher.forget_window()
        self._over.wait(min(4.0, self._fault_every_s / 2))
        lines = tuple(target.desktop.show_lines()[lines_before:])
        self.faults.append(
            FaultRecord(name=fault.name, start_s=start_s, end_s=end_s, excuses=fault.excuses, lines=lines)
        )

    def _now_s(self) -> float:
        return self._clock.now_s() - self._started_s

    def _figures(
        self, code: int | None, lines: list[str], stats: dict[str, Any], hop_samples: int, sent: int
    ) -> dict[str, Any]:
        samples, excused = self.samples, [(f.start_s, f.end_s) for f in self.faults if f.excuses]
        normal_ms = night_report.normal_age_ms(samples, self.faults)
        rows = night_report.judge_faults(samples, self.faults, normal_ms)
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
            "backend": next((line.removeprefix("backend  ") for line in lines if line.startswith("backend")), ""),
            "left_out": self.left_out,
            "faults": rows,
            "stats": stats,
            "last_words": lines[-5:],
        }
        return {**figures, "reached": night_report.verdicts(figures)}


def _finish(show: subprocess.Popen[bytes]) -> int | None:
    """Terminate the show and return its exit code; None when it did not end."""
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
        ["fault", "times", "still s", "black s", "age back s", "later ms", "lines"],
        night_report.by_kind(figures["faults"], measured),
    )
    for name, reason in figures["left_out"].items():
        print(f"left out: {name}: {reason}")
    memory, drift = figures["memory"], figures["drift"]
    print(
        f"{figures['seconds']:.0f} s, {figures['osc_sent']} OSC messages; longest still {figures['still_s']:.1f} s, black "
        f"{figures['black_s']:.1f} s; memory {memory['settled_mib']} to {memory['last_mib']} MiB; drift {drift['drift_samples']} "
        f"samples, against the clock {drift['clock_lag_change_ms']} ms; age {figures['normal_age_ms']} ms"
    )
    print(f"longest time between two samples: {figures['longest_gap_s']:.1f} s; far above {SAMPLE_EVERY_S:g} s the machine, and so "
          "the show, was overloaded")  # fmt: skip
    for what, reached in figures["reached"].items():
        print(f"{'not measured' if reached is None else 'yes' if reached else 'NO':>12}  {what}")
    if figures["crashes"]:
        print(f"The show ended with {figures['exit_code']}; its last lines: " + " / ".join(figures["last_words"]))


if __name__ == "__main__":
    run_main(main)
