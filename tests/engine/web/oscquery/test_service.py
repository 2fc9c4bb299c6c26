"""OSCQuery over HTTP, with our own client and an independent one."""

from __future__ import annotations

import asyncio
import socket

import pytest
from pythonoscquery.osc_query_client import OSCQueryClient
from zeroconf import ServiceInfo

from engine.web.oscquery.admission import Admission
from tests.engine.web.oscquery.serving import OSC_PORT, Connected, Show, run


@pytest.fixture
def show() -> Show:
    return Show()


def test_values_are_those_of_now(show: Show) -> None:
    async def test(client: Connected) -> None:
        show.store.set("zoom", 2.5)
        assert await client.get("/fluid/zoom?VALUE") == (200, {"VALUE": [2.5]})
        _, tree = await client.get("/")
        assert tree["CONTENTS"]["fluid"]["CONTENTS"]["zoom"]["VALUE"] == [2.5]

    run(show, test)


def test_statuses(show: Show) -> None:
    async def test(client: Connected) -> None:
        asked = {
            "/fluid/zoom": 200,
            "/fluid/": 200,
            "/fluid?TYPE": 200,
            "/fluid/zoom?RANGE": 200,
            "/fluid/zoom?VALUE&RANGE": 200,
            "/fluid/freeze?RANGE": 204,
            "/fluid/tap?VALUE": 204,
            "/fluid?VALUE": 204,
            "/fluid/zoom?OVERLOADS": 204,
            "/?HTML": 204,
            "/fluid/zoom?COLOUR": 400,
            "/fluid/nothing": 404,
            "/nothing?VALUE": 404,
            "/anything?HOST_INFO": 200,
            "/?HOST_INFO=1": 200,
        }
        assert {path: (await client.get(path))[0] for path in asked} == asked

    run(show, test)


def test_a_wrong_request_is_told_what_was_expected(show: Show) -> None:
    async def test(client: Connected) -> None:
        assert "COLOUR is no attribute of OSCQuery; one of" in (await client.get("/fluid/zoom?COLOUR"))[1]
        assert await client.get("/fluid/noth%1bing") == (404, "There is no address /fluid/noth\\x1bing.")

    run(show, test)


def test_pages_of_other_origins_cannot_read(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.session.get(client.url + "/", headers={"Origin": "http://elsewhere.example"}) as response:
            assert response.content_type == "application/json"
            assert not [name for name in response.headers if name.casefold().startswith("access-control")]

    run(show, test)


def test_host_info_is_where_the_client_reaches_the_show(show: Show) -> None:
    async def test(client: Connected) -> None:
        _, info = await client.get("/?HOST_INFO")
        assert (info["OSC_IP"], info["OSC_PORT"]) == ("127.0.0.1", OSC_PORT)
        assert (info["WS_IP"], info["WS_PORT"]) == ("127.0.0.1", client.port)

    run(show, test)


def test_only_whom_osc_lets_in_is_answered(show: Show) -> None:
    show.admission = Admission("0.0.0.0", ["10.0.0.0/24"])

    async def test(client: Connected) -> None:
        for path in ("/", "/fluid/zoom?VALUE", "/?HOST_INFO"):
            status, sentence = await client.get(path)
            assert status == 403
            assert "osc_allow" in sentence
        async with client.session.get(client.url + "/", headers={"Upgrade": "websocket"}) as response:
            assert response.status == 403

    run(show, test)
    assert len(show.lines) == 1


def test_python_oscquery_reads_the_show(show: Show) -> None:
    def read(port: int) -> None:
        found = ServiceInfo(
            "_oscjson._tcp.local.", "Show._oscjson._tcp.local.", port, addresses=[socket.inet_aton("127.0.0.1")]
        )
        client = OSCQueryClient(found)
        info = client.get_host_info()
        assert info is not None
        assert (info.name, info.osc_port, info.extensions["LISTEN"]) == ("Water, tonight", OSC_PORT, True)
        zoom = client.query_node("/fluid/zoom")
        assert zoom is not None
        assert (zoom.full_path, zoom.access, zoom.value) == ("/fluid/zoom", 3, [1.0])
        assert client.query_node("/fluid/nothing") is None

    async def test(client: Connected) -> None:
        await asyncio.to_thread(read, client.port)

    run(show, test)
