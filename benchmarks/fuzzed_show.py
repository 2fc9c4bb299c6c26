"""A real show without a window that is attacked, watched meanwhile, ended under attack and judged.

It must answer all the time, keep its locked parameters, skip no step, stay within its memory, print no traceback and end within
ENDS_WITHIN_S with its statistics. Memory is told after a minute (or a tenth of a shorter run) and at the end, with the slope of the last
half: what the start takes is no leak.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.osc_flood import MODEL
from benchmarks.private_desktop import ROOT, PrivateDesktop
from benchmarks.record import append_record, print_table
from engine.control.parameter_table import ShowValues, parameters_for
from engine.core.clock import WallClock
from engine.model.file import read_card

LOCKED = (ShowValues.flash_guard.name, ShowValues.save_scene.name, ShowValues.record.name, ShowValues.scene.name)
ENDS_WITHIN_S = 3.0
WAITS_S = 30.0
ASK_EVERY_S = 1.0
WARM_UP_S, WARM_UP_SHARE = 60.0, 0.1
MOST_GROWTH_PERCENT = 2.0
MIB = 2**20
LOG, STATS = "show.log", "stats.json"


@dataclass(frozen=True, slots=True)
class FuzzRun:
    """What was asked for on the command line."""

    model: Path
    minutes: float
    a_second: float
    seed: int

    @property
    def names(self) -> list[str]:
        """Names of the show's parameters."""
        return [parameter.name for parameter in parameters_for(read_card(self.model))]


@dataclass(frozen=True, slots=True)
class Watched:
    """How often the show was asked and answered, and its resident memory in bytes at each question."""

    asked: int
    answered: int
    memory: list[int]


def run_fuzz(
    what: str,
    a_second: float,
    fuzz: Callable[[PrivateDesktop, FuzzRun], dict[str, Any]],
    programs: Sequence[str] = (),
    packages: str = "",
) -> int:
    """Read the command line, fuzz on a private desktop, print and record the figures as fuzz_WHAT.

    Returns the exit code: 0 when all that is asked was met. Raises ConfigError for a missing one of `programs`.
    """
    parser = argparse.ArgumentParser(description=f"Send random hostile {what} to a show and see what becomes of it.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument(
        "--a-second", type=float, default=a_second, help=f"how many a second, of each sender (default {a_second:g})"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of what is sent (default 1)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    run = FuzzRun(arguments.model, arguments.minutes, arguments.a_second, arguments.seed)
    with PrivateDesktop(f"{what} fuzz", programs, packages) as stage:
        figures = fuzz(stage, run)
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        asked = {"minutes": run.minutes, "a_second": run.a_second, "seed": run.seed}
        append_record(f"fuzz_{what}", {**asked, **figures}, model=read_card(run.model).name)
    return 0 if figures["met"] else 1


class FuzzedShow:
    """A show that plays a tone into nothing, with LOCKED parameters."""

    def __init__(self, stage: PrivateDesktop, model: Path, flags: Sequence[str]) -> None:
        self._stage, self._clock = stage, WallClock()
        options = ["--source", "tone", "--out", "null", "--stats", str(stage.folder / STATS), *flags]
        locks = [part for name in LOCKED for part in ("--remote-lock", name)]
        command = [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *options, *locks]
        self._process = stage.start(command, LOG)

    @property
    def said(self) -> str:
        """What the show has printed so far."""
        return self._stage.output(LOG)

    def watch(self, seconds: float, asks: Callable[[], bool], act: Callable[[float], None]) -> Watched:
        """Call `act` with the seconds that passed again and again, and once every ASK_EVERY_S ask whether the show answers."""
        watched = Watching(self._process.pid)
        began_s = self._clock.now_s()
        while (passed_s := self._clock.now_s() - began_s) < seconds and self._process.poll() is None:
            act(passed_s)
            if passed_s >= watched.asked * ASK_EVERY_S:
                watched.add(asks())
            self._clock.sleep(0.002)
        return watched.result()

    async def watch_beside(self, seconds: float, asks: Callable[[], Any]) -> Watched:
        """Do as `watch` does, of attackers that are tasks; `asks` is a coroutine function."""
        watched = Watching(self._process.pid)
        began_s = self._clock.now_s()
        while self._clock.now_s() - began_s < seconds and self._process.poll() is None:
            watched.add(await asks())
            await asyncio.sleep(ASK_EVERY_S)
        return watched.result()

    def end(self, act: Callable[[], None]) -> float | None:
        """Ask the show to end and go on calling `act`; return how long that took in seconds, None when it did not."""
        asked_s = self._clock.now_s()
        self._process.send_signal(signal.SIGTERM)
        while self._process.poll() is None and self._clock.now_s() - asked_s < WAITS_S:
            act()
            self._clock.sleep(0.0005)
        return self._ended_s(asked_s)

    async def end_beside(self) -> float | None:
        """Do as `end` does, of attackers that are tasks."""
        asked_s = self._clock.now_s()
        self._process.send_signal(signal.SIGTERM)
        while self._process.poll() is None and self._clock.now_s() - asked_s < WAITS_S:
            await asyncio.sleep(0.01)
        return self._ended_s(asked_s)

    def figures(self, watched: Watched, kept: bool, ended_s: float | None, skipped_before: int = 0) -> dict[str, Any]:
        """Return what became of the show, and under `met` whether that is as it must be."""
        file, said = self._stage.folder / STATS, self.said
        written = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        figures: dict[str, Any] = {
            "asked": watched.asked,
            "answered": watched.answered,
            "steps": int(written.get("hops", 0)),
            "skipped": int(written["skipped_hops"]) - skipped_before if written else None,
            "age_p99_ms": written.get("handed_age", {}).get("p99_ms"),
            **memory_growth(watched.memory, ASK_EVERY_S),
            "lines": len(said.splitlines()),
            "tracebacks": said.count("Traceback"),
            "kept": kept,
            "end_s": ended_s,
            "code": self._process.returncode,
        }
        clean = not figures["tracebacks"] and "\x1b" not in said and self._process.returncode == 0 and bool(written)
        ended = ended_s is not None and ended_s <= ENDS_WITHIN_S
        flat = figures["growth_percent"] <= MOST_GROWTH_PERCENT
        served = watched.asked == watched.answered and kept and figures["skipped"] == 0
        return {**figures, "met": bool(clean and ended and flat and served)}

    def _ended_s(self, asked_s: float) -> float | None:
        return round(self._clock.now_s() - asked_s, 2) if self._process.poll() is not None else None


class Watching:
    """Counts questions and answers, and notes the memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.asked = 0
        self._answered = 0
        self._memory: list[int] = []

    def add(self, answered: bool) -> None:
        """Note one question, and the memory of now."""
        self.asked += 1
        self._answered += answered
        self._memory.append(sum(map(_resident_bytes, (self._process, *self._process.children()))))

    def result(self) -> Watched:
        """Return what was noted."""
        return Watched(self.asked, self._answered, self._memory)


def _resident_bytes(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


def memory_growth(memory: Sequence[int], every_s: float) -> dict[str, float]:
    """Return the memory (bytes, one every so many seconds) after the warm-up and at the end, its growth, and the slope of its last half."""
    warm = memory[min(round(WARM_UP_S / every_s), int(WARM_UP_SHARE * len(memory)))]
    last = np.asarray(memory[len(memory) // 2 :]) / MIB
    hours = every_s / 3600 * np.arange(len(last))
    slope = float(np.polyfit(hours, last, 1)[0]) if len(last) > 1 else 0.0
    return {
        "warm_mib": round(warm / MIB, 1),
        "end_mib": round(memory[-1] / MIB, 1),
        "growth_percent": round(100 * (memory[-1] / warm - 1.0), 2),
        "last_half_mib_an_hour": round(slope, 1),
    }
