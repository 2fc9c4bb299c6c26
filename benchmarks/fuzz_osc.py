"""Random hostile OSC over real sockets, UDP and TCP, into a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_osc --minutes 10

The show has locked parameters and listeners of its own, and who attacks subscribes to it. It must answer all the time, keep these, skip no step, stay within its memory, print no traceback
and end within ENDS_WITHIN_S with its statistics, while the datagrams go on. Its memory is told after a minute (or a tenth of a shorter
run) and at the end, with the slope of the last half: what the start takes is no leak.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.night_desktop import free_port
from benchmarks.osc_flood import MODEL, SceneControl
from benchmarks.osc_flood_traffic import HOST
from benchmarks.osc_hostile_senders import Sender, TcpSender, answers_tcp
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.record import append_record, print_table
from engine.control.parameter_table import ShowValues, parameters_for
from engine.control.remotes.osc_addresses import PING, address
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.core.osc_names import OUT, SUBSCRIBE, UNSUBSCRIBE
from engine.model.file import read_card

LOCKED = (ShowValues.flash_guard.name, ShowValues.save_scene.name, ShowValues.record.name, ShowValues.scene.name)
ENDS_WITHIN_S = 3.0
WAITS_S = 30.0
ASK_EVERY_S = 1.0
WARM_UP_S, WARM_UP_SHARE = 60.0, 0.1
MOST_GROWTH_PERCENT = 2.0
MIB = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description="Send random hostile OSC to a show and see what becomes of it.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--a-second", type=float, default=2000.0, help="datagrams a second (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the datagrams (default 1)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    with PrivateDesktop("osc fuzz", (), "") as stage:
        figures = fuzz(stage, arguments.model, 60.0 * arguments.minutes, arguments.a_second, arguments.seed)
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        asked = {"minutes": arguments.minutes, "a_second": arguments.a_second, "seed": arguments.seed}
        append_record("fuzz_osc", {**asked, **figures}, model=read_card(arguments.model).name)
    return 0 if figures["met"] else 1


def fuzz(stage: PrivateDesktop, model: Path, seconds: float, a_second: float, seed: int) -> dict[str, Any]:
    """Return what became of a show under random datagrams."""
    port, tcp_port, stats_file = (
        free_port(socket.SOCK_DGRAM),
        free_port(socket.SOCK_STREAM),
        stage.folder / "stats.json",
    )
    options = ["--source", "tone", "--out", "null", "--osc-port", str(port), "--stats", str(stats_file)]
    options += ["--osc-tcp", str(tcp_port), "--osc-out", f"{HOST}:{free_port(socket.SOCK_DGRAM)}"]
    locks = [part for name in LOCKED for part in ("--remote-lock", name)]
    show = stage.start(
        [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *options, *locks], "show.log"
    )
    control = SceneControl(port)
    wait_until(lambda: control.ask(PING) is not None, "the show's start")
    before = control.figures()
    names = [parameter.name for parameter in parameters_for(read_card(model))]
    senders = (
        Sender(port, [*names, SUBSCRIBE, UNSUBSCRIBE, f"{OUT}/level"], seed),
        TcpSender(tcp_port, [*names, SUBSCRIBE], seed),
    )
    asked, answered, memory = _attack(show, control, senders, seconds, a_second)
    answered_tcp = answers_tcp(tcp_port)
    guard = control.ask_patiently(address(ShowValues.flash_guard.name))
    after = control.ask_figures()
    ended_s = _end(show, senders)
    written = json.loads(stats_file.read_text(encoding="utf-8")) if stats_file.exists() else {}
    said = stage.output("show.log")
    memory_figures = memory_growth(memory, ASK_EVERY_S)
    figures: dict[str, Any] = {
        "sent": senders[0].sent,
        "sent_tcp": senders[1].sent,
        "connected": senders[1].connected,
        "received": int(after.get("osc_received", 0)),
        "refused": int(after.get("osc_refused", 0)),
        "asked": asked,
        "answered": answered,
        "answered_tcp": answered_tcp,
        "steps": int(written.get("hops", 0)),
        "skipped": int(written.get("skipped_hops", 0) - before["skipped_hops"]) if written else None,
        "age_p99_ms": written.get("handed_age", {}).get("p99_ms"),
        **memory_figures,
        "lines": len(said.splitlines()),
        "tracebacks": said.count("Traceback"),
        "kept": guard == [True],
        "end_s": ended_s,
        "code": show.returncode,
        "stats": bool(written),
    }
    clean = not figures["tracebacks"] and "\x1b" not in said and show.returncode == 0
    ended = ended_s is not None and ended_s <= ENDS_WITHIN_S and figures["stats"]
    flat = memory_figures["growth_percent"] <= MOST_GROWTH_PERCENT
    return {
        **figures,
        "met": bool(clean and ended and flat and answered_tcp and figures["kept"] and figures["skipped"] == 0),
    }


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


def _attack(
    show: subprocess.Popen[bytes],
    control: SceneControl,
    senders: tuple[Sender, TcpSender],
    seconds: float,
    a_second: float,
) -> tuple[int, int, list[int]]:
    """Send for so long; return how often the show was asked and answered, and its resident memory in bytes."""
    clock, process = WallClock(), psutil.Process(show.pid)
    began_s, asked, answered, memory, rounds = clock.now_s(), 0, 0, list[int](), 0
    while (passed_s := clock.now_s() - began_s) < seconds and show.poll() is None:
        while rounds < passed_s * a_second and clock.now_s() - began_s < seconds:
            # Every other one over TCP.
            senders[rounds % 2].send()
            rounds += 1
        if passed_s >= asked * ASK_EVERY_S:
            asked += 1
            answered += control.ask_patiently(PING) is not None
            memory.append(process.memory_info().rss)
        clock.sleep(0.002)
    return asked, answered, memory


def _end(show: subprocess.Popen[bytes], senders: tuple[Sender, TcpSender]) -> float | None:
    """Ask the show to end while datagrams go on; return how long that took, None when it did not."""
    clock = WallClock()
    asked_s = clock.now_s()
    show.send_signal(signal.SIGTERM)
    while show.poll() is None and clock.now_s() - asked_s < WAITS_S:
        for sender in senders:
            sender.send()
        clock.sleep(0.0005)
    return round(clock.now_s() - asked_s, 2) if show.poll() is not None else None


if __name__ == "__main__":
    run_main(main)
