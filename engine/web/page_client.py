"""One browser at /page/socket: what waits to be sent to it, and what it may send.

Of a state that it has not taken yet it gets the newest only, so a slow client holds back neither the show nor the others, and what
waits for it stays small.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from aiohttp import web

from engine.control.parameter import Value
from engine.core.clock import Clock
from engine.core.notice_log import MOST_LINES, ToldLine
from engine.core.token_bucket import Bucket
from engine.web import limits, page_messages
from engine.web.slow_network import drop, hold_little_back

STATES = ("hello", "table", "values", "scenes", "models", "inputs", "mappings", "midi", "notices", "telemetry")
"""Kinds of states, in the order in which they are sent."""
WRITER_LIMIT_BYTES = 0
"""Each message is waited for, so that the next one holds the newest state."""
_PAUSE_S = 0.02


class PageClient:
    """For the event loop alone."""

    def __init__(self, request: web.Request, page: web.WebSocketResponse, origin: str, clock: Clock) -> None:
        self.origin = origin
        self.calls: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(limits.MOST_CALLS_WAITING)
        self.notices_until = 0
        """Number of the newest line that was handed over."""
        self._transport = request.transport
        self._page = page
        self._clock = clock
        self._bucket = Bucket(limits.MESSAGES_A_SECOND, limits.MESSAGES_AT_ONCE)
        self._replies = deque[str]()
        self._states: dict[str, str] = {}
        self._values: dict[str, Value] = {}
        self._notices = deque[ToldLine](maxlen=MOST_LINES)
        self._is_waiting = asyncio.Event()
        hold_little_back(request)

    def reply(self, text: str) -> None:
        """Send an answer; each of them arrives. Whoever takes none is dropped before they are many."""
        self._replies.append(text)
        self._is_waiting.set()

    def put(self, kind: str, text: str) -> None:
        """Send a state, in place of one of its kind that has not been sent yet."""
        self._states[kind] = text
        self._is_waiting.set()

    def put_values(self, changed: Mapping[str, Value]) -> None:
        """Send values with the next tick, the last one of each parameter."""
        self._values.update(changed)

    def put_notices(self, lines: Sequence[ToldLine]) -> None:
        """Send the lines that it has not got yet; the newest where they are many."""
        new = [line for line in lines if line.number > self.notices_until]
        if new:
            self.notices_until = new[-1].number
            self._notices.extend(new)
            self._is_waiting.set()

    def tick(self) -> None:
        """Send the values that have changed since the last tick."""
        if self._values:
            self._is_waiting.set()

    @property
    def is_behind(self) -> bool:
        """Whether it has so much to take that no more is read from it."""
        return len(self._replies) > limits.MOST_CALLS_WAITING

    async def turn(self, length: int) -> None:
        """Wait until a message of so many characters may be read."""
        tokens = 1.0 + length / 1024.0
        while self.is_behind or not self._bucket.take(self._clock.now_s(), tokens):
            await asyncio.sleep(_PAUSE_S)

    async def send(self) -> None:
        """Send what waits until the connection ends; end it where it takes nothing any more."""
        with suppress(ConnectionError):
            while True:
                await self._is_waiting.wait()
                self._is_waiting.clear()
                while (text := self._next()) is not None:
                    try:
                        async with asyncio.timeout(limits.STALLED_S):
                            await self._page.send_str(text)
                    except TimeoutError:
                        if self._transport:
                            drop(self._transport)
                        return

    def _next(self) -> str | None:
        if self._replies:
            return self._replies.popleft()
        for kind in STATES:
            if kind == "values" and self._values:
                changed, self._values = self._values, {}
                return page_messages.values(changed)
            if kind == "notices" and self._notices:
                lines = tuple(self._notices)
                self._notices.clear()
                return page_messages.notices(lines, self._clock.now_s())
            if kind in self._states:
                return self._states.pop(kind)
        return None
