"""Viewers of a preview, in a process of their own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp

from engine.core.clock import WallClock
from engine.web.preview import JPEG, PREVIEW

ADDRESS = "http://127.0.0.1:{port}"
_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def watch(port: int, width: int, reading: int, stalled: int, settles_s: float, seconds: float, counts: Any) -> None:
    """Watch for `seconds` after `settles_s`, and put a list of (frames, bytes), one a viewer who reads, into `counts`."""
    counts.put(asyncio.run(_watch(port, width, reading, stalled, settles_s, seconds)))


async def _watch(
    port: int, width: int, reading: int, stalled: int, settles_s: float, seconds: float
) -> list[tuple[int, int]]:
    path = f"{PREVIEW}?width={width}&fps=60"
    stalling = [asyncio.create_task(_stall(port, path)) for _ in range(stalled)]
    came = await asyncio.gather(*(_read(port, path, settles_s, seconds) for _ in range(reading)))
    if not reading:
        await asyncio.sleep(settles_s + seconds)
    for task in stalling:
        task.cancel()
    return list(came)


async def _read(port: int, path: str, settles_s: float, seconds: float) -> tuple[int, int]:
    """Count the frames, and the bytes of all messages."""
    frames = amount = 0
    clock, address = WallClock(), ADDRESS.format(port=port)
    from_s = clock.now_s() + settles_s
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address + path, origin=address, max_msg_size=0) as client,
    ):
        async for message in client:
            now_s = clock.now_s()
            if now_s > from_s + seconds:
                break
            if now_s >= from_s and message.type == aiohttp.WSMsgType.BINARY:
                frames += message.data[:1] == JPEG
                amount += len(message.data)
    return frames, amount


async def _stall(port: int, path: str) -> None:
    """Ask for frames and never read one; come again when dropped."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(_HANDSHAKE.format(path=path, port=port).encode())
            # Whoever reads nothing notices the end of a connection when it writes.
            while not writer.transport.is_closing():
                await asyncio.sleep(1.0)
                writer.write(b"\x8a\x80\0\0\0\0")
                await writer.drain()
