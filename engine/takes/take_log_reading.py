"""Read the log of a take, of this version and of the five before. What is damaged is one sentence, with the number of its line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from engine.audio.features.analyser import FASTEST_BPM
from engine.audio.features.beat_clock import BEATS_A_BAR, SLOWEST_FOLLOWED_BPM, BeatPoint
from engine.control.parameter_store import ControlEvent
from engine.core.errors import ConfigError
from engine.core.show_event import REQUIRED_KEYS
from engine.core.small_files import read_lines as read_text_lines
from engine.core.structured import parse_json, shown, structure
from engine.takes.take_arrays import is_array
from engine.takes.take_log import FORMAT_VERSION, HopLine, TakeHeader

_LARGEST = 2**53
_RENAMED_SINCE_1 = {
    "heard": "received_samples",
    "skipped": "skipped_hops",
    "gone": "removed",
    "happenings": "show_events",
}


def read_header(text: str, file: Path) -> TakeHeader:
    """Read the first line. Raises ConfigError, naming `file`, for anything but a header of version 1 to 6."""
    try:
        fields: Any = parse_json(text)["take"]
        version: Any = fields["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        reason = f" ({error})" if type(error) is ValueError else ""
        raise ConfigError(
            f"{file} does not begin as the log of a take{reason}; give a folder written with --take."
        ) from error
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ConfigError(
            f"{file} is a take of version {shown(version)}; this engine replays versions 1 to {FORMAT_VERSION}. Replay it with "
            "the engine that wrote it."
        )
    if version == 1:
        # Written by the version before, always 0.
        fields = {name: value for name, value in fields.items() if name != "seed"}
    return structure(
        TakeHeader, fields, ConfigError, before=f"{file} has a damaged header: ", after=" Copy the take again."
    )


def read_lines(file: Path) -> Iterator[HopLine]:
    """Yield the lines after the header; a last line that was cut off by a kill is left out.

    Raises ConfigError, naming `file` and the line, for a damaged one.
    """
    texts = read_text_lines(file)
    is_version_1 = read_header(next(texts, ""), file).format_version == 1
    before = -1
    for number, text in enumerate(texts, start=2):
        line = _parse(text, is_version_1)
        if line is None and next(texts, None) is None and not text.endswith("\n"):
            return
        if line is None or line.hop < before:
            raise ConfigError(
                f"{file} is damaged at line {number}; copy the take again. To replay what came before, delete that line and "
                "all lines after it."
            )
        before = line.hop
        yield line


def _parse(text: str, is_version_1: bool) -> HopLine | None:
    """Return one line; None where it is damaged."""
    try:
        parsed: Any = parse_json(text)
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    fields = cast(dict[str, Any], parsed)
    if is_version_1:
        fields = {_RENAMED_SINCE_1.get(name, name): value for name, value in fields.items()}
    if not fields.keys() >= {"hop", "received_samples"}:
        return None
    if not all(name in _CHECKS and _CHECKS[name](value) for name, value in fields.items()):
        return None
    lists: dict[str, Any] = {name: tuple(fields.pop(name, ())) for name in ("removed", "show_events", "early_samples")}
    events = tuple(ControlEvent(name, number) for name, number in fields.pop("events", ()))
    beat_points = tuple(BeatPoint(*point) for point in fields.pop("beat_points", ()))
    return HopLine(events=events, beat_points=beat_points, **lists, **fields)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def _is_value(value: object) -> bool:
    return type(value) is bool or _is_whole(value) or (type(value) is float and math.isfinite(value))


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_list_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(check, cast(list[object], value)))


def _are_values(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_value, cast(dict[str, object], value).values()))


def _is_event(value: object) -> bool:
    if not isinstance(value, list) or len(cast(list[object], value)) != 2:
        return False
    name, number = cast(list[object], value)
    return _is_text(name) and _is_whole(number)


def _is_beat_point(value: object) -> bool:
    if not isinstance(value, list) or len(cast(list[object], value)) != 4:
        return False
    sample, beats, bpm, is_bar_known = cast(list[object], value)
    return (
        _is_count(sample)
        and (type(beats) is float and 0.0 <= beats < BEATS_A_BAR)
        and (type(bpm) is float and (bpm == 0.0 or SLOWEST_FOLLOWED_BPM <= bpm <= FASTEST_BPM))
        and type(is_bar_known) is bool
    )


def _is_show_event(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    fields = cast(dict[str, object], value)
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in REQUIRED_KEYS or not fields.keys() >= REQUIRED_KEYS[kind]:
        return False
    return all(name in _SHOW_EVENT_CHECKS and _SHOW_EVENT_CHECKS[name](item) for name, item in fields.items())


def _is_state(value: object) -> bool:
    return isinstance(value, dict) and all(map(is_array, cast(dict[str, object], value).values()))


_CHECKS: dict[str, Callable[[object], bool]] = {
    "hop": lambda value: value == -1 or _is_count(value),
    "received_samples": _is_count,
    "skipped_hops": _is_count,
    "failed": lambda value: type(value) is bool,
    "values": _are_values,
    "removed": _is_list_of(_is_text),
    "events": _is_list_of(_is_event),
    "beat_points": _is_list_of(_is_beat_point),
    "show_events": _is_list_of(_is_show_event),
    "early_samples": _is_list_of(_is_count),
    "end": _is_text,
}
_SHOW_EVENT_CHECKS: dict[str, Callable[[object], bool]] = {
    "kind": _is_text,
    "state": lambda value: value is None or _is_state(value),
    "model": _is_text,
    "graph_sha256": _is_text,
    "fade_hops": _is_count,
    "is_held": lambda value: type(value) is bool,
    "seconds": _is_value,
    "parameter": _is_text,
    "expression": _is_text,
}
