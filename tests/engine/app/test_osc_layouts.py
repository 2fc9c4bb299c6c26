"""The pages for TouchOSC and Open Stage Control: they are up to date, and what their controls send is what the show takes."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from engine.app.osc_layouts import FOLDER, OPEN_STAGE_CONTROL, TOUCHOSC, layouts
from engine.control.parameter import Parameter
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.osc_telemetry import OUTGOING
from engine.control.remotes.remote_access import RemoteAccess
from tests.engine.app.shows import InventedClock
from tests.engine.control.remotes.test_osc import message
from tests.engine.model.probe_model import CARD

AGAIN = "write them again: python -m engine.app.osc_layouts"
CHOICE = Parameter(
    name="source_of_tempo", kind="int", help="a choice", high=2, default=1, choices=("auto", "tap", "sound")
)
STRANGE = Parameter(name="strange", kind="float", help="JS{{ x }} @{y} ]]> <&'\" é", default=0.5, unit="]]>")


def set_by(sent: list[tuple[str, float | int]], parameters: tuple[Parameter, ...]) -> ParameterStore:
    """Return the store of a show that got these messages, none of which it refused or clipped."""
    store = ParameterStore(parameters)
    inbox = Inbox(RemoteAccess(store), dict, InventedClock())
    for to, value in sent:
        inbox.put(message(to.removeprefix("/fluid/"), value), ("10.0.0.7", 9001))
        assert inbox.apply() == [], (to, value)
    return store


def touchosc_nodes(content: bytes) -> Iterator[ElementTree.Element]:
    return ElementTree.fromstring(zlib.decompress(content)).iter("node")


def touchosc_sends(content: bytes, x: float) -> list[tuple[str, float | int]]:
    """Return what all controls send that stand at `x`."""
    sent = list[tuple[str, float | int]]()
    for node in touchosc_nodes(content):
        for osc in node.iterfind("messages/osc"):
            if osc.findtext("send") == "0":
                continue
            to = "".join(part.findtext("value") or "" for part in osc.iterfind("path/partial"))
            (argument,) = osc.iterfind("arguments/partial")
            at = x * (int(_property(node, "steps").findtext("value") or 0) - 1) if node.get("type") == "RADIO" else x
            low, high = float(argument.findtext("scaleMin") or 0), float(argument.findtext("scaleMax") or 1)
            value = (
                low + at * (high - low)
                if argument.findtext("type") == "VALUE"
                else float(argument.findtext("value") or 0)
            )
            sent.append((to, int(value) if argument.findtext("conversion") == "INTEGER" else value))
    return sent


def session_widgets(widget: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield widget
    for child in (*widget.get("tabs", ()), *widget.get("widgets", ())):
        yield from session_widgets(child)


def session_sends(content: bytes, is_high: bool) -> list[tuple[str, float | int]]:
    sent = list[tuple[str, float | int]]()
    for widget in session_widgets(json.loads(content)["content"]):
        if "address" not in widget or widget.get("bypass"):
            continue
        match widget["type"]:
            case "fader":
                value: float | int = widget["range"]["max" if is_high else "min"]
            case "button" if widget["mode"] == "toggle":
                value = widget["on" if is_high else "off"]
            case "button":
                value = widget.get("on", 1)
            case "switch":
                value = max(widget["values"].values()) if is_high else 0
            case "input":
                value = 1_000_000 if is_high else 0
            case other:
                raise AssertionError(other)
        sent.append((widget["address"], value))
    return sent


def test_the_files_are_up_to_date():
    made = layouts()
    written = {name: (FOLDER / name).read_bytes() for name in made}
    assert json.loads(written[OPEN_STAGE_CONTROL]) == json.loads(made[OPEN_STAGE_CONTROL]), AGAIN
    # Other versions of zlib compress the same text otherwise.
    assert zlib.decompress(written[TOUCHOSC]) == zlib.decompress(made[TOUCHOSC]), AGAIN


@pytest.mark.parametrize("is_high", [False, True])
def test_every_control_sends_what_the_show_takes(is_high):
    parameters = (*parameters_for(CARD), CHOICE, STRANGE)
    made = layouts(parameters)
    for sent in (touchosc_sends(made[TOUCHOSC], float(is_high)), session_sends(made[OPEN_STAGE_CONTROL], is_high)):
        store = set_by(
            [(to, value) for to, value in sent if to not in ("/fluid/scene", "/fluid/save_scene")], parameters
        )
        for parameter in parameters:
            value = store.values().get(parameter.name)
            if parameter.kind == "float":
                assert value == pytest.approx(parameter.high if is_high else parameter.low, rel=1e-6)
            elif parameter.kind == "bool":
                assert value is is_high
            elif parameter.choices:
                assert value == (parameter.high if is_high else 0)
            elif parameter.kind == "trigger":
                assert value == 1


@pytest.mark.parametrize("name", ["scene", "save_scene"])
def test_scenes_have_buttons_by_number(name):
    made = layouts()
    for sent in (touchosc_sends(made[TOUCHOSC], 1.0), session_sends(made[OPEN_STAGE_CONTROL], True)):
        assert [value for to, value in sent if to == f"/fluid/{name}"] == list(range(1, 17))


def test_every_parameter_and_all_that_the_show_tells_has_a_place():
    made = layouts()
    expected = {f"/fluid/{parameter.name}" for parameter in TABLE} | {outgoing.address for outgoing in OUTGOING}
    session = {w["address"] for w in session_widgets(json.loads(made[OPEN_STAGE_CONTROL])["content"]) if "address" in w}
    touchosc = {
        path.text
        for node in touchosc_nodes(made[TOUCHOSC])
        if (path := node.find("messages/osc/path/partial/value")) is not None
    }
    assert expected <= session
    assert expected <= touchosc


def test_a_models_texts_are_not_run():
    session = layouts((*TABLE, STRANGE))[OPEN_STAGE_CONTROL].decode()
    assert "JS((" in session
    assert not any(opens in session for opens in ("JS{", "@{", "#{", "OSC{", "VAR{"))


def test_names_of_widgets_and_nodes_are_their_own():
    made = layouts((*parameters_for(CARD), CHOICE))
    for names in (
        [node.get("ID") for node in touchosc_nodes(made[TOUCHOSC])],
        [widget["id"] for widget in session_widgets(json.loads(made[OPEN_STAGE_CONTROL])["content"])],
    ):
        assert len(names) == len(set(names))


def test_controls_stay_within_their_page():
    for node in touchosc_nodes(layouts(tuple(STRANGE_NAMES))[TOUCHOSC]):
        frame = _frame(node)
        for child in node.iterfind("children/node"):
            x, y, w, h = _frame(child)
            assert min(x, y) >= 0
            assert min(w, h) > 0
            assert x + w <= frame[2]
            assert y + h <= frame[3]


STRANGE_NAMES = [Parameter(name=f"control_{number}", kind="float", help="many", default=0.0) for number in range(40)]


def _property(node: ElementTree.Element, key: str) -> ElementTree.Element:
    (found,) = (p for p in node.iterfind("properties/property") if p.findtext("key") == key)
    return found


def _frame(node: ElementTree.Element) -> list[int]:
    found = _property(node, "frame")
    return [int(found.findtext(f"value/{axis}") or 0) for axis in "xywh"]


def test_the_command_writes_a_models_own_parameters(tmp_path, probe_file):
    command = [
        sys.executable,
        "-m",
        "engine.app.osc_layouts",
        "--model",
        str(probe_file),
        "--folder",
        str(tmp_path / "pages"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(tmp_path / "pages" / TOUCHOSC), str(tmp_path / "pages" / OPEN_STAGE_CONTROL)]
    own = f"/fluid/{CARD.controls[0].name}"
    assert any(to == own for to, _ in touchosc_sends((tmp_path / "pages" / TOUCHOSC).read_bytes(), 0.0))
    assert any(to == own for to, _ in session_sends((tmp_path / "pages" / OPEN_STAGE_CONTROL).read_bytes(), True))
