"""Random hostile HTTP and WebSocket traffic against the port of a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_web --minutes 10

Some clients stop in the middle of a request, and some never read. benchmarks/fuzzed_show.py says what is asked of the show.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiohttp import ClientError, ClientSession

from benchmarks.fuzzed_show import ASK_EVERY_S, WAITS_S, FuzzedShow, FuzzRun, run_fuzz
from benchmarks.night_desktop import free_port
from benchmarks.private_desktop import PrivateDesktop, wait_until
from benchmarks.web_hostile import SOCKETS, handshake, hostile_frame, hostile_request
from engine.core.clock import WallClock
from engine.core.errors import ConfigError, run_main

HOST = "127.0.0.1"
SHARE_SOCKETS, MOST_FRAMES = 0.5, 60
MOST_STALLED = 20
"""Clients that were left open, as many at once."""
_PATIENCE_S = 0.02


def main() -> int:
    return run_fuzz("web", 40.0, fuzz)


def fuzz(stage: PrivateDesktop, run: FuzzRun) -> dict[str, Any]:
    """Return what became of a show under random traffic."""
    port = free_port(socket.SOCK_STREAM)
    show = FuzzedShow(stage, run.model, ["--no-osc", "--web", str(port)])
    wait_until(lambda: answers(port), "the show's start")
    traffic = Traffic(port, run.names, run.seed)
    skipped_before = int(told(port)["telemetry"]["skipped_hops"])

    def open_in_time(passed_s: float) -> None:
        if traffic.connections < passed_s * run.a_second:
            traffic.open()

    watched = show.watch(60.0 * run.minutes, lambda: answers(port), open_in_time)
    guarded = told(port)["values"]["values"]["flash_guard"] is True
    kept = guarded and not (stage.folder / "recordings").exists()
    figures = show.figures(watched, kept, show.end(traffic.open), skipped_before)
    faults = show.said.count("could not answer a request")
    return {
        "connections": traffic.connections,
        "frames": traffic.frames,
        "faults": faults,
        **figures,
        "met": figures["met"] and not faults,
    }


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


if __name__ == "__main__":
    run_main(main)
