"""A layout for TouchOSC (from version 1.1): a page for each group of parameters, and one for what the show tells of itself.

The file is XML, compressed by zlib: nodes with properties (position, colour), values (where a fader stands), messages (which OSC they send
and take) and children. A message builds its address and its values of parts: constants, and the node's values, scaled.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from engine.control.parameter import Parameter
from engine.control.parameter_table import ShowValues
from engine.control.remotes.osc_addresses import address
from engine.control.remotes.osc_telemetry import NOTICE, ONSET, OUTGOING

FORMAT_VERSION = "6"
WIDTH, HEIGHT, TAB_BAR = 1024, 768, 50
SCENES = 16
"""Scenes with a button."""
_COLUMNS, _LEAST_ROWS, _GAP, _LABEL = 2, 8, 6, 22
_LEVELS = ("level", "low", "mid", "high", "beat_phase")
_QUIET, _BLUE, _RED, _BLACK = "0.16", "0.2 0.5 0.8", "0.7 0.2 0.2", "0"
_NAMESPACE = uuid.UUID("b2e1a3f0-6f6b-4c8e-9d57-0c1f3a5e7b90")
"""The same table gives the same file."""
_MOMENTARY, _TOGGLE = "0", "2"
_EAST = "1"


class Frame(NamedTuple):
    """Where a node is in its parent, in points."""

    x: int
    y: int
    w: int
    h: int


def touchosc_layout(pages: Mapping[str, Sequence[Parameter]]) -> bytes:
    """Return the content of a .tosc file."""
    inner = Frame(0, TAB_BAR, WIDTH, HEIGHT - TAB_BAR)
    made = [_page("monitor", inner, _telemetry(inner))]
    for title, parameters in pages.items():
        cells = _cells([p for p in parameters if p.kind != "event"], inner)
        made.append(_page(title, inner, "".join(_control(parameter, frame) for parameter, frame in cells)))
    made.append(_page("recall", inner, _scenes(ShowValues.scene, _BLUE, inner)))
    made.append(_page("save", inner, _scenes(ShowValues.save_scene, _RED, inner)))
    whole = Frame(0, 0, WIDTH, HEIGHT)
    pager = _node("pages", "PAGER", whole, _BLACK, values={"page": "0"}, children="".join(made))
    root = _node("fluid", "GROUP", whole, _BLACK, children=pager)
    return zlib.compress(
        f"<?xml version='1.0' encoding='UTF-8'?><lexml version='{FORMAT_VERSION}'>{root}</lexml>".encode(), 9
    )


def _cells(parameters: Sequence[Parameter], page: Frame) -> list[tuple[Parameter, Frame]]:
    frames = _grid(len(parameters), _COLUMNS, max(_LEAST_ROWS, -(-len(parameters) // _COLUMNS)), page)
    return list(zip(parameters, frames, strict=True))


def _grid(count: int, columns: int, rows: int, page: Frame) -> list[Frame]:
    """Return the frames of cells, row by row."""
    w, h = (page.w - _GAP) // columns, (page.h - _GAP) // rows
    return [
        Frame(_GAP + number % columns * w, _GAP + number // columns * h, w - _GAP, h - _GAP) for number in range(count)
    ]


def _page(title: str, frame: Frame, children: str) -> str:
    return _node(f"page {title}", "GROUP", frame, _BLACK, {"s tabLabel": title}, children=children)


def _control(parameter: Parameter, cell: Frame) -> str:
    unit = f" {parameter.unit}" if parameter.unit else ""
    text = parameter.name.replace("_", " ")
    if parameter.choices:
        text += f": {', '.join(parameter.choices)}"
    elif parameter.kind in ("float", "int"):
        text += f", {parameter.low:.10g} to {parameter.high:.10g}{unit}"
    below = Frame(cell.x, cell.y + _LABEL, cell.w, cell.h - _LABEL)
    return _label(f"label {parameter.name}", text, Frame(*cell[:3], _LABEL)) + _touched(parameter, below)


def _touched(parameter: Parameter, frame: Frame) -> str:
    name, to = parameter.name, address(parameter.name)
    if parameter.choices:
        steps = {"i steps": str(len(parameter.choices)), "i radioType": "0", "i orientation": _EAST}
        values = {"x": str(int(parameter.default))}
        return _node(name, "RADIO", frame, _BLUE, steps, values, _message(to, _value("x", "INTEGER")))
    if parameter.kind == "trigger":
        message = _message(to, _constant("1", "INTEGER"), trigger=("x", "RISE"), receives=False)
        return _node(name, "BUTTON", frame, _BLUE, _button(_MOMENTARY), {"x": "0"}, message)
    if parameter.kind == "bool":
        values = {"x": str(int(parameter.default))}
        return _node(name, "BUTTON", frame, _BLUE, _button(_TOGGLE), values, _message(to, _value("x", "FLOAT")))
    at = (parameter.default - parameter.low) / (parameter.high - parameter.low)
    sent = _value("x", "FLOAT" if parameter.kind == "float" else "INTEGER", parameter.low, parameter.high)
    return _node(name, "FADER", frame, _BLUE, _fader(), {"x": f"{at:g}"}, _message(to, sent))


def _scenes(parameter: Parameter, colour: str, page: Frame) -> str:
    nodes = list[str]()
    for number, frame in enumerate(_grid(SCENES, 4, 4, page), 1):
        message = _message(
            address(parameter.name), _constant(str(number), "INTEGER"), trigger=("x", "RISE"), receives=False
        )
        nodes.append(
            _node(f"{parameter.name} {number}", "BUTTON", frame, colour, _button(_MOMENTARY), {"x": "0"}, message)
        )
        nodes.append(_label(f"label {parameter.name} {number}", str(number), frame, background="0"))
    return "".join(nodes)


def _telemetry(page: Frame) -> str:
    nodes = list[str]()
    told = (*OUTGOING, ONSET, NOTICE)
    for outgoing, cell in zip(told, _grid(len(told), _COLUMNS, -(-len(told) // _COLUMNS), page), strict=True):
        name = outgoing.address.rpartition("/")[2]
        third = cell.w // 3
        nodes.append(_label(f"label out {name}", name.replace("_", " "), Frame(cell.x, cell.y, third, cell.h)))
        right = Frame(cell.x + third, cell.y, cell.w - third, cell.h)
        if name in (*_LEVELS, "onset"):
            message = _message(outgoing.address, _value("x", "FLOAT"), sends=False)
            nodes.append(
                _node(f"out {name}", "FADER", right, _BLUE, {**_fader(), "b interactive": "0"}, {"x": "0"}, message)
            )
        else:
            # Of several values the last one is shown: the scene's name.
            taken = _constant("", "STRING") * (len(outgoing.types) - 1) + _value("text", "STRING")
            message = _message(outgoing.address, taken, trigger=("text", "ANY"), sends=False)
            nodes.append(_label(f"out {name}", "", right, message))
    return "".join(nodes)


def _fader() -> dict[str, str]:
    return {
        "b bar": "1", "i barDisplay": "0", "b cursor": "1", "i cursorDisplay": "0", "b grid": "0", "c gridColor": "0 0.25",
        "i gridSteps": "10", "i orientation": _EAST, "i response": "0", "i responseFactor": "100",
    }  # fmt: skip


def _button(kind: str) -> dict[str, str]:
    return {"i buttonType": kind, "b press": "1", "b release": "1", "b valuePosition": "0"}


def _label(name: str, text: str, frame: Frame, message: str = "", background: str = "1") -> str:
    properties = {
        "b background": background, "i font": "0", "b interactive": "0", "i textAlignH": "2", "i textAlignV": "2", "b textClip": "1",
        "c textColor": "0.9", "i textLength": "0", "i textSize": "14",
    }  # fmt: skip
    return _node(name, "LABEL", frame, _QUIET, properties, {"text": text}, message)


def _node(
    name: str,
    kind: str,
    frame: Frame,
    colour: str,
    properties: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    messages: str = "",
    children: str = "",
) -> str:
    is_group = kind in ("GROUP", "PAGER")
    given = {
        "b background": "1", "c color": colour, "f cornerRadius": "2", "b grabFocus": str(int(not is_group)),
        "b interactive": str(int(kind != "GROUP")), "b locked": "0", "s name": name, "i orientation": "0", "b outline": "0",
        "i outlineStyle": "0", "i pointerPriority": "0", "i shape": "1", "b visible": "1",
        **(_PAGER if kind == "PAGER" else {}), **(properties or {}),
    }  # fmt: skip
    parts = [_property(key, value) for key, value in given.items()]
    parts.append(f"<property type='r'><key>{_text('frame')}</key><value>{_frame(frame)}</value></property>")
    stands = {**(values or {}), "touch": "false"}
    held = "".join(
        f"<value><key>{_text(key)}</key><locked>0</locked><lockedDefaultCurrent>0</lockedDefaultCurrent>"
        f"<default>{_text(value)}</default><defaultPull>0</defaultPull></value>"
        for key, value in stands.items()
    )
    return (
        f"<node ID='{uuid.uuid5(_NAMESPACE, name)}' type='{kind}'><properties>{''.join(parts)}</properties><values>{held}</values>"
        + (f"<messages>{messages}</messages>" if messages else "")
        + (f"<children>{children}</children>" if children else "")
        + "</node>"
    )


_PAGER = {
    "b tabLabels": "1", "b tabbar": "1", "b tabbarDoubleTap": "0", "i tabbarSize": str(TAB_BAR), "i textSizeOff": "14",
    "i textSizeOn": "14",
}  # fmt: skip


def _property(typed_key: str, value: str) -> str:
    kind, key = typed_key.split(" ", 1)
    content = {"c": _colour, "s": _text}.get(kind, escape)(value)
    return f"<property type='{kind}'><key>{_text(key)}</key><value>{content}</value></property>"


def _frame(frame: Frame) -> str:
    return "".join(f"<{axis}>{at}</{axis}>" for axis, at in zip("xywh", frame, strict=True))


def _colour(given: str) -> str:
    """Return red, green, blue and opacity of "grey", "grey opacity" or "red green blue"."""
    parts = given.split()
    red, green, blue = parts if len(parts) == 3 else 3 * parts[:1]
    opacity = parts[1] if len(parts) == 2 else "1"
    return f"<r>{red}</r><g>{green}</g><b>{blue}</b><a>{opacity}</a>"


def _message(
    to: str, arguments: str, trigger: tuple[str, str] = ("x", "ANY"), sends: bool = True, receives: bool = True
) -> str:
    """Return an OSC message that a node sends and takes; all connections have it."""
    return (
        f"<osc><enabled>1</enabled><send>{int(sends)}</send><receive>{int(receives)}</receive><feedback>0</feedback>"
        "<noDuplicates>0</noDuplicates><connections>1111111111</connections>"
        f"<triggers><trigger><var>{_text(trigger[0])}</var><condition>{trigger[1]}</condition></trigger></triggers>"
        f"<path>{_constant(to, 'STRING')}</path><arguments>{arguments}</arguments></osc>"
    )


def _constant(value: str, conversion: str) -> str:
    return _partial("CONSTANT", conversion, value, 0, 1)


def _value(name: str, conversion: str, low: float = 0, high: float = 1) -> str:
    return _partial("VALUE", conversion, name, low, high)


def _partial(kind: str, conversion: str, value: str, low: float, high: float) -> str:
    return (
        f"<partial><type>{kind}</type><conversion>{conversion}</conversion><value>{_text(value)}</value>"
        f"<scaleMin>{low:g}</scaleMin><scaleMax>{high:.10g}</scaleMax></partial>"
    )


def _text(content: str) -> str:
    """Return a text as the format keeps texts; help and names of a model are a stranger's."""
    return f"<![CDATA[{content.replace(']]>', ']] >')}]]>"
