"""What a preview costs a show, and how soon a page shows its first frame.

    python -m benchmarks.preview --seconds 20

A show plays into its page alone. Viewers are clients in a process of their own, which read whatever comes; a stalled one asks for frames
and never reads, and comes again when it is dropped. The processor's time is that of the show's process, beyond what it takes while
nobody watches. With playwright and Chromium, the page is opened too: time and bytes until its first frame is drawn.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.night_desktop import free_port
from benchmarks.page_opening import open_page
from benchmarks.preview_viewers import ADDRESS, watch
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card

MODEL = ROOT / "engine" / "models" / "water.onnx"
CASES = {"nobody": (0, 0), "one": (1, 0), "three": (3, 0), "three and a stalled one": (3, 1)}
"""Viewers who read, and viewers who do not."""
SETTLES_S, WITHIN_S = 3.0, 30.0
MOST_CORE, MOST_OPEN_S, MOST_BYTES = 0.25, 1.0, 200_000
"""The goals: of one core for three viewers, to the first frame of a page, and transferred before it."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a preview costs a show.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each case (default 20)")
    parser.add_argument("--width", type=int, default=1280, help="columns that the viewers ask for (default 1280)")
    parser.add_argument("--openings", type=int, default=5, help="how often the page is opened (default 5)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    card = read_card(arguments.model)
    figures = {
        case: measure(arguments.model, viewers, arguments.seconds, arguments.width) for case, viewers in CASES.items()
    }
    idle = figures["nobody"]["core"]
    for row in figures.values():
        row["beyond"] = round(row["core"] - idle, 3)
    three, stalled = figures["three"], figures["three and a stalled one"]
    met = {
        "cost": max(three["beyond"], stalled["beyond"]) <= MOST_CORE,
        "stalled": stalled["fps_least"] >= 0.98 * three["fps_least"],
    }
    headings = list(figures["nobody"])
    print_table(["viewers", *headings], [[case, *row.values()] for case, row in figures.items()])
    opening = measure_opening(arguments.model, arguments.openings)
    if opening:
        met["opening"] = opening["first_frame_max_s"] <= MOST_OPEN_S and opening["bytes_max"] <= MOST_BYTES
        print_table(list(opening), [list(opening.values())])
    print(", ".join(f"{name}: {'met' if good else 'MISSED'}" for name, good in met.items()))
    if not arguments.no_record:
        asked = {"seconds": arguments.seconds, "width": arguments.width}
        append_record("preview", {**asked, "cases": figures, "opening": opening, "met": met}, model=card.name)
    return 0


def start_show(stage: PrivateDesktop, model: Path, port: int, stats: Path) -> Any:
    """Start a show that plays into its page alone, and return it once the page is served."""
    options = ["--source", "demo", "--out", "web", "--web", str(port), "--no-osc", "--stats", str(stats)]
    show = stage.start(
        [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *options], "show.log"
    )
    wait_until(lambda: answers(port), "the show's page")
    return show


def measure(model: Path, viewers: tuple[int, int], seconds: float, width: int) -> dict[str, Any]:
    """Return what so many viewers get, and the processor's time that the show takes meanwhile."""
    clock, port = WallClock(), free_port(socket.SOCK_STREAM)
    reading, stalled = viewers
    with PrivateDesktop("preview", (), "") as stage:
        stats = stage.folder / "stats.json"
        show = start_show(stage, model, port, stats)
        context = multiprocessing.get_context("spawn")
        counts: Any = context.Queue()
        watching = context.Process(target=watch, args=(port, width, reading, stalled, SETTLES_S, seconds, counts))
        watching.start()
        clock.sleep(SETTLES_S + 1.0)
        before_s, began_s = busy_s(show.pid), clock.now_s()
        clock.sleep(seconds)
        core = (busy_s(show.pid) - before_s) / (clock.now_s() - began_s)
        came = counts.get(timeout=WITHIN_S)
        watching.join(WITHIN_S)
        show.send_signal(signal.SIGTERM)
        show.wait(WITHIN_S)
        written = json.loads(stats.read_text(encoding="utf-8"))
    return {
        "core": round(core, 3),
        "fps_least": round(min((frames / seconds for frames, _ in came), default=0.0), 2),
        "kilobytes_a_second": round(sum(amount for _, amount in came) / max(1, reading) / seconds / 1e3, 1),
        "skipped": written["skipped_hops"],
        "age_p99_ms": written["handed_age"]["p99_ms"],
    }


def measure_opening(model: Path, openings: int) -> dict[str, Any]:
    """Return how soon a page that is opened shows a frame; nothing without Chromium."""
    if not find_spec("playwright") or not shutil.which("chromium"):
        print("The page was not opened: playwright or chromium is not installed.")
        return {}
    port = free_port(socket.SOCK_STREAM)
    with PrivateDesktop("preview", (), "") as stage:
        start_show(stage, model, port, stage.folder / "stats.json")
        opened = [open_page(ADDRESS.format(port=port)) for _ in range(openings)]
    return {
        "openings": openings,
        "first_frame_p50_s": round(sorted(one.first_frame_s for one in opened)[openings // 2], 3),
        "first_frame_max_s": round(max(one.first_frame_s for one in opened), 3),
        "bytes_max": max(one.bytes_before for one in opened),
    }


def answers(port: int) -> bool:
    """Return whether somebody listens on a port."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def busy_s(process: int) -> float:
    """Return the processor's time that a process has taken so far, all threads together (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    raise SystemExit(run_main(main))
