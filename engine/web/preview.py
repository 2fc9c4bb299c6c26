"""The preview's WebSocket: frames and features for whoever watches the show in a browser.

Server to page, binary: 1 and a JPEG, or 2 and the newest hop's features, one byte a band. Page to server, at any time, text:
`{"width": columns, "fps": frames a second}`, both as in the address `/page/preview?width=W&fps=F`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from aiohttp import WSCloseCode, WSMsgType, web

from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.core.structured import parse_json, shown
from engine.core.token_bucket import Bucket
from engine.output.preview.preview_sink import MOST_VIEWERS, PreviewSink, Viewer
from engine.web.refusal import refuse
from engine.web.slow_network import drop, hold_little_back

PREVIEW = "/page/preview"
JPEG, FEATURES = b"\x01", b"\x02"
DEFAULT_WIDTH, MOST_WIDTH = 512, 8192
DEFAULT_FPS, LEAST_FPS, MOST_FPS = 20.0, 0.1, 240.0
STALLED_S = 5.0
"""A viewer whose connection takes nothing for so long is dropped."""
HEARTBEAT_S = 20.0
LONGEST_MESSAGE = 1024
MESSAGES_A_SECOND, MOST_MESSAGES = 20.0, 60.0


class PagePreview:
    """Sends a show's preview to browsers. Everything but the construction happens in the event loop."""

    def __init__(self, sink: PreviewSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [web.get(PREVIEW, self._watch)]

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        came, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            # The loop is closed where the show ends first.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(came.set)

        viewer = Viewer(wake)
        try:
            viewer.ask(*asked(request.query))
        except ConfigError as error:
            return web.Response(status=400, text=str(error))
        page = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=LONGEST_MESSAGE, writer_limit=0, compress=False
        )
        await page.prepare(request)
        hold_little_back(request)
        if not self._sink.join(viewer):
            await refuse(page, f"{MOST_VIEWERS} watch this show, and no more can.", WSCloseCode.TRY_AGAIN_LATER)
            return page
        sending = asyncio.create_task(_send(request, page, viewer, came))
        try:
            await self._receive(page, viewer)
        finally:
            self._sink.leave(viewer)
            sending.cancel()
        return page

    async def _receive(self, page: web.WebSocketResponse, viewer: Viewer) -> None:
        """Take new sizes and rates until the page goes; a page that sends anything else is refused."""
        bucket = Bucket(MESSAGES_A_SECOND, MOST_MESSAGES)
        async for message in page:
            if not bucket.take(self._clock.now_s()):
                await refuse(page, f"More than {MESSAGES_A_SECOND:.0f} messages a second came; send fewer.")
                return
            try:
                viewer.ask(*asked(_values(message.data if message.type == WSMsgType.TEXT else "")))
            except ConfigError as error:
                await refuse(page, str(error))
                return


def asked(values: Mapping[str, object]) -> tuple[int, float]:
    """Return the width and the rate that a viewer asks for. Raises ConfigError for what is no such number."""
    width = _number(values, "width", DEFAULT_WIDTH, 1, MOST_WIDTH)
    fps = _number(values, "fps", DEFAULT_FPS, LEAST_FPS, MOST_FPS)
    return round(width), fps


def _number(values: Mapping[str, object], name: str, default: float, low: float, high: float) -> float:
    value = values.get(name, default)
    try:
        number = math.nan if isinstance(value, bool) else float(cast(Any, value))
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high:
        raise ConfigError(f"The preview's {name} is {shown(value)}; a number from {low:g} to {high:g} was expected.")
    return number


def _values(text: str) -> Mapping[str, object]:
    try:
        values: Any = parse_json(text)
    except ValueError as error:
        raise ConfigError(f"A message to the preview cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f'A message to the preview is {shown(values)}; {{"width": 512, "fps": 20}} was expected.')
    return cast(Mapping[str, object], values)


async def _send(request: web.Request, page: web.WebSocketResponse, viewer: Viewer, came: asyncio.Event) -> None:
    """Send the newest whenever the last was taken; end the connection where it takes nothing any more."""
    with suppress(ConnectionError):
        while True:
            await came.wait()
            came.clear()
            jpeg, levels = viewer.take()
            try:
                async with asyncio.timeout(STALLED_S):
                    if levels:
                        await page.send_bytes(FEATURES + levels)
                    if jpeg:
                        await page.send_bytes(JPEG + jpeg)
            except TimeoutError:
                if request.transport:
                    drop(request.transport)
                return
