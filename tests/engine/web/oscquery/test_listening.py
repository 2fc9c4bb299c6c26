"""OSCQuery over a WebSocket: commands, OSC both ways, and what strangers send."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from engine.control.parameter import Parameter
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.subscription import Subscription
from engine.control.telemetry import Telemetry
from engine.web.oscquery import service
from engine.web.oscquery.service import LARGEST_MESSAGE_BYTES, MOST_CLIENTS
from tests.engine.model.probe_model import CARD
from tests.engine.web.oscquery.serving import WAITS_S, Connected, Show, packet, run

PONG = ("/fluid/pong",)
CHOICE = Parameter(name="order", kind="int", help="in which order", high=2, default=0, choices=("up", "down", "random"))


@pytest.fixture
def show() -> Show:
    return Show()


def test_a_listener_gets_the_value_of_now_and_each_new_one(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening("/fluid/zoom", "/fluid/freeze") as listener:
            assert [await listener.next(), await listener.next()] == [("/fluid/zoom", 1.0), ("/fluid/freeze", False)]
            show.store.set("zoom", 2.5)
            assert await listener.next() == ("/fluid/zoom", 2.5)
            show.store.set("freeze", True)
            assert await listener.next() == ("/fluid/freeze", True)

    run(show, test)


def test_what_is_not_listened_to_or_ignored_again_is_not_sent(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening("/fluid/zoom", "/fluid/glow") as listener:
            await listener.until(("/fluid/glow", 0.0))
            await listener.command("IGNORE", "/fluid/zoom")
            await listener.send("/fluid/ping")
            assert await listener.next() == PONG
            show.store.set("zoom", 2.5)
            show.store.set("trail", 0.5)
            show.store.set("glow", 0.5)
            assert await listener.next() == ("/fluid/glow", 0.5)

    run(show, test)


def test_osc_over_the_socket_sets_the_show(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening() as listener:
            await listener.send("/fluid/zoom", 2.5)
            await listener.send("/fluid/freeze", True)
            await listener.send("/fluid/reset")
            await listener.send("/fluid/scene", 3)
            await listener.send("/fluid/zoom")
            assert await listener.next() == ("/fluid/zoom", 2.5)

    run(show, test)
    values = show.store.values()
    assert (values["zoom"], values["freeze"], values["reset"]) == (2.5, True, 1)
    assert [(event.name, event.number) for event in show.store.take_snapshot(0).events][-1] == ("scene", 3)


def test_others_are_told_what_one_sets(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening("/fluid/zoom") as one, client.listening("/fluid/zoom") as other:
            assert [await one.next(), await other.next()] == [("/fluid/zoom", 1.0)] * 2
            await one.send("/fluid/zoom", 2.5)
            assert await other.next() == ("/fluid/zoom", 2.5)
            # It knows already: an echo would move the fader under a hand.
            await one.send("/fluid/ping")
            assert await one.next() == PONG

    run(show, test)


def test_a_trigger_is_told_each_time_and_without_a_value(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening("/fluid/tap") as listener:
            await listener.send("/fluid/ping")
            assert await listener.next() == PONG
            show.store.set("tap", True)
            assert await listener.next() == ("/fluid/tap",)

    run(show, test)


def test_a_choice_goes_by_its_name(show: Show) -> None:
    show = Show([*TABLE, CHOICE])

    async def test(client: Connected) -> None:
        async with client.listening("/fluid/order") as listener:
            assert await listener.next() == ("/fluid/order", "up")
            show.store.set("order", 2)
            assert await listener.next() == ("/fluid/order", "random")
            await listener.send("/fluid/order", "down")
            await listener.send("/fluid/ping")
            assert await listener.next() == PONG

    run(show, test)
    assert show.store.values()["order"] == 1


def test_telemetry_is_told_when_it_changes(show: Show) -> None:
    show.telemetry = Telemetry(level=0.5, onsets=3)

    async def test(client: Connected) -> None:
        async with client.listening("/fluid/out/level", "/fluid/out/onset", "/fluid/out/scene") as listener:
            assert await listener.next() == ("/fluid/out/level", 0.5)
            assert await listener.next() == ("/fluid/out/scene", 0, "")
            show.telemetry = replace(show.telemetry, onsets=4, onset_strength=0.75, scene=2, scene_name="Rain")
            assert await listener.next() == ("/fluid/out/onset", 0.75)
            assert await listener.next() == ("/fluid/out/scene", 2, "Rain")
            show.telemetry = replace(show.telemetry, onsets=5)
            assert await listener.next() == ("/fluid/out/onset", 0.75)

    run(show, test)


def test_another_model_is_told(show: Show) -> None:
    others = [p for p in parameters_for(CARD) if p not in TABLE]
    new = Parameter(name="foam", kind="float", help="how much foam", default=0.0)
    gone = others[0].name

    async def test(client: Connected) -> None:
        async with client.listening(f"/fluid/{gone}") as listener:
            assert (await listener.next())[0] == f"/fluid/{gone}"
            show.store.replace_parameters([*TABLE, *others[1:], new])
            assert [await listener.next() for _ in range(3)] == [
                {"COMMAND": "PATH_REMOVED", "DATA": f"/fluid/{gone}"},
                {"COMMAND": "PATH_ADDED", "DATA": "/fluid/foam"},
                {"COMMAND": "PATH_CHANGED", "DATA": "/fluid"},
            ]
            await listener.command("LISTEN", "/fluid/foam")
            assert await listener.next() == ("/fluid/foam", 0.0)
            # It is listened to no longer, also when it comes back.
            show.store.replace_parameters([*TABLE, *others, new])
            await listener.until({"COMMAND": "PATH_CHANGED", "DATA": "/fluid"})
            show.store.set(gone, others[0].high)
            show.store.set("foam", 0.5)
            while (told := await listener.next()) != ("/fluid/foam", 0.5):
                assert told[0] == "/fluid/foam"

    run(show, test)


def test_a_model_with_the_same_parameters_is_not_told(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening("/fluid/zoom") as listener:
            await listener.next()
            show.store.replace_parameters(parameters_for(CARD))
            assert await listener.next() == ("/fluid/zoom", 1.0)
            await listener.send("/fluid/ping")
            assert await listener.next() == PONG

    run(show, test)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "This text is not JSON"),
        ("[" * 60000, "This text is not JSON"),
        ("1" * 60000, "This text is not JSON"),
        ('{"COMMAND": ' + "[" * 900 + "]" * 900 + "}", "This text has no COMMAND"),
        ('{"COMMAND": "\\ud800", "DATA": "/"}', "\\ud800 is no command"),
        ("[]", "This text has no COMMAND"),
        ('{"COMMAND": "DESTROY", "DATA": "/"}', "DESTROY is no command"),
        ('{"COMMAND": ["LISTEN"], "DATA": "/"}', "This text has no COMMAND"),
        ('{"COMMAND": "LISTEN"}', "LISTEN came without an address"),
        ('{"COMMAND": "LISTEN", "DATA": {"OLD": 1}}', "LISTEN came without an address"),
        ('{"COMMAND": "LISTEN", "DATA": "/fluid/nothing"}', "There is no address /fluid/nothing"),
        ('{"COMMAND": "LISTEN", "DATA": "/fluid"}', "There is no address /fluid"),
        ('{"COMMAND": "LISTEN", "DATA": "/fluid/out/nothing"}', "There is no address /fluid/out/nothing"),
    ],
)
def test_a_wrong_command_is_answered_with_a_sentence(show: Show, text: str, sentence: str) -> None:
    async def test(client: Connected) -> None:
        async with client.listening() as listener:
            await listener.socket.send_str(text)
            to, told = await listener.next()
            assert (to, told.startswith(sentence)) == ("/fluid/error", True), told
            await listener.send("/fluid/ping")
            assert await listener.next() == PONG

    run(show, test)
    assert show.lines == []


def test_osc_that_is_wrong_is_answered_as_over_udp(show: Show) -> None:
    show = Show(locked=("glow",))

    async def test(client: Connected) -> None:
        async with client.listening() as listener:
            for sent, sentence in (
                (packet("/fluid/zoom", "loud"), "zoom takes"),
                (packet("/fluid/zoom", 99.0), "zoom takes a number from 1 to 4; it is now 4"),
                (packet("/fluid/zom", 2.0), "There is no address /fluid/zom. Did you mean"),
                (packet("/fluid/glow", 0.5), "glow is locked"),
                (b"no osc", "This datagram is not OSC"),
                (b"", "This datagram is not OSC"),
            ):
                await listener.socket.send_bytes(sent)
                to, told = await listener.next()
                assert (to, told.startswith(sentence)) == ("/fluid/error", True), told

    run(show, test)
    assert (show.store.values()["zoom"], show.store.values()["glow"]) == (4.0, 0.0)


def test_a_message_that_is_too_large_ends_its_connection_alone(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening() as large, client.listening() as other:
            await large.socket.send_bytes(bytes(LARGEST_MESSAGE_BYTES + 1))
            assert (await large.socket.receive()).type is WSMsgType.CLOSE
            assert large.socket.close_code == 1009
            await other.send("/fluid/ping")
            assert await other.next() == PONG

    run(show, test)


def test_one_client_too_many_is_refused_until_another_leaves(show: Show) -> None:
    async def test(client: Connected) -> None:
        sockets = [await client.session.ws_connect(client.url + "/") for _ in range(MOST_CLIENTS)]
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.session.ws_connect(client.url + "/")
        assert refused.value.status == 503
        await sockets[0].close()
        async with client.listening("/fluid/zoom") as listener:
            assert await listener.next() == ("/fluid/zoom", 1.0)

    run(show, test)


def test_a_flood_leaves_the_last_value_and_the_others(show: Show) -> None:
    async def test(client: Connected) -> None:
        async with client.listening() as flood, client.listening("/fluid/zoom") as other:
            await other.next()
            for number in range(3000):
                await flood.send("/fluid/zoom", 1.0 + number / 1000)
            await flood.send("/fluid/zoom", 4.0)
            await other.until(("/fluid/zoom", 4.0))

    run(show, test)


def test_a_client_that_reads_nothing_is_dropped_and_holds_up_nobody(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STALLED_S", 0.2)
    numbers = [p for p in show.store.parameters.values() if p.kind == "float"]

    async def test(client: Connected) -> None:
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stalled.connect(("127.0.0.1", client.port))
        stalled.sendall(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        for parameter in numbers:
            text = json.dumps({"COMMAND": "LISTEN", "DATA": f"/fluid/{parameter.name}"}).encode()
            # A client masks what it sends, here with zeros.
            stalled.sendall(bytes((0x81, 0x80 | len(text))) + bytes(4) + text)
        async with client.listening("/fluid/zoom") as other, asyncio.timeout(WAITS_S):
            await other.next()
            number = 0
            while not show.lines:
                number += 1
                for parameter in numbers:
                    # Never the same twice in a row.
                    part = number % 97 / 97
                    show.store.set(parameter.name, parameter.low + (parameter.high - parameter.low) * part)
                await asyncio.sleep(0.005)
            assert "took nothing for" in show.lines[0]
            show.store.set("zoom", 4.0)
            await other.until(("/fluid/zoom", 4.0))
        stalled.close()

    run(show, test)
    assert len(show.lines) == 1


def test_a_show_that_nobody_listens_to_has_no_subscriber(show: Show) -> None:
    class Counting(RemoteAccess):
        def subscribe(self, callback: Any, name: str) -> Subscription:
            subscriptions.append(super().subscribe(callback, name))
            return subscriptions[-1]

    subscriptions: list[Subscription] = []
    show.access = Counting(show.store)

    async def test(client: Connected) -> None:
        await client.get("/")
        assert subscriptions == []
        for _ in range(2):
            async with client.listening("/fluid/zoom") as listener:
                await listener.next()

    run(show, test)
    assert [one.is_open for one in subscriptions] == [False, False]
