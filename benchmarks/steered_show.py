"""What it costs a show that a page steers it: scenes, models, inputs and mappings, asked for in another thread as the server does.

    python -m benchmarks.steered_show --seconds 60

A quiet show comes first, then one for each kind of request, which is made again and again. Frame ages and skipped hops are those of the
show, the durations those of the requests.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import append_record, print_table
from engine.app.command_line import ParsedCommand, parse_command
from engine.app.config import DEFAULT_MODEL
from engine.app.show_builder import ShowBuilder
from engine.core.clock import WallClock
from engine.core.errors import UserError, run_main
from engine.model.file import read_card
from engine.ops.health_monitor import HealthMonitor
from engine.render.play import play
from engine.web.show_control import PlaylistEntry, ShowControl

SETTLES_S = 2.0
EVERY_S = 0.25
Request = Callable[[], object]


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what it costs a show that a page steers it.")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each show (default 60)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    figures: dict[str, dict[str, Any]] = {}
    for kind in ("quiet", *KINDS):
        with tempfile.TemporaryDirectory() as folder:
            figures[kind] = measure(Path(folder), KINDS.get(kind), arguments.seconds)
        print(f"{kind} done", flush=True)
    print_table(["requests", *figures["quiet"]], [[kind, *row.values()] for kind, row in figures.items()])
    if not arguments.no_record:
        card = read_card(DEFAULT_MODEL)
        append_record("steered_show", {"seconds": arguments.seconds, "shows": figures}, model=card.name)
    return 0


def measure(folder: Path, kind: Callable[[ShowControl], Iterator[Request]] | None, seconds: float) -> dict[str, Any]:
    """Return the figures of one show."""
    (folder / "models").mkdir()
    for name in ("one.onnx", "two.onnx"):
        shutil.copy(DEFAULT_MODEL, folder / "models" / name)
    command = parse_command(
        ["--model", str(folder / "models" / "one.onnx"), "--models", str(folder / "models"), "--source", "demo",
         "--out", "null", "--no-osc", "--scenes", str(folder / "scenes"), "--crossfade-s", "0.5"]
    )  # fmt: skip
    assert isinstance(command, ParsedCommand)
    clock, stop, monitor = WallClock(), threading.Event(), HealthMonitor(WallClock())
    took_s, refused = list[float](), 0
    with ExitStack() as releasing:
        built = ShowBuilder(command, monitor, lambda line: None, releasing).live()
        assert built.show_control
        show = threading.Thread(target=play, args=(built.show, stop))
        show.start()
        clock.sleep(SETTLES_S)
        for number in (1, 2, 3):
            built.store.set("save_scene", number)
        clock.sleep(SETTLES_S)
        until_s = clock.now_s() + seconds
        requests = kind(built.show_control) if kind else iter(())
        while clock.now_s() < until_s:
            if request := next(requests, None):
                began_s = clock.now_s()
                try:
                    request()
                except UserError:
                    refused += 1
                took_s.append(clock.now_s() - began_s)
            clock.sleep(EVERY_S)
        stop.set()
        show.join()
    summary = monitor.summary()
    return {
        "steps": summary["steps"],
        "skipped": summary["skipped_hops"],
        "age_p50_ms": summary["handed_age"]["p50_ms"],
        "age_p99_ms": summary["handed_age"]["p99_ms"],
        "made": len(took_s),
        "refused": refused,
        "took_p50_ms": round(1e3 * float(np.percentile(took_s, 50)), 1) if took_s else None,
        "took_p95_ms": round(1e3 * float(np.percentile(took_s, 95)), 1) if took_s else None,
    }


def _lists(control: ShowControl) -> Iterator[Request]:
    yield from itertools.cycle((control.scenes, control.models, control.inputs, control.mappings))


def _scenes(control: ShowControl) -> Iterator[Request]:
    for count in itertools.count():
        yield lambda count=count: control.rename_scene(1 + count % 3, f"take {count}")
        yield lambda count=count: control.order_scenes([1 + count % 3])
        yield lambda: control.set_playlist([PlaylistEntry(1, 4, "bars"), PlaylistEntry(2, 10.0, "seconds")])


def _mappings(control: ShowControl) -> Iterator[Request]:
    for count in itertools.count():
        yield lambda count=count: control.check_mapping("zoom", f"1 + {count} * onset")
        yield lambda count=count: control.set_mapping("zoom", f"1 + 0.{count % 10} * onset")


def _models(control: ShowControl) -> Iterator[Request]:
    while True:
        yield lambda: control.play_model(next(choice.id for choice in control.models() if not choice.plays))
        # The crossfade is part of it.
        yield from itertools.repeat(lambda: None, 6)


def _inputs(control: ShowControl) -> Iterator[Request]:
    while True:
        yield lambda: control.play_input(next(choice.id for choice in control.inputs() if choice.name == "demo"))


KINDS: dict[str, Callable[[ShowControl], Iterator[Request]]] = {
    "lists": _lists,
    "scenes": _scenes,
    "mappings": _mappings,
    "models": _models,
    "inputs": _inputs,
}

if __name__ == "__main__":
    run_main(main)
