"""The WebSocket on which a browser sends the sound of its microphone.

Page to server: first the text `{"rate_hz": …, "channels": …}`, then binary messages, float32, little endian, the channels in turn.
Server to page: `{"heard": …}` once the format is known, which tells whether the show plays it now or can only change to it, or `{"problem": sentence}` and the end; a page that was told a problem does
not come back by itself, or two of them would push each other out for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from aiohttp import WSMsgType, web
from numpy.typing import NDArray

from engine.audio.sources.pcm import FASTEST_HZ, SLOWEST_HZ
from engine.audio.sources.web import MOST_CHANNELS, BrowserSound, SoundSender
from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.core.structured import parse_json, shown
from engine.core.token_bucket import Bucket
from engine.web.refusal import refuse

# T samples, C channels

SOUND = "/page/sound"
BEGINS_WITHIN_S = 5.0
HEARTBEAT_S = 10.0
LONGEST_BLOCK_SAMPLES = 16384
LONGEST_MESSAGE = 4 * MOST_CHANNELS * LONGEST_BLOCK_SAMPLES
MESSAGES_A_SECOND, MOST_MESSAGES = 600.0, 1200.0
"""A page of ours sends 94 a second at 48 kHz and 375 at 192 kHz; a network that hung brings many at once."""
BEGINNINGS_A_SECOND, MOST_BEGINNINGS = 0.5, 10.0
"""Of all browsers together: each is a line of the log."""
NOT_HEARD = "This show does not listen to browsers; start it with --source web."
TOO_OFTEN = "Browsers begin to send too often; try again in a few seconds."
TAKEN_OVER = "Another browser gives the sound now."
SOUND_EXPECTED = "A message with sound was expected: 32-bit floats, the channels in turn."


class PageSound:
    """Takes the sound of browsers for a show. Everything but the construction happens in the event loop."""

    def __init__(self, browser_sound: BrowserSound, clock: Clock) -> None:
        self._browser_sound = browser_sound
        self._clock = clock
        self._beginnings = Bucket(BEGINNINGS_A_SECOND, MOST_BEGINNINGS)

    def routes(self) -> list[web.RouteDef]:
        return [web.get(SOUND, self._take)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        page = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=LONGEST_MESSAGE, compress=False)
        await page.prepare(request)
        sender: SoundSender | None = None
        try:
            rate_hz, channels = await self._begin(page)
            sender = self._browser_sound.begin(rate_hz, channels, request.remote or "an unknown address")
            await page.send_json({"heard": self._browser_sound.listeners > 0})
            await self._receive(page, sender)
        except ConfigError as error:
            await refuse(page, str(error))
        finally:
            if sender:
                sender.end()
        return page

    async def _begin(self, page: web.WebSocketResponse) -> tuple[int, int]:
        """Return the format that the page announces. Raises ConfigError where the show has no use for it."""
        if not self._browser_sound.is_offered:
            raise ConfigError(NOT_HEARD)
        try:
            message = await page.receive(timeout=BEGINS_WITHIN_S)
        except TimeoutError as error:
            raise ConfigError(f"No format of the sound came within {BEGINS_WITHIN_S:g} s.") from error
        found = sound_format(message.data if message.type == WSMsgType.TEXT else "")
        if not self._beginnings.take(self._clock.now_s()):
            raise ConfigError(TOO_OFTEN)
        return found

    async def _receive(self, page: web.WebSocketResponse, sender: SoundSender) -> None:
        """Hand on all blocks until the page goes. Raises ConfigError for what is no sound."""
        bucket = Bucket(MESSAGES_A_SECOND, MOST_MESSAGES)
        async for message in page:
            if not sender.is_current:
                raise ConfigError(TAKEN_OVER)
            if not bucket.take(self._clock.now_s()):
                raise ConfigError(f"More than {MESSAGES_A_SECOND:.0f} messages a second came; send longer blocks.")
            if message.type != WSMsgType.BINARY:
                raise ConfigError(SOUND_EXPECTED)
            sender.put(sound_block(message.data, sender.channels))


def sound_format(text: str) -> tuple[int, int]:
    """Return the rate and the channels that a page announces. Raises ConfigError."""
    expected = f'{{"rate_hz": {SLOWEST_HZ} to {FASTEST_HZ}, "channels": 1 to {MOST_CHANNELS}}}, both whole numbers, was expected'
    try:
        values: Any = parse_json(text)
    except ValueError as error:
        raise ConfigError(f"The format of the sound cannot be read: {error}; {expected}.") from error
    known: Mapping[str, object] = cast(dict[str, object], values) if isinstance(values, dict) else {}
    rate_hz, channels = (_whole(known.get(name)) for name in ("rate_hz", "channels"))
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ or not 1 <= channels <= MOST_CHANNELS:
        raise ConfigError(f"The format of the sound is {shown(cast(object, values))}; {expected}.")
    return rate_hz, channels


def sound_block(raw: bytes, channels: int) -> NDArray[np.float32]:
    """Return a message as sound [T, channels]. Raises ConfigError for one that is cut off, too long, or holds what is no number."""
    sample_bytes = 4 * channels
    if not raw or len(raw) % sample_bytes:
        raise ConfigError(f"A block of {len(raw)} bytes came; whole samples of {sample_bytes} bytes were expected.")
    sound_TC = np.frombuffer(raw, "<f4").reshape(-1, channels).astype(np.float32)
    if len(sound_TC) > LONGEST_BLOCK_SAMPLES:
        raise ConfigError(f"A block of {len(sound_TC)} samples came; at most {LONGEST_BLOCK_SAMPLES} were expected.")
    if not np.isfinite(sound_TC).all():
        raise ConfigError("A block came with samples that are no numbers.")
    return sound_TC


def _whole(value: object) -> int:
    """Return a whole number, also one that is written as 48000.0; 0 for anything else."""
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(cast(float, value)) if is_whole and not isinstance(value, bool) else 0
