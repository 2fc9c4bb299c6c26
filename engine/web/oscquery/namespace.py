"""The OSCQuery namespace of a show: pure functions from parameters, values and telemetry to what is sent as JSON.

https://github.com/Vidvox/OSCQueryProposal names the attributes. Where it leaves a choice open, docs/oscquery.md says what was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.control.parameter import Parameter, Value
from engine.control.remotes.osc_addresses import OUT_PREFIX, PREFIX, address
from engine.control.remotes.osc_message import OscValue
from engine.control.remotes.osc_telemetry import ONSET, Outgoing, current
from engine.control.telemetry import Telemetry

Node = dict[str, Any]
NONE, READ, WRITE = 0, 1, 2
"""Bits of ACCESS."""
ROOT, _OUT = PREFIX.rstrip("/"), OUT_PREFIX.rstrip("/")
REQUIRED = ("FULL_PATH", "CONTENTS", "TYPE")
OPTIONAL = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TAGS", "UNIT", "CLIPMODE")
UNKNOWN_TO_US = ("EXTENDED_TYPE", "CRITICAL", "OVERLOADS", "HTML")
"""Attributes of the proposal that no node of a show has."""
COMMANDS = ("LISTEN", "PATH_CHANGED", "PATH_ADDED", "PATH_REMOVED")
UNITS: Mapping[str, str] = {
    "dB": "gain.db",
    "ms": "time.ms",
    "s": "time.second",
    "bpm": "time.bpm",
    "Hz": "time.hz",
}
"""Our units as the proposal writes them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reachable:
    """Where the client that asks reaches the show."""

    ip: str
    """The address of this machine that it is connected to."""
    port: int
    """The port of HTTP and WebSocket."""
    osc_ip: str = ""
    """Where OSC is bound; empty for the same address."""
    osc_port: int | None = None
    """None where the show does not listen to OSC."""


def namespace(
    name: str,
    parameters: Mapping[str, Parameter],
    values: Mapping[str, Value],
    telemetry: Telemetry,
    is_locked: Callable[[str], bool] = lambda name: False,
) -> Node:
    """Return the whole tree of a show: its parameters, and below `out` what it tells of itself, with the values of now."""
    contents = {one.name: parameter_node(one, values.get(one.name), is_locked(one.name)) for one in parameters.values()}
    told = (*current(telemetry), (ONSET, ONSET.read(telemetry)))
    contents[_OUT.removeprefix(PREFIX)] = _container(
        _OUT, "what the show tells of itself", (telemetry_node(one, values) for one, values in told)
    )
    show = {"FULL_PATH": ROOT, "ACCESS": NONE, "DESCRIPTION": "the show's parameters", "CONTENTS": contents}
    return {"FULL_PATH": "/", "ACCESS": NONE, "DESCRIPTION": name, "CONTENTS": {ROOT.removeprefix("/"): show}}


def parameter_node(parameter: Parameter, value: Value | None, locked: bool = False) -> Node:
    """Return the node of a parameter. A locked one can be read and not set."""
    tags = types(parameter, value)
    access = (NONE if parameter.happens else READ) | (NONE if locked else WRITE)
    node: Node = {"FULL_PATH": address(parameter.name), "TYPE": tags, "ACCESS": access}
    if value is not None and not parameter.happens:
        node["VALUE"] = list(told_values(parameter, value))
    if parameter.choices:
        node["RANGE"] = [{"VALS": list(parameter.choices)}]
    elif parameter.is_number:
        low, high = (parameter.low, parameter.high) if tags == "f" else (int(parameter.low), int(parameter.high))
        node["RANGE"] = [{"MIN": low, "MAX": high}]
        # The number of a scene is refused, not clipped.
        node["CLIPMODE"] = ["none" if parameter.kind == "event" else "both"]
    if parameter.unit and tags == "f":
        node["UNIT"] = [UNITS.get(parameter.unit, parameter.unit)]
    return node | {"DESCRIPTION": parameter.help, "TAGS": [parameter.group]}


def telemetry_node(outgoing: Outgoing, values: Sequence[OscValue]) -> Node:
    """Return the node of what a show tells of itself."""
    node: Node = {"FULL_PATH": outgoing.address, "TYPE": outgoing.types, "ACCESS": READ, "VALUE": list(values)}
    if outgoing.high is not None:
        number = float if outgoing.types == "f" else int
        node["RANGE"] = [{"MIN": number(0), "MAX": number(outgoing.high)}]
    if outgoing.unit:
        node["UNIT"] = [UNITS.get(outgoing.unit, outgoing.unit)]
    return node | {"DESCRIPTION": outgoing.help, "TAGS": ["telemetry"]}


def types(parameter: Parameter, value: Value | None) -> str:
    """Return the OSC type of a parameter: a trigger is an impulse, a switch T or F as it stands, a choice the text of its name."""
    if parameter.kind == "trigger":
        return "I"
    if parameter.kind == "bool":
        return "T" if value else "F"
    if parameter.choices:
        return "s"
    return "f" if parameter.kind == "float" else "i"


def told_values(parameter: Parameter, value: Value) -> tuple[OscValue, ...]:
    """Return a parameter's value as OSC and JSON tell it, in its type; nothing for a trigger."""
    if parameter.kind == "trigger":
        return ()
    if parameter.choices:
        return (parameter.choices[int(value)],)
    if parameter.kind == "bool":
        return (bool(value),)
    return (float(value) if parameter.kind == "float" else int(value),)


def find(tree: Node, path: str) -> Node | None:
    """Return the node of an OSC address, which may end with a slash; None where there is none."""
    node: Node | None = tree
    for name in path.strip("/").split("/") if path.strip("/") else ():
        node = node.get("CONTENTS", {}).get(name) if node else None
    return node


def attributes(node: Node, names: Sequence[str]) -> Node | None:
    """Return those of some attributes that a node has; None where it has none of them, and one of them is optional.

    A container has no TYPE, and a method no CONTENTS: the proposal gives an empty object there.
    """
    found = {name: node[name] for name in names if name in node}
    return found if found or all(name in REQUIRED for name in names) else None


def host_info(name: str, reached: Reachable) -> Node:
    """Return HOST_INFO. The WebSocket is on the port of HTTP; OSC is left out where the show does not listen to it."""
    info: Node = {"NAME": name, "EXTENSIONS": dict.fromkeys((*OPTIONAL, *COMMANDS), True)}
    if reached.osc_port is not None:
        info |= {"OSC_IP": reached.osc_ip or reached.ip, "OSC_PORT": reached.osc_port, "OSC_TRANSPORT": "UDP"}
    return info | {"WS_IP": reached.ip, "WS_PORT": reached.port}


def path_changes(before: Mapping[str, Parameter], after: Mapping[str, Parameter]) -> list[Node]:
    """Return the commands that tell a client of another table: what is gone, what is new, and that it should read again."""
    removed, added = [name for name in before if name not in after], [name for name in after if name not in before]
    if not removed and not added and all(before[name] == after[name] for name in after):
        return []
    return [
        *({"COMMAND": "PATH_REMOVED", "DATA": address(name)} for name in removed),
        *({"COMMAND": "PATH_ADDED", "DATA": address(name)} for name in added),
        {"COMMAND": "PATH_CHANGED", "DATA": ROOT},
    ]


def _container(path: str, description: str, nodes: Iterable[Node]) -> Node:
    """Return a container of nodes, with containers in between where their paths go deeper."""
    container: Node = {"FULL_PATH": path, "ACCESS": NONE, "DESCRIPTION": description, "CONTENTS": {}}
    for node in nodes:
        inner = container
        *between, last = node["FULL_PATH"].removeprefix(path + "/").split("/")
        for name in between:
            inner = inner["CONTENTS"].setdefault(
                name, {"FULL_PATH": f"{inner['FULL_PATH']}/{name}", "ACCESS": NONE, "CONTENTS": {}}
            )
        inner["CONTENTS"][last] = node
    return container
