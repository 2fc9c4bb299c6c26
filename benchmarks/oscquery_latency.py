"""How long a value takes from a sender through a playing show to another program that listens by OSCQuery.

    python -m benchmarks.oscquery_latency --values 600

Each value is sent over OSC (UDP) or over the WebSocket of OSCQuery, and another connection listens. What is measured has the way back in it, so it
is more than the show needs to know the value: from then on the value shows with the next frame of the display.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientSession, ClientWebSocketResponse
from pythonosc.osc_message import OscMessage

from benchmarks.night_traffic import message
from benchmarks.osc_flood import MODEL
from benchmarks.osc_flood_traffic import HOST
from benchmarks.private_desktop import ROOT, PrivateDesktop, end, wait_until
from benchmarks.record import append_record, print_table
from engine.control.parameter_table import ShowValues
from engine.control.remotes.osc_addresses import address
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.06, 0.14
"""Between two values: no multiple of a hop or of a round of OSCQuery."""
COMES_WITHIN_S = 5.0
LOG = "show.log"
_TO = address(ShowValues.zoom.name)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the way of a value through a playing show to a listener.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--values", type=int, default=600, help="values by each way (default 600)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    with PrivateDesktop("oscquery latency", (), "") as stage:
        flags = ["--source", "tone", "--out", "null", "--osc-port", "0", "--web", "127.0.0.1:0"]
        show = stage.start(
            [sys.executable, str(ROOT / "run_live.py"), "--model", str(arguments.model.resolve()), *flags], LOG
        )
        wait_until(lambda: "page " in stage.output(LOG), "the show's start")
        try:
            ways = asyncio.run(_measure(stage.output(LOG), arguments.values))
        finally:
            end(show)
    rows = [
        [way, len(taken_ms), *np.percentile(taken_ms, (50, 95, 99)), max(taken_ms)] for way, taken_ms in ways.items()
    ]
    print_table(["way", "values", "p50 ms", "p95 ms", "p99 ms", "most ms"], rows)
    if not arguments.no_record:
        figures = {
            way: dict(zip(("values", "p50_ms", "p95_ms", "p99_ms", "most_ms"), map(float, row), strict=True))
            for way, *row in rows
        }
        append_record("oscquery_latency", figures, model=read_card(arguments.model).name)
    return 0


async def _measure(said: str, values: int) -> dict[str, list[float]]:
    """Return the times in ms by each way, for a show that said where it is."""
    osc_port, url = (
        re.findall(r"^osc +\S+ port (\d+)", said, re.MULTILINE),
        re.findall(r"^page +(\S+)", said, re.MULTILINE),
    )
    clock, rolled, ways = WallClock(), random.Random(1), dict[str, list[float]](osc=[], oscquery=[])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((HOST, int(osc_port[0])))
        async with (
            ClientSession() as session,
            session.ws_connect(url[0]) as sender,
            session.ws_connect(url[0]) as listener,
        ):
            await listener.send_json({"COMMAND": "LISTEN", "DATA": _TO})
            await _until(listener, ShowValues.zoom.default)
            for number in range(2 * values):
                # A whole number of 1024ths is the same as float32.
                value = 1.0 + (number % 2000 + 1) / 1024
                sent = message(_TO, value)
                began_s = clock.now_s()
                if number % 2:
                    udp.send(sent)
                else:
                    await sender.send_bytes(sent)
                await _until(listener, value)
                ways["osc" if number % 2 else "oscquery"].append(1e3 * (clock.now_s() - began_s))
                await asyncio.sleep(rolled.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
    return ways


async def _until(listener: ClientWebSocketResponse, value: Any) -> None:
    """Wait until the listener is told a value. Raises TimeoutError."""
    while OscMessage(await listener.receive_bytes(timeout=COMES_WITHIN_S)).params != [value]:
        pass


if __name__ == "__main__":
    run_main(main)
