"""Values as controllers really send them."""

from __future__ import annotations

import struct

import pytest

from engine.control.parameter import Parameter
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.remote_access import RemoteAccess
from tests.engine.app.shows import InventedClock
from tests.engine.model.probe_model import CARD

CONTROLLER = ("10.0.0.1", 9001)


@pytest.fixture
def store() -> ParameterStore:
    return ParameterStore(parameters_for(CARD))


@pytest.fixture
def inbox(store: ParameterStore) -> Inbox:
    return Inbox(RemoteAccess(store, (), [].append), dict, InventedClock())


def raw(name: str, tags: str, content: bytes = b"") -> bytes:
    """Return a message byte by byte, for types that libraries do not send."""
    texts = [text.encode() + bytes(4 - len(text) % 4) for text in (f"/fluid/{name}", f",{tags}")]
    return b"".join(texts) + content


INTEGER, FLOAT, LONG, DOUBLE = ">i", ">f", ">q", ">d"
PRESSED = [
    pytest.param("T", b"", id="T"),
    pytest.param("i", struct.pack(INTEGER, 1), id="1"),
    pytest.param("i", struct.pack(INTEGER, 127), id="127"),
    pytest.param("h", struct.pack(LONG, 2**40), id="int64"),
    pytest.param("f", struct.pack(FLOAT, 0.7), id="0.7"),
    pytest.param("f", struct.pack(FLOAT, 1.0), id="1.0"),
    pytest.param("d", struct.pack(DOUBLE, 0.01), id="double"),
]
RELEASED = [
    pytest.param("F", b"", id="F"),
    pytest.param("i", struct.pack(INTEGER, 0), id="0"),
    pytest.param("i", struct.pack(INTEGER, -1), id="negative"),
    pytest.param("f", struct.pack(FLOAT, 0.0), id="0.0"),
    pytest.param("d", struct.pack(DOUBLE, -0.0), id="-0.0"),
]
CARRY_NOTHING = [pytest.param("I", b"", id="I"), pytest.param("N", b"", id="N"), pytest.param("", b"", id="nothing")]


@pytest.mark.parametrize(("tags", "content"), [*PRESSED, *CARRY_NOTHING])
def test_a_button_gives_a_trigger_each_time(store, inbox, tags, content) -> None:
    for _ in range(3):
        inbox.put(raw("reset", tags, content), CONTROLLER)
    assert inbox.apply() == []
    assert store.values()["reset"] == 3


@pytest.mark.parametrize(("tags", "content"), RELEASED)
def test_a_button_that_is_released_gives_nothing(store, inbox, tags, content) -> None:
    for name in ("reset", "tap"):
        inbox.put(raw(name, tags, content), CONTROLLER)
    assert inbox.apply() == []
    assert (store.values()["reset"], store.values()["tap"]) == (0, 0)


@pytest.mark.parametrize(
    ("tags", "content", "is_on"),
    [(*case.values, True) for case in PRESSED] + [(*case.values, False) for case in RELEASED],
)
def test_switches_take_what_buttons_send(store, inbox, tags, content, is_on) -> None:
    store.set("freeze", not is_on)
    inbox.put(raw("freeze", tags, content), CONTROLLER)
    assert inbox.apply() == []
    assert store.values()["freeze"] is is_on


def test_scenes_come_by_every_number_and_0_is_a_release(store, inbox) -> None:
    for tags, content in (
        ("i", struct.pack(INTEGER, 3)),
        ("f", struct.pack(FLOAT, 4.0)),
        ("h", struct.pack(LONG, 5)),
        ("d", struct.pack(DOUBLE, 127.0)),
        ("i", struct.pack(INTEGER, 0)),
        ("f", struct.pack(FLOAT, 0.0)),
        ("F", b""),
    ):
        inbox.put(raw("scene", tags, content), CONTROLLER)
    assert inbox.apply() == []
    assert [event.number for event in store.take_snapshot(0).events] == [3, 4, 5, 127]


@pytest.mark.parametrize("tags", ["i", "f", "h", "d"])
def test_every_number_sets_a_number(store, inbox, tags) -> None:
    inbox.put(raw("zoom", tags, struct.pack({"i": INTEGER, "f": FLOAT, "h": LONG, "d": DOUBLE}[tags], 2)), CONTROLLER)
    inbox.put(raw("seed", tags, struct.pack({"i": INTEGER, "f": FLOAT, "h": LONG, "d": DOUBLE}[tags], 7)), CONTROLLER)
    assert inbox.apply() == []
    assert (store.values()["zoom"], store.values()["seed"]) == (2.0, 7)


NUMBER = "zoom takes a number from 1 to 4, not "


@pytest.mark.parametrize(
    ("name", "tags", "content", "sentence"),
    [
        ("zoom", "s", b"2.0\0", f"{NUMBER}the text '2.0'; send a number, OSC type f or i."),
        ("zoom", "S", b"2.0\0", f"{NUMBER}the text '2.0'; send a number, OSC type f or i."),
        ("reset", "s", b"1\0\0\0", "reset takes nothing or 1, not the text '1'; send a number, OSC type f or i."),
        ("freeze", "s", b"on\0\0", "freeze takes on or off, not the text 'on'; send a number, OSC type f or i."),
        ("zoom", "I", b"", f"{NUMBER}an impulse; send a number."),
        ("freeze", "N", b"", "freeze takes on or off, not an impulse; send a number."),
        ("scene", "I", b"", "scene takes a whole number from 1 to 128, not an impulse; send a number."),
        ("scene", "T", b"", "scene takes a whole number from 1 to 128, not True."),
        ("scene", "f", struct.pack(FLOAT, 0.7), "scene takes a whole number from 1 to 128, not 0.69"),
        ("zoom", "r", bytes(4), f"{NUMBER}a blob; send one number."),
        ("zoom", "c", bytes(4), f"{NUMBER}a blob; send one number."),
        ("zoom", "[]", b"", f"{NUMBER}an array; send one number."),
        ("reset", "f", struct.pack(FLOAT, float("nan")), "reset takes nothing or 1, not nan."),
        ("freeze", "f", struct.pack(FLOAT, float("inf")), "freeze takes on or off, not inf."),
        ("scene", "", b"", "/fluid/scene takes a whole number from 1 to 128, and came without one."),
    ],
)
def test_what_is_no_value_is_one_sentence(store, inbox, name, tags, content, sentence) -> None:
    before = store.values()
    inbox.put(raw(name, tags, content), CONTROLLER)
    [(_, (to, values))] = inbox.apply()
    assert to == "/fluid/error"
    assert str(values[0]).startswith(sentence)
    assert store.values() is before
    assert store.take_snapshot(0).events == ()


CHOICE = Parameter(name="flavour", kind="int", help="", high=2, default=0, choices=("plain", "warm", "cold"))


@pytest.mark.parametrize(
    ("tags", "content"),
    [("s", b"cold\0\0\0\0"), ("S", b"Cold\0\0\0\0"), ("i", struct.pack(INTEGER, 2)), ("f", struct.pack(FLOAT, 2.0))],
)
def test_a_choice_takes_its_name_or_its_number(tags, content) -> None:
    store = ParameterStore([CHOICE])
    inbox = Inbox(RemoteAccess(store), dict, InventedClock())
    inbox.put(raw("flavour", tags, content), CONTROLLER)
    assert inbox.apply() == []
    assert store.values()["flavour"] == 2


@pytest.mark.parametrize("text", [b"hot\0", b"2\0\0\0"])
def test_what_is_no_choice_is_one_sentence(text) -> None:
    store = ParameterStore([CHOICE])
    inbox = Inbox(RemoteAccess(store), dict, InventedClock())
    inbox.put(raw("flavour", "s", text), CONTROLLER)
    ((_, (_, (said,))),) = inbox.apply()
    assert str(said).startswith("flavour takes plain, warm, cold or a number from 0 to 2, not the text '")
    assert store.values()["flavour"] == 0
