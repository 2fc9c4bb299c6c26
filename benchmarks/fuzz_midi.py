"""Random hostile MIDI over JACK into a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_midi --minutes 10

The show has a controller on every number, so what is valid moves parameters. It must answer all the time, keep its locked
parameter, skip no step, stay within its memory (and that of the process that opens the port), print no traceback and end within
ENDS_WITHIN_S, while the messages go on.
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

import psutil

from benchmarks.fuzz_osc import ASK_EVERY_S, ENDS_WITHIN_S, MOST_GROWTH_PERCENT, WAITS_S, memory_growth
from benchmarks.night_desktop import free_port
from benchmarks.osc_flood import MODEL, SceneControl
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.private_jack import PACKAGES, PROGRAMS, start_jack
from benchmarks.record import append_record, print_table
from engine.control.parameter_table import ShowValues, parameters_for
from engine.control.remotes.osc_addresses import PING, address
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card

LOCKED = (ShowValues.flash_guard.name, ShowValues.save_scene.name, ShowValues.record.name, ShowValues.scene.name)
DEVICE = "rubbish"


def main() -> int:
    parser = argparse.ArgumentParser(description="Send random hostile MIDI to a show and see what becomes of it.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--a-second", type=float, default=2000.0, help="messages a second (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the messages (default 1)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    with PrivateDesktop("midi fuzz", PROGRAMS, PACKAGES) as stage:
        start_jack(stage)
        figures = fuzz(stage, arguments.model, 60.0 * arguments.minutes, arguments.a_second, arguments.seed)
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        asked = {"minutes": arguments.minutes, "a_second": arguments.a_second, "seed": arguments.seed}
        append_record("fuzz_midi", {**asked, **figures}, model=read_card(arguments.model).name)
    return 0 if figures["met"] else 1


def fuzz(stage: PrivateDesktop, model: Path, seconds: float, a_second: float, seed: int) -> dict[str, Any]:
    """Return what became of a show under random MIDI."""
    port, stats_file = free_port(socket.SOCK_DGRAM), stage.folder / "stats.json"
    sender = _sender(stage, seed, a_second)
    options = ["--source", "tone", "--out", "null", "--osc-port", str(port), "--stats", str(stats_file)]
    midi = ["--midi", DEVICE, "--midi-api", "jack", "--controller", str(_controller_file(stage.folder, model))]
    locks = [part for name in LOCKED for part in ("--remote-lock", name)]
    show = stage.start(
        [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *options, *midi, *locks],
        "show.log",
    )
    control = SceneControl(port)
    wait_until(lambda: control.ask(PING) is not None, "the show's start")
    wait_until(lambda: f"midi     {DEVICE}" in stage.output("show.log"), "the port")
    before, begun = control.figures(), _sent(sender)
    asked, answered, memory = _look_on(show, control, seconds)
    guard, sent = control.ask_patiently(address(ShowValues.flash_guard.name)), _sent(sender) - begun
    ended_s = _end(show)
    assert sender.stdin
    sender.stdin.close()
    sender.wait(WAITS_S)
    written = json.loads(stats_file.read_text(encoding="utf-8")) if stats_file.exists() else {}
    said = stage.output("show.log")
    grown = memory_growth(memory, ASK_EVERY_S)
    figures: dict[str, Any] = {
        "sent": sent,
        "asked": asked,
        "answered": answered,
        "steps": int(written.get("hops", 0)),
        "skipped": int(written.get("skipped_hops", 0) - before["skipped_hops"]) if written else None,
        "age_p99_ms": written.get("handed_age", {}).get("p99_ms"),
        **grown,
        "lines": len(said.splitlines()),
        "tracebacks": said.count("Traceback"),
        "gave_up": said.count("gave up"),
        "kept": guard == [True],
        "end_s": ended_s,
        "code": show.returncode,
    }
    clean = not figures["tracebacks"] and not figures["gave_up"] and "\x1b" not in said and show.returncode == 0
    ended = ended_s is not None and ended_s <= ENDS_WITHIN_S and bool(written)
    flat = grown["growth_percent"] <= MOST_GROWTH_PERCENT
    return {**figures, "met": bool(clean and ended and flat and figures["kept"] and figures["skipped"] == 0)}


def _sender(stage: PrivateDesktop, seed: int, a_second: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fuzz_midi_sender", DEVICE, str(seed), str(a_second)],
        env=stage.environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _sent(sender: subprocess.Popen[str]) -> int:
    """Return how many messages were sent so far."""
    assert sender.stdin
    assert sender.stdout
    sender.stdin.write("\n")
    sender.stdin.flush()
    # The library prints lines of its own.
    return next(int(line) for line in sender.stdout if line.strip().isdigit())


def _controller_file(folder: Path, model: Path) -> Path:
    """Write a file that gives every controller and note a parameter that is not locked."""
    names = [p.name for p in parameters_for(read_card(model)) if p.kind != "event" and p.name not in LOCKED]
    senders = [f"{kind}: {number}" for kind in ("control", "note") for number in range(128)]
    lines = [f"- {{{sender}, parameter: {names[index % len(names)]}}}" for index, sender in enumerate(senders)]
    path = folder / "every.yaml"
    path.write_text("assignments:\n" + "\n".join(lines), encoding="utf-8")
    return path


def _look_on(show: subprocess.Popen[bytes], control: SceneControl, seconds: float) -> tuple[int, int, list[int]]:
    """Return how often the show was asked and answered, and the resident memory (bytes) of it and the process of its ports."""
    clock, process = WallClock(), psutil.Process(show.pid)
    began_s, asked, answered, memory = clock.now_s(), 0, 0, list[int]()
    while (passed_s := clock.now_s() - began_s) < seconds and show.poll() is None:
        if passed_s >= asked * ASK_EVERY_S:
            asked += 1
            answered += control.ask_patiently(PING) is not None
            memory.append(sum(one.memory_info().rss for one in (process, *process.children())))
        clock.sleep(0.01)
    return asked, answered, memory


def _end(show: subprocess.Popen[bytes]) -> float | None:
    """Ask the show to end while messages go on; return how long that took, None when it did not."""
    clock = WallClock()
    asked_s = clock.now_s()
    show.send_signal(signal.SIGTERM)
    while show.poll() is None and clock.now_s() - asked_s < WAITS_S:
        clock.sleep(0.005)
    return round(clock.now_s() - asked_s, 2) if show.poll() is not None else None


if __name__ == "__main__":
    run_main(main)
