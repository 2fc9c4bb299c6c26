"""Whatever arrives over HTTP and WebSocket, the show goes on, nothing is logged, and others are answered."""

from __future__ import annotations

import json
import logging
import math
import random
from typing import Any
from urllib.parse import quote

import pytest

from engine.control.parameter_table import TABLE
from tests.engine.web.oscquery.serving import Connected, Show, packet, run

SEED, TEXTS, PACKETS, PATHS = 7, 300, 600, 150
WORDS = (
    "COMMAND",
    "DATA",
    "LISTEN",
    "IGNORE",
    "/fluid/zoom",
    "/fluid/out/level",
    "/fluid/",
    "/",
    "PATH_CHANGED",
    "\ud800",
    "",
)
ADDRESSES = (
    "/fluid/zoom",
    "/fluid/*",
    "/fluid/{zoom,glow}",
    "/fluid/scene",
    "/fluid/out/level",
    "/fluid/error",
    "//",
    "/fluid/subscribe",
)


def text(draw: random.Random) -> str:
    """Return something like a command."""
    values: list[Any] = [None, True, -1, 1e308, "x" * 3000, [], {}, *WORDS]
    made = json.dumps({draw.choice(WORDS): draw.choice([*values, [draw.choice(values)]]) for _ in range(3)})
    at = draw.randrange(len(made))
    return draw.choice([made, made[:at], made[:at] + draw.choice('{}[]",:\x00é') + made[at:]])


def datagram(draw: random.Random) -> bytes:
    """Return something like an OSC packet, often damaged, sometimes a bundle of them."""
    value = draw.choice([0.5, -1e30, math.inf, math.nan, 2**31 - 1, True, "loud", b"blob", None])
    made = packet(draw.choice([*ADDRESSES, *(f"/fluid/{p.name}" for p in TABLE)]), *([] if value is None else [value]))
    if draw.random() < 0.3:
        made = b"#bundle\0" + draw.randbytes(8) + len(made).to_bytes(4, "big") + made
    if draw.random() < 0.5:
        at = draw.randrange(len(made))
        made = made[:at] + draw.randbytes(draw.randrange(4)) + made[at + draw.randrange(3) :]
    return made


def path(draw: random.Random) -> str:
    """Return something like a request."""
    parts = ["fluid", "out", "zoom", "..", "%2e%2e", "%00", "é", "a" * 200, "", "%", "[", "page"]
    query = draw.choice(
        ["", "?VALUE", "?HOST_INFO", "?VALUE&RANGE", "?&&=", "?%56ALUE", "?VALUE=1&TYPE", "?é", "?" + "A" * 300]
    )
    return (
        "/"
        + quote("/".join(draw.choice(parts) for _ in range(draw.randrange(1, 5))), safe="/%")
        + quote(query, safe="?&=%")
    )


def test_nothing_that_arrives_ends_or_logs_anything(caplog: pytest.LogCaptureFixture) -> None:
    show, draw = Show(locked=("record", "save_scene")), random.Random(SEED)

    async def test(client: Connected) -> None:
        async with client.listening() as hostile:
            for _ in range(TEXTS):
                await hostile.socket.send_str(text(draw).encode(errors="replace").decode())
            for _ in range(PACKETS):
                await hostile.socket.send_bytes(datagram(draw))
            statuses = {(await client.get(path(draw)))[0] for _ in range(PATHS)}
            assert statuses <= {200, 204, 400, 404}
            # All of it has been applied by the time that this is answered.
            await hostile.command("LISTEN", "/fluid/glow")
            while (await hostile.next())[0] != "/fluid/glow":
                pass
        async with client.listening("/fluid/zoom") as other:
            assert (await other.next())[0] == "/fluid/zoom"

    with caplog.at_level(logging.WARNING):
        run(show, test)
    assert caplog.records == []
    assert all(math.isfinite(value) for value in show.store.values().values())
    assert not show.store.values()["record"]
    assert len(show.lines) < 60
