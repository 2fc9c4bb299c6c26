"""The page's socket: what a browser is told and may ask for, with a real client, and clients that send nonsense or take nothing."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType

from engine.control.parameter_table import parameters_for
from engine.web import limits
from engine.web.show_control import MidiAssignment
from tests.engine.model.test_card import CARD
from tests.engine.web.page_server import COMES_WITHIN_S, HOST, Page, Stage, connected, open_page, page_server, rest


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with page_server(tmp_path) as served:
        yield served


def play(stage: Stage, acts: Callable[[Page], Awaitable[None]]) -> None:
    """Let a page act."""

    async def opened() -> None:
        async with ClientSession() as session:
            await acts(await open_page(session, stage))

    asyncio.run(opened())


def test_a_page_is_told_everything_when_it_comes(stage: Stage) -> None:
    stage.notice_log.tell("first line")

    async def acts(page: Page) -> None:
        hello = await page.next("hello")
        assert hello["model"] == {
            "name": CARD.name,
            "width": CARD.width,
            "height": CARD.height,
            "fps": CARD.fps,
            "feature_bands": CARD.feature_bands,
        }
        assert (hello["title"], hello["live"], hello["sound_from_browser"]) == ("Fluid", True, False)
        table = (await page.next("table"))["parameters"]
        assert [one["name"] for one in table] == [one.name for one in parameters_for(CARD)]
        assert [one["name"] for one in table if one["locked"]] == ["flash_guard"]
        assert all(one["low"] <= one["default"] <= one["high"] for one in table if one["widget"] == "slider")
        values = (await page.next("values"))["values"]
        assert values == stage.store.values()
        assert [line["text"] for line in (await page.next("notices"))["lines"]] == ["first line"]
        telemetry = await page.next("telemetry")
        assert (telemetry["level"], telemetry["beat_phase"], telemetry["bar"], telemetry["beat"]) == (0.5, 0.25, 2, 3)

    play(stage, acts)


def test_the_lists_come_with_the_page(stage: Stage) -> None:
    async def acts(page: Page) -> None:
        scenes = await page.next("scenes")
        assert scenes["scenes"][1] == {"number": 2, "name": "storm", "model": ""}
        assert scenes["playlist"] == {"entries": [], "position": -1, "left": 0.0}

    async def others(page: Page) -> None:
        assert [one["id"] for one in (await page.next("models"))["models"]] == ["a", "b"]
        assert (await page.next("inputs"))["inputs"] == []

    async def more(page: Page) -> None:
        assert "level" in (await page.next("mappings"))["variables"]
        assert (await page.next("midi"))["ports"] == {"nano": True}

    for act in (acts, others, more):
        play(stage, act)


def test_a_page_sets_and_presses_and_all_pages_follow(stage: Stage) -> None:
    async def both() -> None:
        async with ClientSession() as session:
            one, other = await open_page(session, stage), await open_page(session, stage)
            assert await one.ask("set", values={"zoom": 2.0, "blackout": True}) == ""
            seen = dict[str, object]()
            while seen.get("zoom") != 2.0:
                seen = (await other.next("values"))["values"]
            assert await one.ask("press", name="reset") == ""
            assert await one.ask("recall", number=2) == ""
            assert await one.ask("save_scene", number=7) == ""

    asyncio.run(both())
    assert (stage.store.values()["zoom"], stage.store.values()["blackout"]) == (2.0, True)
    events = [(event.name, event.number) for event in stage.store.take_snapshot(0).events]
    assert [event for event in events if event[0] != "reset"] == [("scene", 2), ("save_scene", 7)]
    assert len(events) == 3


def test_a_value_out_of_range_is_clipped_and_the_page_gets_what_holds(stage: Stage) -> None:
    high = stage.store.parameters["zoom"].high

    async def acts(page: Page) -> None:
        await page.next("values")
        assert await page.ask("set", values={"zoom": 1e9}) == ""
        assert (await page.next("values"))["values"] == {"zoom": high}

    play(stage, acts)


def test_locked_parameters_stay(stage: Stage) -> None:
    refusal = "flash_guard is locked against remotes"

    async def acts(page: Page) -> None:
        assert (await page.ask("set", values={"flash_guard": False, "zoom": 2.0})).startswith(refusal)
        assert (await page.ask("set_mapping", parameter="flash_guard", expression="0")).startswith(refusal)
        assert (await page.ask("midi_learn", parameter="flash_guard")).startswith(refusal)

    play(stage, acts)
    # What is not locked was set.
    assert (stage.store.values()["flash_guard"], stage.store.values()["zoom"]) == (True, 2.0)
    assert (stage.show.expressions, stage.midi.learning) == ({}, "")
    assert [line.split(" tried")[0] for line in stage.lines] == [f"web {HOST}"]


def test_scenes_models_and_mappings(stage: Stage) -> None:
    entries = [
        {"scene": 2, "length": 8, "unit": "bars"},
        {"scene": 1, "length": 2.5, "unit": "seconds", "takes_part": False},
    ]

    async def acts(page: Page) -> None:
        assert await page.ask("rename_scene", number=2, name="<b>rain</b>") == ""
        assert await page.ask("rename_scene", number=9, name="x") == "There is no scene 9; save it first."
        assert await page.ask("order_scenes", numbers=[2, 1]) == ""
        assert await page.ask("set_playlist", entries=entries) == ""
        assert await page.ask("play_model", choice="b") == ""
        assert await page.ask("check_mapping", parameter="glow", expression="wrong") == "The expression is wrong."
        assert await page.ask("set_mapping", parameter="glow", expression="level") == ""
        table = await page.next("table")
        assert [one["mapping"] for one in table["parameters"] if one["name"] == "glow"] == ["level"]
        # A disk that fails is told like any other mistake.
        assert await page.ask("play_input", choice="x") == "play_input failed: Input/output error."
        assert await page.ask("delete_scene", number=1) == ""

    play(stage, acts)
    assert stage.show.names == {2: "<b>rain</b>"}
    assert [(one.scene, one.length, one.takes_part) for one in stage.show.entries] == [(2, 8, True), (1, 2.5, False)]
    assert (stage.show.playing, stage.show.expressions) == ("b", {"glow": "level"})


def test_what_others_change_arrives(stage: Stage) -> None:
    async def acts(page: Page) -> None:
        assert (await page.next("midi"))["learning"] == ""
        assert await page.ask("midi_learn", parameter="zoom") == ""
        stage.midi.learning = ""
        stage.midi.known = [MidiAssignment("7", "nano: control 21", "zoom")]
        stage.show.names[3] = "new"
        table = await page.next("table")
        assert [one["midi"] for one in table["parameters"] if one["name"] == "zoom"] == ["nano: control 21"]
        assert await page.ask("list", what="scenes") == ""
        assert await page.ask("midi_forget", assignment="7") == ""

    play(stage, acts)
    assert stage.midi.known == []


def test_another_model_brings_another_table(stage: Stage) -> None:
    async def acts(page: Page) -> None:
        await page.next("table")
        stage.store.replace_parameters(list(stage.store.parameters.values())[:3])
        assert len((await page.next("table"))["parameters"]) == 3

    play(stage, acts)


def test_without_scenes_and_midi_the_replies_say_so(tmp_path: Path) -> None:
    with page_server(tmp_path, steers=False) as stage:

        async def acts(page: Page) -> None:
            assert (await page.next("midi"))["available"] is False
            assert "changes no scenes" in await page.ask("delete_scene", number=1)
            assert "has no scenes to list" in await page.ask("list", what="scenes")
            assert "start it with --midi" in await page.ask("midi_cancel")

        play(stage, acts)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("", "The message cannot be read: it is cut off or no JSON in line 1."),
        ("[1]", "The message is [1]; an object was expected"),
        ('{"do": "sett"}', "There is no command 'sett'. Did you mean 'set'?"),
        ('{"do": ["set"]}', "There is no command ['set']. Known are set,"),
        ('{"do": "set"}', "values is None; values by parameter were expected"),
        ('{"do": "set", "values": {}}', "values is {}; values by parameter were expected"),
        ('{"do": "set", "values": {"zom": 1}}', "There is no parameter 'zom'. Did you mean 'zoom'?"),
        ('{"do": "set", "values": {"zoom": [[[[]]]]}}', "zoom takes a number"),
        ('{"do": "set", "values": {"zoom": {"zoom": 1}}}', "zoom takes a number"),
        ('{"do": "set", "values": {"zoom": NaN}}', "zoom takes a number"),
        ('{"do": "set", "values": {"zoom": 1e999}}', "zoom takes a number"),
        (
            '{"do": "set", "values": {"zoom": ' + "9" * 5000 + "}}",
            "The message cannot be read: it holds a whole number of",
        ),
        ('{"do": "set", "values": {"scene": 1e300}}', "scene takes a whole number"),
        ('{"do": "set", "values": {"zoom": 1, "zoom": 2}}', "The message cannot be read: the key 'zoom' stands twice."),
        ("[" * 8000, "The message cannot be read: it is"),
        ("[" * 8000 + "]" * 8000, "The message cannot be read: it is nested"),
        ('{"do": "\\ud800"}', "The message cannot be read: it holds a character that no text has."),
        ('{"do": "press", "name": "zoom"}', "zoom is no trigger; it takes a number"),
        ('{"do": "press", "name": "\\u202e\\u001b[2J"}', "There is no parameter"),
        ('{"do": "press"}', "name is None; a text was expected."),
        ('{"do": "recall", "number": 0.5}', "number is 0.5; a whole number was expected."),
        ('{"do": "recall", "number": true}', "number is True; a whole number was expected."),
        ('{"do": "recall", "number": 123456}', "scene takes a whole number from"),
        ('{"do": "list", "what": "scenario"}', "There is no list 'scenario'."),
        ('{"do": "order_scenes", "numbers": "12"}', "numbers is '12'; a list was expected."),
        ('{"do": "order_scenes", "numbers": [1, "2"]}', "numbers is [1, '2']; a list of scenes' numbers was expected."),
        ('{"do": "set_playlist", "entries": [{"scene": 1}]}', "The field 'entries[0].length' is missing."),
        (
            '{"do": "set_playlist", "entries": [{"scene": 1, "length": 1, "unit": "h"}]}',
            "'entries[0].unit' is 'h'; one of",
        ),
        ('{"do": "set_playlist", "entries": [[]]}', "entries[0] is []; a mapping was expected."),
        (b"\xff\xfe", "Bytes came to the page's socket; a text with JSON was expected."),
    ],
)
def test_every_mistake_gets_a_sentence(stage: Stage, message: str | bytes, sentence: str) -> None:
    async def acts(page: Page) -> None:
        await (page.client.send_str(message) if isinstance(message, str) else page.client.send_bytes(message))
        reply = await page.next("reply", ok=False)
        assert reply["text"].startswith(sentence)
        # It goes on as if nothing had been.
        assert await page.ask("set", values={"zoom": 1.5}) == ""

    play(stage, acts)
    assert stage.lines == []


def test_a_message_that_is_too_long_ends_the_connection(stage: Stage) -> None:
    async def acts(page: Page) -> None:
        await page.client.send_str(json.dumps({"do": "x" * limits.LARGEST_MESSAGE_BYTES}))
        while (message := await page.client.receive(timeout=COMES_WITHIN_S)).type == WSMsgType.TEXT:
            pass
        assert page.client.close_code == 1009, message

    play(stage, acts)
    play(stage, answers)
    assert stage.lines == []


async def answers(page: Page) -> None:
    assert await page.ask("set", values={"zoom": 1.25}) == ""


@pytest.mark.parametrize(
    "frame",
    [
        b"\x81\x82\x00\x00\x00\x00\xff\xfe",  # text that is no UTF-8
        b"\xc1\x82\x00\x00\x00\x00{}",  # compressed without agreement
        b"\x83\x80\x00\x00\x00\x00",  # an operation that there is not
        b"\x89\xfe\x00\xff" + bytes(4 + 255),  # a ping of more than 125 bytes
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + bytes(64),  # 2^63 bytes to come
        b"\x80\x80\x00\x00\x00\x00",  # goes on with nothing
        b"\x88\x81\x00\x00\x00\x00\x00",  # a close of one byte
    ],
)
def test_frames_that_break_the_protocol_end_the_connection(stage: Stage, frame: bytes) -> None:
    with connected(stage.port) as broken:
        shake_hands(broken, stage)
        broken.sendall(frame)
        rest(broken)
    play(stage, answers)
    assert stage.lines == []


def shake_hands(connection: socket.socket, stage: Stage) -> None:
    connection.sendall(
        f"GET /page/socket HTTP/1.1\r\nHost: {HOST}:{stage.port}\r\nOrigin: {stage.origin}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b" 101 " in rest(connection, b"\r\n\r\n")


def test_a_flood_is_read_slowly_and_its_last_value_holds(stage: Stage) -> None:
    async def acts(page: Page) -> None:
        for number in range(int(limits.MESSAGES_AT_ONCE) + 20):
            await page.client.send_json({"id": number, "do": "set", "values": {"zoom": 1.0 + number / 1000}})
        assert (await page.next("reply", id=number))["ok"]

    play(stage, acts)
    assert stage.store.values()["zoom"] == pytest.approx(1.0 + (limits.MESSAGES_AT_ONCE + 19) / 1000)


def test_whoever_takes_nothing_is_dropped_and_holds_nobody_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STALLED_S", 0.3)
    with socket.socket() as stalled:
        # Its system takes little, so that it stands still soon.
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stalled.settimeout(COMES_WITHIN_S)
        stalled.connect((HOST, stage.port))
        shake_hands(stalled, stage)

        hung_up = select.poll()
        hung_up.register(stalled, select.POLLHUP | select.POLLRDHUP)

        async def acts(page: Page) -> None:
            async with asyncio.timeout(COMES_WITHIN_S):
                while not hung_up.poll(0):
                    for _ in range(50):
                        stage.notice_log.tell("line " * 500)
                    await answers(page)

        play(stage, acts)
    play(stage, answers)


def test_pages_beyond_the_limit_are_turned_away(stage: Stage) -> None:
    async def open_many() -> int:
        async with ClientSession() as session:
            pages = [await open_page(session, stage) for _ in range(limits.MOST_PAGES)]
            answer = await session.get(stage.origin + "/page/socket", headers={"Origin": stage.origin})
            assert "Too many pages are open" in await answer.text()
            for page in pages:
                await page.client.close()
            return answer.status

    assert asyncio.run(open_many()) == 503
