"""Random hostile OSCQuery, HTTP and WebSocket, into a real show without a window, for as long as it is given.

    python -m benchmarks.fuzz_oscquery --minutes 10

Some clients send commands and OSC packets, one reads nothing of what it listens to, others send requests. benchmarks/fuzzed_show.py says
what is asked of the show.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from contextlib import suppress
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, WSMsgType

from benchmarks.fuzzed_show import ASK_EVERY_S, LOCKED, WAITS_S, FuzzedShow, FuzzRun, run_fuzz
from benchmarks.osc_hostile import hostile
from benchmarks.oscquery_hostile import command, request
from benchmarks.private_desktop import PrivateDesktop, wait_until
from engine.core.errors import run_main

TALKERS, REQUESTERS = 4, 2
ENDS_CONNECTION = 0.002
"""Share of the messages after which a client leaves and comes again."""
ANSWERS_WITHIN_S = 5.0


def main() -> int:
    return run_fuzz("oscquery", 500.0, lambda stage, run: asyncio.run(Attack(stage, run).fuzz()))


class Attack:
    """A show, and all who attack it."""

    def __init__(self, stage: PrivateDesktop, run: FuzzRun) -> None:
        self._run, self._every_s, self._names = run, 1.0 / run.a_second, run.names
        self._show = FuzzedShow(stage, run.model, ["--osc-port", "0", "--web", "127.0.0.1:0"])
        self._sent: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()

    async def fuzz(self) -> dict[str, Any]:
        """Attack for so long, and return what became of the show."""
        wait_until(lambda: self._url() is not None, "the show's start")
        url, seed = self._url() or "", self._run.seed
        async with ClientSession(timeout=ClientTimeout(total=ANSWERS_WITHIN_S)) as session:
            clients = [self._talk(session, url, random.Random(seed + number)) for number in range(TALKERS)]
            clients += [self._ask(session, url, random.Random(seed - number - 1)) for number in range(REQUESTERS)]
            attacking = [asyncio.create_task(client) for client in (*clients, self._stall(session, url))]
            watched = await self._show.watch_beside(
                60.0 * self._run.minutes, lambda: self._answers(session, f"{url}fluid/zoom?TYPE", {"TYPE": "f"})
            )
            kept = await self._answers(session, f"{url}fluid/{LOCKED[0]}?VALUE", {"VALUE": [True]})
            ended_s = await self._show.end_beside()
            for task in attacking:
                task.cancel()
            await asyncio.gather(*attacking, return_exceptions=True)
        return {
            **self._sent,
            "statuses": dict(sorted(self._statuses.items())),
            **self._show.figures(watched, kept, ended_s),
        }

    def _url(self) -> str | None:
        found = re.search(r"^page +(http://\S+?/)", self._show.said, re.MULTILINE)
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

    async def _answers(self, session: ClientSession, url: str, expected: Any) -> bool:
        with suppress(OSError, ClientError, asyncio.TimeoutError):
            async with session.get(url) as response:
                return await response.json() == expected
        return False


if __name__ == "__main__":
    run_main(main)
