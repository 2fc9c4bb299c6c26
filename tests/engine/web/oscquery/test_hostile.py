"""Whatever arrives over HTTP and WebSocket, the show goes on, nothing is logged, and others are answered."""

from __future__ import annotations

import logging
import math
import random

import pytest

from benchmarks.osc_hostile import hostile
from benchmarks.oscquery_hostile import command, request
from engine.control.parameter_table import TABLE
from tests.engine.web.oscquery.serving import Connected, Show, run

SEED, TEXTS, PACKETS, REQUESTS = 7, 300, 600, 150
NAMES = [parameter.name for parameter in TABLE]
LEFT = {"glow"}
"""What the hostile client leaves alone, to be asked for at the end."""


def test_nothing_that_arrives_ends_or_logs_anything(caplog: pytest.LogCaptureFixture) -> None:
    show, rolled = Show(locked=("record", "save_scene", *LEFT)), random.Random(SEED)
    names = [name for name in NAMES if name not in LEFT]

    async def test(client: Connected) -> None:
        async with client.listening() as attacker:
            for _ in range(TEXTS):
                await attacker.socket.send_str(command(rolled, names))
            for _ in range(PACKETS):
                await attacker.socket.send_bytes(hostile(rolled, names))
            statuses = {(await client.get(request(rolled, names)))[0] for _ in range(REQUESTS)}
            assert {200, 404} <= statuses <= {200, 204, 400, 404}
            # All that came before has been applied when this is answered.
            await attacker.command("LISTEN", "/fluid/glow")
            while (await attacker.next())[:2] != ("/fluid/glow", 0.0):
                pass
        async with client.listening("/fluid/zoom") as other:
            assert (await other.next())[0] == "/fluid/zoom"

    with caplog.at_level(logging.WARNING):
        run(show, test)
    assert caplog.records == []
    values = show.store.values()
    assert all(math.isfinite(value) for value in values.values())
    assert (values["record"], values["glow"]) == (False, 0.0)
    # What is told is bounded, however much arrives.
    assert len(show.lines) < 60
