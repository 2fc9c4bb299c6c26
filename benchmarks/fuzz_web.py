"""Random hostile HTTP and WebSocket traffic against the port of a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_web --minutes 10

The show has locked parameters. It must answer all the time, keep these, skip no step, stay within its memory, print no traceback
and end within ENDS_WITHIN_S with its statistics, while the traffic goes on. Memory is told as in benchmarks/fuzz_osc.py. Some clients
stop in the middle of a request, and some never read.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientError, ClientSession

from benchmarks.fuzz_osc import (
    ASK_EVERY_S,
    ENDS_WITHIN_S,
    LOCKED,
    MOST_GROWTH_PERCENT,
    WAITS_S,
    memory_growth,
)
from benchmarks.night_desktop import free_port
from benchmarks.osc_flood import MODEL
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.record import append_record, print_table
from benchmarks.web_hostile import SOCKETS, handshake, hostile_frame, hostile_request
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main
from engine.model.file import read_card

HOST = "127.0.0.1"
SHARE_SOCKETS, MOST_FRAMES = 0.5, 60
MOST_STALLED = 20
"""Clients that were left open, as many at once."""
_PATIENCE_S = 0.02


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Send random hostile web traffic to a show and see what becomes of it."
    )
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--a-second", type=float, default=40.0, help="connections a second (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the traffic (default 1)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    with PrivateDesktop("web fuzz", (), "") as stage:
        figures = fuzz(stage, arguments.model, 60.0 * arguments.minutes, arguments.a_second, arguments.seed)
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        asked = {"minutes": arguments.minutes, "a_second": arguments.a_second, "seed": arguments.seed}
        append_record("fuzz_web", {**asked, **figures}, model=read_card(arguments.model).name)
    return 0 if figures["met"] else 1


def fuzz(stage: PrivateDesktop, model: Path, seconds: float, a_second: float, seed: int) -> dict[str, Any]:
    """Return what became of a show under random traffic."""
    port, stats_file = free_port(socket.SOCK_STREAM), stage.folder / "stats.json"
    options = ["--source", "tone", "--out", "null", "--no-osc", "--web", str(port), "--stats", str(stats_file)]
    locks = [part for name in LOCKED for part in ("--remote-lock", name)]
    show = stage.start(
        [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *options, *locks], "show.log"
    )
    wait_until(lambda: answers(port), "the show's start")
    traffic = Traffic(port, [parameter.name for parameter in parameters_for(read_card(model))], seed)
    before = told(port)["telemetry"]
    asked, answered, memory = _attack(show, traffic, port, seconds, a_second)
    guard = told(port)["values"]["values"]["flash_guard"]
    ended_s = _end(show, traffic)
    written = json.loads(stats_file.read_text(encoding="utf-8")) if stats_file.exists() else {}
    said = stage.output("show.log")
    memory_figures = memory_growth(memory, ASK_EVERY_S)
    figures: dict[str, Any] = {
        "connections": traffic.connections,
        "frames": traffic.frames,
        "asked": asked,
        "answered": answered,
        "steps": int(written.get("hops", 0)),
        "skipped": written["skipped_hops"] - before["skipped_hops"] if written else None,
        "age_p99_ms": written.get("handed_age", {}).get("p99_ms"),
        **memory_figures,
        "lines": len(said.splitlines()),
        "tracebacks": said.count("Traceback"),
        "faults": said.count("could not answer a request"),
        "kept": guard is True and not (stage.folder / "recordings").exists(),
        "end_s": ended_s,
        "code": show.returncode,
        "stats": bool(written),
    }
    clean = not figures["tracebacks"] and not figures["faults"] and "\x1b" not in said and show.returncode == 0
    ended = ended_s is not None and ended_s <= ENDS_WITHIN_S and figures["stats"]
    flat = memory_figures["growth_percent"] <= MOST_GROWTH_PERCENT
    served = answered == asked and figures["kept"] and figures["skipped"] == 0
    return {**figures, "met": bool(clean and ended and flat and served)}


class Traffic:
    """Opens connections with random traffic; the same seed opens the same ones."""

    def __init__(self, port: int, names: Sequence[str], seed: int) -> None:
        self._rolled, self._names, self._port = random.Random(seed), names, port
        self._host = f"{HOST}:{port}"
        self._stalled: deque[socket.socket] = deque()
        self.connections = self.frames = 0

    def open(self) -> None:
        """Open one connection, send over it, and close it or leave it."""
        self.connections += 1
        rolled = self._rolled
        try:
            connection = socket.create_connection((HOST, self._port), _PATIENCE_S)
        except OSError:
            return
        # The show hangs up in the middle, which is as it should be.
        with suppress(OSError):
            if rolled.random() < SHARE_SOCKETS:
                connection.sendall(handshake(rolled.choice(SOCKETS), self._host))
                connection.recv(4096)
                for _ in range(rolled.randrange(MOST_FRAMES)):
                    self.frames += 1
                    connection.sendall(hostile_frame(rolled, self._names))
            else:
                connection.sendall(hostile_request(rolled, self._names, self._host))
            if rolled.random() < 0.5:
                connection.recv(65536)
        if rolled.random() < 0.3:
            self._stalled.append(connection)
            connection = self._stalled.popleft() if len(self._stalled) > MOST_STALLED else None
        if connection:
            connection.close()


def answers(port: int) -> bool:
    """Return whether the page is given."""
    asking = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        asking.request("GET", "/page/")
        return asking.getresponse().status in (200, 404)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def told(port: int) -> dict[str, dict[str, Any]]:
    """Return what a page is told when it comes, by type. Raises ConfigError where it is told nothing."""

    async def visit() -> dict[str, dict[str, Any]]:
        messages = dict[str, dict[str, Any]]()
        async with ClientSession() as session:
            origin = f"http://{HOST}:{port}"
            async with session.ws_connect(f"{origin}/page/socket", headers={"Origin": origin}) as page:
                while not {"values", "telemetry"} <= messages.keys():
                    message = await page.receive_json(timeout=WAITS_S)
                    messages.setdefault(message["type"], message)
        return messages

    clock = WallClock()
    began_s = clock.now_s()
    while clock.now_s() - began_s < WAITS_S:
        # Hostile pages may take all places for a moment.
        with suppress(ClientError, OSError, TypeError):
            return asyncio.run(visit())
        clock.sleep(ASK_EVERY_S)
    raise ConfigError("The show tells a page nothing.")


def _attack(
    show: subprocess.Popen[bytes], traffic: Traffic, port: int, seconds: float, a_second: float
) -> tuple[int, int, list[int]]:
    """Attack for so long; return how often the show was asked and answered, and its resident memory in bytes."""
    clock, process = WallClock(), psutil.Process(show.pid)
    began_s, asked, answered, memory = clock.now_s(), 0, 0, list[int]()
    while (passed_s := clock.now_s() - began_s) < seconds and show.poll() is None:
        if traffic.connections < passed_s * a_second:
            traffic.open()
        else:
            clock.sleep(0.002)
        if passed_s >= asked * ASK_EVERY_S:
            asked += 1
            answered += answers(port)
            memory.append(process.memory_info().rss)
    return asked, answered, memory


def _end(show: subprocess.Popen[bytes], traffic: Traffic) -> float | None:
    """Ask the show to end while traffic goes on; return how long that took, None when it did not."""
    clock = WallClock()
    asked_s = clock.now_s()
    show.send_signal(signal.SIGTERM)
    while show.poll() is None and clock.now_s() - asked_s < WAITS_S:
        traffic.open()
        clock.sleep(0.01)
    return round(clock.now_s() - asked_s, 2) if show.poll() is not None else None


if __name__ == "__main__":
    run_main(main)
