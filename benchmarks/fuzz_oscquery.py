"""Random hostile OSCQuery, HTTP and WebSocket, into a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_oscquery --minutes 10

Some clients send commands and OSC packets, one reads nothing of what it listens to, others send requests. The show has locked parameters. It
must answer all the time, keep these, skip no step, stay within its memory, print no traceback and end within ENDS_WITHIN_S while it is
attacked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout, WSMsgType

from benchmarks.fuzz_osc import ASK_EVERY_S, ENDS_WITHIN_S, LOCKED, MOST_GROWTH_PERCENT, WAITS_S, memory_growth
from benchmarks.osc_flood import MODEL
from benchmarks.osc_hostile import hostile
from benchmarks.oscquery_hostile import command, request
from benchmarks.private_desktop import ROOT, PrivateDesktop, wait_until
from benchmarks.record import append_record, print_table
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.file import read_card

TALKERS, REQUESTERS = 4, 2
ENDS_CONNECTION = 0.002
"""Share of the messages after which a client leaves and comes again."""
ANSWERS_WITHIN_S = 5.0
LOG, STATS = "show.log", "stats.json"


def main() -> int:
    parser = argparse.ArgumentParser(description="Send random hostile OSCQuery to a show and see what becomes of it.")
    parser.add_argument("--model", type=Path, default=MODEL, help="model file (default: the one shipped)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--a-second", type=float, default=500.0, help="messages a second of each client (default 500)")
    parser.add_argument("--seed", type=int, default=1, help="seed of what is sent (default 1)")
    parser.add_argument("--no-record", action="store_true", help="only print")
    arguments = parser.parse_args()
    with PrivateDesktop("oscquery fuzz", (), "") as stage:
        attack = Attack(stage, arguments.model, arguments.a_second, arguments.seed)
        figures = asyncio.run(attack.run(60.0 * arguments.minutes))
    print_table(list(figures), [list(figures.values())])
    if not arguments.no_record:
        asked = {"minutes": arguments.minutes, "a_second": arguments.a_second, "seed": arguments.seed}
        append_record("fuzz_oscquery", {**asked, **figures}, model=read_card(arguments.model).name)
    return 0 if figures["met"] else 1


class Attack:
    """A show, and all who attack it."""

    def __init__(self, stage: PrivateDesktop, model: Path, a_second: float, seed: int) -> None:
        self._stage, self._every_s, self._seed = stage, 1.0 / a_second, seed
        self._names = [parameter.name for parameter in parameters_for(read_card(model))]
        flags = ["--source", "tone", "--out", "null", "--osc-port", "0", "--web", "127.0.0.1:0", "--stats", STATS]
        locks = [part for name in LOCKED for part in ("--remote-lock", name)]
        command_line = [sys.executable, str(ROOT / "run_live.py"), "--model", str(model.resolve()), *flags, *locks]
        self._show: subprocess.Popen[bytes] = stage.start(command_line, LOG)
        self._sent: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()

    async def run(self, seconds: float) -> dict[str, Any]:
        """Attack for so long, and return what became of the show."""
        wait_until(lambda: self._url() is not None, "the show's start")
        url = self._url() or ""
        async with ClientSession(timeout=ClientTimeout(total=ANSWERS_WITHIN_S)) as session:
            clients = [self._talk(session, url, random.Random(self._seed + number)) for number in range(TALKERS)]
            clients += [self._ask(session, url, random.Random(self._seed - number - 1)) for number in range(REQUESTERS)]
            attacking = [asyncio.create_task(client) for client in (*clients, self._stall(session, url))]
            asked, answered, memory = await self._watch(session, url, seconds)
            kept = await self._answers(session, f"{url}fluid/{LOCKED[0]}?VALUE", {"VALUE": [True]})
            ended_s = await self._end()
            for task in attacking:
                task.cancel()
            await asyncio.gather(*attacking, return_exceptions=True)
        return self._figures(asked, answered, memory, kept, ended_s)

    def _figures(
        self, asked: int, answered: int, memory: list[int], kept: bool, ended_s: float | None
    ) -> dict[str, Any]:
        file, said = self._stage.folder / STATS, self._stage.output(LOG)
        written = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        figures: dict[str, Any] = {
            **self._sent,
            "statuses": dict(sorted(self._statuses.items())),
            "asked": asked,
            "answered": answered,
            "steps": int(written.get("hops", 0)),
            "skipped": written.get("skipped_hops"),
            "age_p99_ms": written.get("handed_age", {}).get("p99_ms"),
            **memory_growth(memory, ASK_EVERY_S),
            "lines": len(said.splitlines()),
            "tracebacks": said.count("Traceback"),
            "kept": kept,
            "end_s": ended_s,
            "code": self._show.returncode,
        }
        clean = not figures["tracebacks"] and "\x1b" not in said and figures["code"] == 0 and bool(written)
        steady = asked == answered and kept and figures["skipped"] == 0
        flat = figures["growth_percent"] <= MOST_GROWTH_PERCENT
        return {**figures, "met": clean and steady and flat and ended_s is not None and ended_s <= ENDS_WITHIN_S}

    def _url(self) -> str | None:
        found = re.search(r"^page +(http://\S+?/)", self._stage.output(LOG), re.MULTILINE)
        return found[1] if found else None

    async def _talk(self, session: ClientSession, url: str, rolled: random.Random) -> None:
        """Send commands and packets, and come again after each end."""
        while True:
            with suppress(OSError, ClientError, asyncio.TimeoutError):
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    self._sent["connected"] += 1
                    while rolled.random() > ENDS_CONNECTION and not socket.closed:
                        if rolled.random() < 0.2:
                            await socket.send_str(command(rolled, self._names))
                        else:
                            await socket.send_bytes(hostile(rolled, self._names))
                        self._sent["sent"] += 1
                        with suppress(asyncio.TimeoutError):
                            if (await socket.receive(self._every_s)).type is WSMsgType.CLOSED:
                                break
            await asyncio.sleep(self._every_s)

    async def _ask(self, session: ClientSession, url: str, rolled: random.Random) -> None:
        """Send requests."""
        while True:
            with suppress(OSError, ClientError, asyncio.TimeoutError, ValueError):
                async with session.get(url.rstrip("/") + request(rolled, self._names)) as response:
                    await response.read()
                    self._statuses[response.status] += 1
            await asyncio.sleep(10 * self._every_s)

    async def _stall(self, session: ClientSession, url: str) -> None:
        """Listen to everything and read nothing."""
        while True:
            with suppress(OSError, ClientError, asyncio.TimeoutError):
                async with session.ws_connect(url) as socket:
                    for name in (*self._names, "out/level", "out/beat_phase"):
                        await socket.send_json({"COMMAND": "LISTEN", "DATA": f"/fluid/{name}"})
                    await asyncio.sleep(WAITS_S)
            await asyncio.sleep(ASK_EVERY_S)

    async def _watch(self, session: ClientSession, url: str, seconds: float) -> tuple[int, int, list[int]]:
        """Return how often the show was asked and answered, and its resident memory in bytes."""
        clock, process, memory, answered = WallClock(), psutil.Process(self._show.pid), list[int](), 0
        began_s = clock.now_s()
        while clock.now_s() - began_s < seconds and self._show.poll() is None:
            answered += await self._answers(session, f"{url}fluid/zoom?TYPE", {"TYPE": "f"})
            memory.append(process.memory_info().rss)
            await asyncio.sleep(ASK_EVERY_S)
        return len(memory), answered, memory

    async def _answers(self, session: ClientSession, url: str, expected: Any) -> bool:
        with suppress(OSError, ClientError, asyncio.TimeoutError):
            async with session.get(url) as response:
                return await response.json() == expected
        return False

    async def _end(self) -> float | None:
        """Ask the show to end while it is attacked; return how long that took, None when it did not."""
        clock = WallClock()
        asked_s = clock.now_s()
        self._show.send_signal(signal.SIGTERM)
        while self._show.poll() is None and clock.now_s() - asked_s < WAITS_S:
            await asyncio.sleep(0.01)
        return round(clock.now_s() - asked_s, 2) if self._show.poll() is not None else None


if __name__ == "__main__":
    run_main(main)
