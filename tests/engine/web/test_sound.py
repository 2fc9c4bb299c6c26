"""The sound's WebSocket with real clients: what is heard, who takes over, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from engine.audio.sources.stream import StreamSource
from engine.audio.sources.web import BrowserSound
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from engine.web import sound
from engine.web.sound import PageSound, sound_block, sound_format
from tests.engine.web.serving import HOST, served

COMES_WITHIN_S = 20.0
FORMAT = {"rate_hz": 48000, "channels": 2}


@pytest.fixture
def browser_sound() -> BrowserSound:
    return BrowserSound()


@pytest.fixture
def source(browser_sound: BrowserSound) -> Iterator[StreamSource]:
    playing = browser_sound.source(WallClock())
    playing.start()
    clock = WallClock()
    while not browser_sound.listeners:
        clock.sleep(0.001)
    yield playing
    playing.close()


def converse(
    browser_sound: BrowserSound, talk: Callable[[Callable[[], Awaitable[ClientWebSocketResponse]]], Awaitable[None]]
) -> None:
    """Serve the sound of browsers and let `talk` open connections to it."""

    async def serve() -> None:
        async with served(PageSound(browser_sound, WallClock()).routes()) as port, ClientSession() as session:

            async def connect() -> ClientWebSocketResponse:
                return await session.ws_connect(f"http://{HOST}:{port}/page/sound")

            await talk(connect)

    asyncio.run(serve())


async def problem_of(client: ClientWebSocketResponse) -> str:
    """Return why the server refuses a client, after which it closes."""
    told = await client.receive_json(timeout=COMES_WITHIN_S)
    while "heard" in told:
        told = await client.receive_json(timeout=COMES_WITHIN_S)
    assert (await client.receive()).type == WSMsgType.CLOSE
    return str(told["problem"])


def block(level: float, samples: int = 512) -> bytes:
    return np.full((samples, 2), level, "<f4").tobytes()


async def heard(source: StreamSource, level: float) -> list[str]:
    """Read until sound of this level comes; return the notices."""
    told = list[str]()
    async with asyncio.timeout(COMES_WITHIN_S):
        while True:
            read = source.read()
            assert read
            told += source.notices()
            if np.any(read[0] == np.float32(level)):
                return told
            await asyncio.sleep(0.005)


def test_what_a_browser_sends_is_heard_and_the_newest_takes_over(
    browser_sound: BrowserSound, source: StreamSource
) -> None:
    async def talk(connect: Callable[[], Awaitable[ClientWebSocketResponse]]) -> None:
        first = await connect()
        await first.send_json(FORMAT)
        assert await first.receive_json(timeout=COMES_WITHIN_S) == {"heard": True}
        await first.send_bytes(block(0.25))
        assert await heard(source, 0.25) == [
            "The browser at 127.0.0.1 gives the sound, 48000 Hz with 2 channels.",
        ]
        second = await connect()
        await second.send_json({"rate_hz": 48000.0, "channels": 1})
        assert await second.receive_json(timeout=COMES_WITHIN_S) == {"heard": True}
        await first.send_bytes(block(0.5))
        assert await problem_of(first) == "Another browser gives the sound now."
        await second.send_bytes(np.full(512, 0.75, "<f4").tobytes())
        await heard(source, 0.75)
        await second.close()

    converse(browser_sound, talk)


def test_a_show_that_listens_to_no_browser_says_so(browser_sound: BrowserSound) -> None:
    async def talk(connect: Callable[[], Awaitable[ClientWebSocketResponse]]) -> None:
        assert await problem_of(await connect()) == sound.NOT_HEARD

    converse(browser_sound, talk)


def test_a_browser_may_send_before_the_show_changes_to_it(browser_sound: BrowserSound) -> None:
    browser_sound.is_offered = True

    async def talk(connect: Callable[[], Awaitable[ClientWebSocketResponse]]) -> None:
        client = await connect()
        await client.send_json(FORMAT)
        assert await client.receive_json(timeout=COMES_WITHIN_S) == {"heard": False}
        playing = browser_sound.source(WallClock())
        playing.start()
        try:
            for _ in range(100):
                await client.send_bytes(block(0.25))
                await asyncio.sleep(0.005)
            await heard(playing, 0.25)
        finally:
            playing.close()

    converse(browser_sound, talk)


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        (['{"rate_hz": 1000, "channels": 1}'], "The format of the sound is {'channels': 1, 'rate_hz': 1000}; "),
        (['{"rate_hz": 48000, "channels": 9}'], "The format of the sound is {'channels': 9, 'rate_hz': 48000}; "),
        (['{"rate_hz": 48000.5, "channels": true}'], "The format of the sound is "),
        (["{"], "The format of the sound cannot be read: it is cut off or no JSON in line 1; "),
        ([b"\0" * 8], "The format of the sound cannot be read: "),
        (['{"rate_hz": 48000, "channels": 2}', "text"], sound.SOUND_EXPECTED),
        (['{"rate_hz": 48000, "channels": 2}', b"\0" * 12], "A block of 12 bytes came; whole samples of 8 bytes"),
        (['{"rate_hz": 48000, "channels": 2}', block(np.nan)], "A block came with samples that are no numbers."),
        (['{"rate_hz": 48000, "channels": 2}', block(0.0, 20000)], "A block of 20000 samples came; at most 16384"),
        (['{"rate_hz": 48000, "channels": 2}', *[block(0.0, 1)] * 3000], "More than 600 messages a second came;"),
    ],
)
def test_what_is_no_sound_is_refused_with_a_sentence(
    browser_sound: BrowserSound, source: StreamSource, messages: list[str | bytes], sentence: str
) -> None:
    assert source.live

    async def talk(connect: Callable[[], Awaitable[ClientWebSocketResponse]]) -> None:
        client = await connect()
        for message in messages:
            await (client.send_str(message) if isinstance(message, str) else client.send_bytes(message))
        assert (await problem_of(client)).startswith(sentence)

    converse(browser_sound, talk)


def test_browsers_that_come_and_go_do_not_fill_the_log(browser_sound: BrowserSound, source: StreamSource) -> None:
    assert source.live

    async def talk(connect: Callable[[], Awaitable[ClientWebSocketResponse]]) -> None:
        told = list[dict[str, object]]()
        for _ in range(40):
            client = await connect()
            await client.send_json(FORMAT)
            told.append(await client.receive_json(timeout=COMES_WITHIN_S))
            await client.close()
        assert told[0] == {"heard": True}
        assert told[-1] == {"problem": sound.TOO_OFTEN}

    converse(browser_sound, talk)


def test_a_message_beyond_all_sense_ends_the_connection(browser_sound: BrowserSound, source: StreamSource) -> None:
    assert source.live

    async def talk(connect: Callable[[], Awaitable[ClientWebSocketResponse]]) -> None:
        client = await connect()
        await client.send_json(FORMAT)
        await client.receive_json(timeout=COMES_WITHIN_S)
        await client.send_bytes(b"\0" * (sound.LONGEST_MESSAGE + 8))
        while not client.closed:
            await client.receive(timeout=COMES_WITHIN_S)
        assert client.close_code == 1009

    converse(browser_sound, talk)


def test_who_announces_nothing_is_sent_away(
    browser_sound: BrowserSound, source: StreamSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.live
    monkeypatch.setattr(sound, "BEGINS_WITHIN_S", 0.1)

    async def talk(connect: Callable[[], Awaitable[ClientWebSocketResponse]]) -> None:
        assert await problem_of(await connect()) == "No format of the sound came within 0.1 s."

    converse(browser_sound, talk)


def test_formats_and_blocks_are_read_as_they_are_meant() -> None:
    assert sound_format('{"rate_hz": 8000, "channels": 8}') == (8000, 8)
    assert sound_format('{"rate_hz": 192000, "channels": 1}') == (192000, 1)
    sound_TC = sound_block(np.array([[0.25, -0.5], [1.0, 0.0]], "<f4").tobytes(), 2)
    assert sound_TC.tolist() == [[0.25, -0.5], [1.0, 0.0]]
    with pytest.raises(ConfigError, match="A block of 0 bytes came"):
        sound_block(b"", 1)
