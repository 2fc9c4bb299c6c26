"""A session for Open Stage Control: JSON with a tab for each group of parameters, and one for what the show tells of itself.

What a widget does not say, Open Stage Control takes from its own defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.control.parameter import Parameter
from engine.control.parameter_table import ShowValues
from engine.control.remotes.osc_addresses import address
from engine.control.remotes.osc_telemetry import NOTICE, ONSET, OUTGOING, Outgoing

VERSION = "1.30.1"
"""The version whose form the session has; later ones read it."""
SCENES = 16
"""Scenes with a button."""
_WIDTH, _HEIGHT, _LABEL_HEIGHT = 300, 60, 20
_MOST_ON_A_FADER = 100
"""Whole numbers up to here have a fader, larger ones such as the seed are typed in."""
_LEVELS = ("level", "low", "mid", "high", "beat_phase")

Widget = dict[str, Any]


def open_stage_control_session(pages: Mapping[str, Sequence[Parameter]]) -> str:
    """Return the session as JSON text."""
    tabs = [_tab(title, [_widget(p) for p in parameters if p.kind != "event"]) for title, parameters in pages.items()]
    session = {
        "createdWith": "Open Stage Control",
        "version": VERSION,
        "type": "session",
        "content": {"type": "root", "id": "root", "tabs": [_telemetry_tab(), *tabs, _scenes_tab()]},
    }
    return json.dumps(session, indent=1, ensure_ascii=False) + "\n"


def _tab(title: str, widgets: list[Widget]) -> Widget:
    return {"type": "tab", "id": f"tab_{title.replace(' ', '_')}", "label": title, "widgets": widgets}


def _panel(name: str, label: str, widgets: list[Widget], height: int = _HEIGHT + _LABEL_HEIGHT) -> Widget:
    """Return a label with what it names below it."""
    text = {"type": "text", "id": f"label_{name}", "default": label, "height": _LABEL_HEIGHT, "bypass": True}
    return {
        "type": "panel", "id": f"panel_{name}", "width": _WIDTH, "height": height, "layout": "vertical",
        "scroll": False, "padding": 2, "widgets": [text, *widgets],
    }  # fmt: skip


def _widget(parameter: Parameter) -> Widget:
    control = {"id": parameter.name, "address": address(parameter.name), "expand": True, **_control(parameter)}
    unit = f" ({_inert(parameter.unit)})" if parameter.unit else ""
    return _panel(parameter.name, f"{parameter.name.replace('_', ' ')}{unit}", [control])


def _control(parameter: Parameter) -> Widget:
    comments = {"comments": _inert(parameter.help)}
    if parameter.choices:
        values = {name: number for number, name in enumerate(parameter.choices)}
        return {"type": "switch", "values": values, "layout": "horizontal", "typeTags": "i", "default": int(parameter.default), **comments}  # fmt: skip
    if parameter.kind == "trigger":
        return {"type": "button", "mode": "tap", "label": parameter.name.replace("_", " "), **comments}
    if parameter.kind == "bool":
        return {
            "type": "button", "mode": "toggle", "on": 1, "off": 0, "typeTags": "i", "label": "on",
            "default": int(parameter.default), **comments,
        }  # fmt: skip
    if parameter.kind == "int" and parameter.high > _MOST_ON_A_FADER:
        return {"type": "input", "numeric": True, "typeTags": "i", "decimals": 0, "default": int(parameter.default), **comments}  # fmt: skip
    return {
        "type": "fader", "horizontal": True, "design": "compact", "snap": False, "doubleTap": True,
        **({"decimals": 3} if parameter.kind == "float" else {"decimals": 0, "typeTags": "i"}),
        "range": {"min": parameter.low, "max": parameter.high}, "default": float(parameter.default), **comments,
    }  # fmt: skip


def _inert(text: str) -> str:
    """Return a model's text without what Open Stage Control would run or look up, such as JS{{...}} and @{...}."""
    return text.translate(str.maketrans("{}", "()"))


def _scenes_tab() -> Widget:
    def buttons(parameter: Parameter, is_careful: bool) -> Widget:
        grid = {
            "type": "panel", "id": f"grid_{parameter.name}", "layout": "grid", "gridTemplate": 8, "expand": True,
            "widgets": [
                {
                    "type": "button", "id": f"{parameter.name}_{number}", "label": str(number), "mode": "tap", "on": number,
                    "address": address(parameter.name), "typeTags": "i", "doubleTap": is_careful, "comments": parameter.help,
                }
                for number in range(1, SCENES + 1)
            ],
        }  # fmt: skip
        how = "tap twice to save" if is_careful else "recall"
        return {**_panel(parameter.name, f"{parameter.name.replace('_', ' ')}: {how}", [grid], 200), "width": 640}

    return _tab("recall and save", [buttons(ShowValues.scene, False), buttons(ShowValues.save_scene, True)])


def _telemetry_tab() -> Widget:
    widgets = list[Widget]()
    for outgoing in (*OUTGOING, NOTICE):
        name = outgoing.address.rpartition("/")[2]
        if name in _LEVELS:
            shown = _listens(
                outgoing, {"type": "fader", "horizontal": True, "design": "compact", "range": {"min": 0, "max": 1}}
            )
        else:
            shown = _listens(outgoing, {"type": "text"})
        widgets.append(_panel(f"out_{name}", name.replace("_", " "), [shown]))
    # Its strength lights it; a script puts it out again.
    lamp = _listens(ONSET, {"type": "led", "range": {"min": 0, "max": 1}})
    lamp["onValue"] = (
        'if (value > 0) setTimeout("off", function() { set("this", 0, {send: false, script: false}) }, 100)'
    )
    widgets.append(_panel("out_onset", "onset", [lamp]))
    return _tab("monitor", widgets)


def _listens(outgoing: Outgoing, widget: Widget) -> Widget:
    name = outgoing.address.rpartition("/")[2]
    told = {"interaction": False, "bypass": True, "comments": outgoing.help, "expand": True}
    return {**widget, "id": f"told_{name}", "address": outgoing.address, **told}
