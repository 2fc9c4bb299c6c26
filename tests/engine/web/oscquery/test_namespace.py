"""The namespace as pure functions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.control.parameter import Parameter
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE, parameters_for
from engine.control.telemetry import Telemetry
from engine.web.oscquery.namespace import (
    Reachable,
    attributes,
    find,
    host_info,
    namespace,
    parameter_node,
    path_changes,
    told_values,
)
from tests.engine.model.probe_model import CARD

ZOOM = Parameter(
    name="zoom", kind="float", help="how large", low=1.0, high=4.0, default=1.0, unit="ms", group="effects"
)
CHOICE = Parameter(name="order", kind="int", help="in which order", high=2, default=0, choices=("up", "down", "random"))


def whole(told: Telemetry | None = None) -> dict:
    store = ParameterStore(parameters_for(CARD))
    return namespace("Show", store.parameters, store.values(), told or Telemetry())


def leaves(node: dict) -> list[dict]:
    inner = node.get("CONTENTS")
    return [leaf for one in inner.values() for leaf in leaves(one)] if inner is not None else [node]


def test_every_parameter_has_a_node_with_its_own_range() -> None:
    tree = whole()
    for parameter in parameters_for(CARD):
        node = find(tree, f"/fluid/{parameter.name}")
        assert node is not None
        assert node["FULL_PATH"] == f"/fluid/{parameter.name}"
        assert node["DESCRIPTION"] == parameter.help
        if parameter.kind == "float":
            assert node["RANGE"] == [{"MIN": parameter.low, "MAX": parameter.high}]
            assert node["VALUE"] == [parameter.default]


def test_all_lists_are_as_long_as_the_type() -> None:
    for node in leaves(whole(Telemetry(inputs={"drums": 0.5}))):
        for name in ("VALUE", "RANGE", "UNIT", "CLIPMODE"):
            assert len(node.get(name, node["TYPE"])) == len(node["TYPE"]), node


def test_a_number() -> None:
    assert parameter_node(ZOOM, 2.0) == {
        "FULL_PATH": "/fluid/zoom",
        "TYPE": "f",
        "ACCESS": 3,
        "VALUE": [2.0],
        "RANGE": [{"MIN": 1.0, "MAX": 4.0}],
        "CLIPMODE": ["both"],
        "UNIT": ["time.ms"],
        "DESCRIPTION": "how large",
        "TAGS": ["effects"],
    }


def test_a_unit_that_the_proposal_lacks_stays_as_it_is() -> None:
    assert parameter_node(replace(ZOOM, unit="turns"), 2.0)["UNIT"] == ["turns"]
    assert "UNIT" not in parameter_node(replace(ZOOM, unit=""), 2.0)


def test_a_switch_is_of_the_type_of_its_value() -> None:
    """Ossia reads a switch from TYPE, Chataigne from VALUE: so both say the same."""
    switch = Parameter(name="freeze", kind="bool", help="hold", default=False)
    on, off = parameter_node(switch, True), parameter_node(switch, False)
    assert [(node["TYPE"], node["VALUE"]) for node in (on, off)] == [("T", [True]), ("F", [False])]
    assert "RANGE" not in on


def test_a_choice_is_told_and_set_by_name() -> None:
    node = parameter_node(CHOICE, 2)
    assert (node["TYPE"], node["VALUE"], node["RANGE"]) == ("s", ["random"], [{"VALS": ["up", "down", "random"]}])
    assert told_values(CHOICE, 1) == ("down",)


def test_what_happens_has_no_value() -> None:
    tree = whole()
    tap, scene = find(tree, "/fluid/tap"), find(tree, "/fluid/scene")
    assert tap is not None
    assert scene is not None
    assert (tap["TYPE"], tap["ACCESS"], "VALUE" in tap) == ("I", 2, False)
    assert (scene["TYPE"], scene["ACCESS"], scene["RANGE"]) == ("i", 2, [{"MIN": 1, "MAX": 128}])
    assert scene["CLIPMODE"] == ["none"]


def test_a_locked_parameter_can_be_read_alone() -> None:
    tap = next(parameter for parameter in TABLE if parameter.name == "tap")
    assert parameter_node(ZOOM, 2.0, locked=True)["ACCESS"] == 1
    assert parameter_node(tap, 0, locked=True)["ACCESS"] == 0


def test_telemetry_can_be_read_alone() -> None:
    tree = whole(Telemetry(recording=True, scene=3, scene_name="Rain", tempo_bpm=120.0, inputs={"drums": 0.5}))
    out = find(tree, "/fluid/out")
    assert out is not None
    assert {leaf["ACCESS"] for leaf in leaves(out)} == {1}
    scene, tempo, recording, drums = (
        find(tree, f"/fluid/out/{name}") for name in ("scene", "tempo", "recording", "input/drums")
    )
    assert scene is not None
    assert (scene["TYPE"], scene["VALUE"]) == ("is", [3, "Rain"])
    assert tempo is not None
    assert (tempo["VALUE"], tempo["UNIT"]) == ([120.0], ["time.bpm"])
    assert recording is not None
    assert (recording["TYPE"], recording["VALUE"]) == ("i", [1])
    assert drums is not None
    assert (drums["FULL_PATH"], drums["VALUE"]) == ("/fluid/out/input/drums", [0.5])


@pytest.mark.parametrize("path", ["/", "", "//"])
def test_the_root(path: str) -> None:
    root = find(whole(), path)
    assert root is not None
    assert (root["FULL_PATH"], root["DESCRIPTION"]) == ("/", "Show")


@pytest.mark.parametrize(
    "path", ["/zoom", "/fluid/nothing", "/fluid/zoom/deeper", "/fluid//zoom", "/FLUID", "/fluid/..", "/%"]
)
def test_a_path_without_a_node(path: str) -> None:
    assert find(whole(), path) is None


def test_attributes_that_are_asked_for() -> None:
    node = parameter_node(ZOOM, 2.0)
    assert attributes(node, ["VALUE"]) == {"VALUE": [2.0]}
    assert attributes(node, ["VALUE", "TYPE", "OVERLOADS"]) == {"VALUE": [2.0], "TYPE": "f"}
    assert attributes(node, ["CONTENTS"]) == {}
    assert attributes(node, ["OVERLOADS"]) is None
    container = find(whole(), "/fluid")
    assert container is not None
    assert attributes(container, ["TYPE"]) == {}
    assert attributes(container, ["VALUE"]) is None


def test_host_info() -> None:
    info = host_info("Show", Reachable(ip="10.0.0.5", port=8080, osc_port=9000))
    assert (info["NAME"], info["WS_IP"], info["WS_PORT"]) == ("Show", "10.0.0.5", 8080)
    assert (info["OSC_IP"], info["OSC_PORT"], info["OSC_TRANSPORT"]) == ("10.0.0.5", 9000, "UDP")
    assert {"ACCESS", "VALUE", "RANGE", "UNIT", "LISTEN", "PATH_CHANGED"} <= set(info["EXTENSIONS"])
    elsewhere = host_info("Show", Reachable(ip="10.0.0.5", port=8080, osc_ip="10.1.0.5", osc_port=9000))
    assert (elsewhere["OSC_IP"], elsewhere["WS_IP"]) == ("10.1.0.5", "10.0.0.5")


def test_host_info_names_no_osc_where_there_is_none() -> None:
    assert not [key for key in host_info("Show", Reachable(ip="10.0.0.5", port=8080)) if key.startswith("OSC_")]


def test_another_table_is_told_once_as_a_whole_and_by_each_path() -> None:
    before = {"zoom": ZOOM, "order": CHOICE}
    after = {"order": CHOICE, "grain": replace(ZOOM, name="grain")}
    assert path_changes(before, after) == [
        {"COMMAND": "PATH_REMOVED", "DATA": "/fluid/zoom"},
        {"COMMAND": "PATH_ADDED", "DATA": "/fluid/grain"},
        {"COMMAND": "PATH_CHANGED", "DATA": "/fluid"},
    ]
    assert path_changes(before, {"zoom": replace(ZOOM, high=8.0), "order": CHOICE}) == [
        {"COMMAND": "PATH_CHANGED", "DATA": "/fluid"}
    ]
    assert path_changes(before, dict(before)) == []
