"""The messages of /page/socket from the show to the page, as JSON texts; docs/web.md describes them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from engine.control.modulation.expression import FUNCTIONS, INPUT_FUNCTIONS, NAMES
from engine.control.parameter import Value
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.errors import ConfigError
from engine.core.notice_log import ToldLine
from engine.core.printable import printable
from engine.model.card import ModelCard
from engine.web.show_control import MidiControl, ShowControl

_DIGITS = 9


def hello(title: str, card: ModelCard, live: bool, sound_from_browser: bool) -> str:
    model = {
        "name": card.name,
        "width": card.width,
        "height": card.height,
        "fps": card.fps,
        "feature_bands": card.feature_bands,
    }
    return _text("hello", title=title, model=model, live=live, sound_from_browser=sound_from_browser)


def table(access: RemoteAccess, mappings: Mapping[str, str], midi: Mapping[str, str]) -> str:
    """`midi` says in words what moves a parameter."""
    parameters = [
        {
            "name": one.name,
            "kind": one.kind,
            "help": one.help,
            "low": one.low,
            "high": one.high,
            "default": one.default,
            "unit": one.unit,
            "group": one.group,
            "widget": one.widget,
            "choices": one.choices,
            "locked": access.is_locked(one.name),
            "mapping": mappings.get(one.name, ""),
            "midi": midi.get(one.name, ""),
        }
        for one in access.parameters.values()
    ]
    return _text("table", parameters=parameters)


def values(changed: Mapping[str, Value]) -> str:
    return _text("values", values=changed)


def telemetry(now: Telemetry) -> str:
    told = {field.name: getattr(now, field.name) for field in dataclasses.fields(now)}
    return _text("telemetry", **told, beat_phase=now.beat_phase, bar=now.bar, beat=now.beat)


def notices(lines: Iterable[ToldLine], now_s: float) -> str:
    """`now_s` is clock time: a browser has another clock, so it gets the age of each line."""
    return _text(
        "notices",
        lines=[
            {"number": one.number, "at_s": one.at_s, "age_s": now_s - one.at_s, "text": printable(one.text)}
            for one in lines
        ],
    )


def listed(kind: str, show: ShowControl | None, control: MidiControl | None) -> str:
    """Return the text of a list: scenes, models, inputs, mappings or midi. May take as long as a disk. Raises ConfigError."""
    if kind == "midi":
        return _text(kind, **_midi(control))
    if show is None:
        raise ConfigError(f"This show has no {kind} to list.")
    fields = {"scenes": _scenes, "models": _models, "inputs": _inputs, "mappings": _mappings}[kind]
    return _text(kind, **fields(show))


def reply(id: object, sentence: str = "") -> str:
    """Return the answer to a message: an empty sentence is a success."""
    return _text("reply", id=id, ok=not sentence, text=sentence)


def _scenes(show: ShowControl) -> dict[str, Any]:
    playlist = show.playlist()
    entries = [dataclasses.asdict(entry) for entry in playlist.entries]
    return {
        "scenes": [dataclasses.asdict(scene) for scene in show.scenes()],
        "playlist": {"entries": entries, "position": playlist.position, "left": playlist.left},
    }


def _models(show: ShowControl) -> dict[str, Any]:
    return {"models": [dataclasses.asdict(choice) for choice in show.models()]}


def _inputs(show: ShowControl) -> dict[str, Any]:
    return {"inputs": [dataclasses.asdict(choice) for choice in show.inputs()]}


def _mappings(show: ShowControl) -> dict[str, Any]:
    return {
        "mappings": dict(show.mappings()),
        "variables": list(NAMES),
        "functions": [*FUNCTIONS, *INPUT_FUNCTIONS],
    }


def _midi(control: MidiControl | None) -> dict[str, Any]:
    assignments = [dataclasses.asdict(one) for one in control.assignments()] if control else []
    return {
        "available": control is not None,
        "ports": dict(control.ports()) if control else {},
        "assignments": assignments,
        "learning": control.learning if control else "",
    }


def _text(kind: str, **fields: Any) -> str:
    # In ASCII: halves of characters, which names of files may hold, are no UTF-8.
    return json.dumps({"type": kind, **_plain(fields)}, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a value in which all floats are finite and short: JSON knows no others."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else 0.0
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in cast(Mapping[str, Any], value).items()}
    return [_plain(one) for one in cast(list[Any], value)] if isinstance(value, (list, tuple)) else value
