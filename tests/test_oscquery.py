"""OSCQuery on the port of the web page, in whole processes."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
from pathlib import Path

from aiohttp import ClientSession

from tests.engine.web.oscquery.serving import Connected
from tests.processes import ENDS_WITHIN_S, start

PLAYS = ("--source", "demo", "--out", "null", "--osc-port", "0", "--web", "127.0.0.1:0")


def port_of(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Return the port of the page, and what the show said until then."""
    assert process.stdout
    said: list[str] = []
    while not (said and (found := re.search(r"^page .*?:(\d+)/", said[-1]))):
        said.append(process.stdout.readline())
        assert said[-1], process.stderr and process.stderr.read()
    return int(found[1]), said


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    _, complained = process.communicate(timeout=ENDS_WITHIN_S)
    assert (process.returncode, complained) == (0, "")


def test_a_client_reads_sets_and_listens_to_a_show_that_ends_meanwhile(tmp_path: Path) -> None:
    process = start(*PLAYS, "--title", "Tonight", "--remote-lock", "record", cwd=tmp_path)
    port, said = port_of(process)
    osc_port = int(next(found[1] for line in said if (found := re.search(r"^osc .* port (\d+)", line))))

    async def steer() -> None:
        async with ClientSession() as session:
            client = Connected(session, port)
            _, info = await client.get("/?HOST_INFO")
            assert (info["NAME"], info["OSC_PORT"], info["WS_PORT"]) == ("Tonight", osc_port, port)
            _, record = await client.get("/fluid/record?ACCESS")
            assert record == {"ACCESS": 1}
            async with client.listening("/fluid/out/level", "/fluid/zoom") as listener:
                assert (await listener.next())[0] == "/fluid/out/level"
                await listener.send("/fluid/zoom", 2.5)
                await listener.send("/fluid/record", True)
                while (told := await listener.next())[0] != "/fluid/error":
                    pass
                assert told[1].startswith("record is locked")
                assert await client.get("/fluid/zoom?VALUE") == (200, {"VALUE": [2.5]})
                end(process)

    asyncio.run(steer())


def test_who_switches_osc_off_has_no_oscquery_either(tmp_path: Path) -> None:
    process = start(*PLAYS, "--no-osc", cwd=tmp_path)
    port, _ = port_of(process)

    async def ask() -> int:
        async with ClientSession() as session:
            return (await Connected(session, port).get("/fluid/zoom?VALUE"))[0]

    assert asyncio.run(ask()) == 404
    end(process)
