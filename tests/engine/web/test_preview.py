"""The preview's WebSocket with real clients: sizes, rates, refusals, and one who never reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from engine.output.frame import Frame
from engine.output.preview.preview_sink import MOST_VIEWERS, PreviewSink
from engine.web import preview
from engine.web.preview import PagePreview, asked
from tests.engine.output.preview.test_preview_sink import SHOW, frame
from tests.engine.web.serving import HOST, served

COMES_WITHIN_S = 20.0
HANDSHAKE = (
    "GET /page/preview?width=1920 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def sink() -> Iterator[PreviewSink]:
    opened = PreviewSink(is_output=True)
    opened.open(SHOW)
    yield opened
    opened.close()


def address(port: int, query: str = "") -> str:
    return f"http://{HOST}:{port}/page/preview{query}"


async def watched_by(sink: PreviewSink, viewers: int) -> None:
    """Return once so many watch."""
    async with asyncio.timeout(COMES_WITHIN_S):
        while sink.viewers != viewers:
            await asyncio.sleep(0.01)


async def next_jpeg(client: ClientWebSocketResponse) -> tuple[int, int]:
    """Return columns and rows of the next frame, which comes after its features."""
    features = await client.receive_bytes(timeout=COMES_WITHIN_S)
    assert features[:1] == b"\x02"
    assert len(features) == 1 + 8
    message = await client.receive_bytes(timeout=COMES_WITHIN_S)
    assert message[:1] == b"\x01"
    pixels_HWC = cv2.imdecode(np.frombuffer(message[1:], np.uint8), cv2.IMREAD_COLOR)
    assert pixels_HWC is not None
    return pixels_HWC.shape[1], pixels_HWC.shape[0]


def test_a_browser_gets_frames_of_its_size_and_changes_it(sink: PreviewSink) -> None:
    async def watch() -> None:
        async with served(PagePreview(sink, WallClock()).routes()) as port, ClientSession() as session:
            async with session.ws_connect(address(port, "?width=300&fps=20")) as client:
                await watched_by(sink, 1)
                sink.show(frame(0))
                assert await next_jpeg(client) == (320, 160)
                await client.send_str('{"width": 130, "fps": 20}')
                sizes, index = set[tuple[int, int]](), 0
                while (192, 96) not in sizes:
                    index += 1
                    sink.show(frame(index))
                    sizes.add(await next_jpeg(client))
            await watched_by(sink, 0)

    asyncio.run(watch())


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ('{"width": "wide"}', "The preview's width is 'wide'; a number from 1 to 8192 was expected."),
        ('{"fps": 1e999}', "The preview's fps is inf; a number from 0.1 to 240 was expected."),
        ('{"fps": true}', "The preview's fps is True; a number from 0.1 to 240 was expected."),
        ("[1]", 'A message to the preview is [1]; {"width": 512, "fps": 20} was expected.'),
        ("{", "A message to the preview cannot be read: it is cut off or no JSON in line 1."),
    ],
)
def test_what_is_no_size_is_refused_with_a_sentence(sink: PreviewSink, message: str, sentence: str) -> None:
    async def watch() -> None:
        async with served(PagePreview(sink, WallClock()).routes()) as port, ClientSession() as session:
            async with session.ws_connect(address(port)) as client:
                await client.send_str(message)
                assert await client.receive_json(timeout=COMES_WITHIN_S) == {"problem": sentence}
                assert (await client.receive()).type == WSMsgType.CLOSE
            await watched_by(sink, 0)

    asyncio.run(watch())


def test_an_address_with_a_wrong_size_is_refused(sink: PreviewSink) -> None:
    async def ask() -> tuple[int, str]:
        async with (
            served(PagePreview(sink, WallClock()).routes()) as port,
            ClientSession() as session,
            session.get(address(port, "?width=nan")) as answer,
        ):
            return answer.status, await answer.text()

    assert asyncio.run(ask()) == (400, "The preview's width is 'nan'; a number from 1 to 8192 was expected.")
    with pytest.raises(ConfigError, match="fps is '0'"):
        asked({"fps": "0"})


def test_one_viewer_too_many_is_told_and_the_others_stay(sink: PreviewSink) -> None:
    async def watch() -> None:
        async with served(PagePreview(sink, WallClock()).routes()) as port, ClientSession() as session:
            clients = [await session.ws_connect(address(port)) for _ in range(MOST_VIEWERS)]
            await watched_by(sink, MOST_VIEWERS)
            async with session.ws_connect(address(port)) as client:
                told = await client.receive_json(timeout=COMES_WITHIN_S)
                assert told == {"problem": f"{MOST_VIEWERS} watch this show, and no more can."}
                await client.receive()
                assert client.close_code == 1013
            sink.show(frame(0))
            for client in clients:
                assert await next_jpeg(client) == (512, 256)
                await client.close()

    asyncio.run(watch())


def test_a_flood_of_messages_is_refused(sink: PreviewSink) -> None:
    async def watch() -> None:
        async with served(PagePreview(sink, WallClock()).routes()) as port, ClientSession() as session:
            async with session.ws_connect(address(port)) as client:
                for _ in range(500):
                    await client.send_str("{}")
                assert "send fewer" in (await client.receive_json(timeout=COMES_WITHIN_S))["problem"]
            await watched_by(sink, 0)

    asyncio.run(watch())


def noisy_frame(index: int) -> Frame:
    """Return a frame whose JPEG is large, so that a connection that nobody reads is soon full."""
    pixels_HWC = np.random.default_rng(index).integers(0, 256, (256, 512, 3), np.uint8)
    return replace(frame(index), pixels_HWC=pixels_HWC)


def test_who_never_reads_costs_nobody_a_frame_and_is_dropped(
    sink: PreviewSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "STALLED_S", 0.3)

    async def watch() -> None:
        async with served(PagePreview(sink, WallClock()).routes()) as port, ClientSession() as session:
            reader, writer = await asyncio.open_connection(HOST, port, limit=4096)
            writer.write(HANDSHAKE.encode())
            await watched_by(sink, 1)
            async with session.ws_connect(address(port, "?width=1920")) as client:
                await watched_by(sink, 2)
                index, came = 0, 0
                async with asyncio.timeout(COMES_WITHIN_S):
                    while sink.viewers == 2:
                        sink.show(noisy_frame(index))
                        assert await next_jpeg(client) == (512, 256)
                        index, came = index + 1, came + 1
                # The other one got each frame that there was, before the stalled one went and after.
                for later in range(3):
                    sink.show(noisy_frame(index + later))
                    assert await next_jpeg(client) == (512, 256)
            assert came > 5
            writer.transport.abort()
            del reader

    asyncio.run(watch())
