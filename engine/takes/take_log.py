"""What the log of a take says: a header, then a line for each hop where something changed, and one a second in any case.

    {"take": {...TakeHeader...}}
    {"hop": 0, "heard": 2400, "values": {"gain_db": 0.0, ...}}
    {"hop": 31, "heard": 76800, "skipped": 2, "values": {"gain_db": 6.0}, "events": [["scene", 3]]}
    {"hop": 60, "heard": 146400, "failed": true}
    {"end": "the show is over", "hop": 99, "heard": 240000}

`heard` counts the samples that had come from the source by then. Arrays (the state of a scene) lie beside the log, each once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import io
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.source import Source
from engine.control.parameter import Value
from engine.control.parameter_store import ControlEvent
from engine.core.errors import ConfigError, nearest_name
from engine.core.show_event import ShowEvent
from engine.model.backends.backend import Backend

FORMAT_VERSION = 1
LOG, SOUND, ARRAYS = "log.jsonl", "sound.caf", "arrays"

_ARRAY = "array"
_LIBRARIES = ("numpy", "onnxruntime", "onnxruntime-gpu", "openvino", "av", "opencv-python")


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeHeader:
    """What a show began with."""

    format_version: int = FORMAT_VERSION
    date: str
    model: str
    """Path of the model file."""
    card_name: str
    graph_sha256: str
    sample_rate_hz: int
    hop_samples: int
    source: str
    source_rate_hz: int
    source_channels: int
    seed: int
    backend: str
    description: str
    """Where it ran, in words."""
    threads: int | None
    versions: Mapping[str, str]
    """Of Python and of the libraries that make pictures."""
    settings: Mapping[str, Any]
    mappings: Mapping[str, str]
    """Expressions by the parameter they move."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HopLine:
    """What is known of one hop that was played."""

    hop: int
    heard: int
    """Samples from the source by then, at its own rate."""
    skipped: int = 0
    """Hops before it that were never stepped."""
    failed: bool = False
    """Whether its step failed and the last picture was held."""
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict[str, Value])
    """Parameters that are not what they were."""
    gone: tuple[str, ...] = ()
    """Parameters that are no longer there."""
    events: tuple[ControlEvent, ...] = ()
    show_events: tuple[ShowEvent, ...] = ()
    end: str | None = None
    """Why nothing follows; the hop is then the last one, said again."""


def take_header(
    backend: Backend,
    source: Source,
    *,
    model: str,
    date: str,
    seed: int = 0,
    threads: int | None = None,
    settings: Mapping[str, Any] | None = None,
    mappings: Mapping[str, str] | None = None,
) -> TakeHeader:
    """Describe a show that is about to begin; `settings` hold what JSON can."""
    card = backend.card
    return TakeHeader(
        date=date,
        model=model,
        card_name=card.name,
        graph_sha256=card.graph_sha256,
        sample_rate_hz=card.sample_rate_hz,
        hop_samples=card.hop_samples,
        source=source.name,
        source_rate_hz=source.rate_hz,
        source_channels=source.channels,
        seed=seed,
        backend=backend.name,
        description=backend.description,
        threads=threads,
        versions=versions(),
        settings=dict(settings or {}),
        mappings=dict(mappings or {}),
    )


def versions() -> dict[str, str]:
    """Return the versions of what makes the pictures here."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_header(header: TakeHeader) -> str:
    """Return the first line."""
    said = {field.name: getattr(header, field.name) for field in dataclasses.fields(header)}
    return json.dumps({"take": said}, separators=(",", ":"), default=_plain) + "\n"


def write_line(line: HopLine, folder: Path) -> str:
    """Return one line; its arrays go to files in `folder`. Raises OSError."""

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            return {_ARRAY: _save_array(cast("NDArray[Any]", value), folder)}
        return _plain(value)

    said: dict[str, Any] = {} if line.end is None else {"end": line.end}
    said |= {"hop": line.hop, "heard": line.heard}
    for name in ("skipped", "failed", "values", "gone", "events", "show_events"):
        if getattr(line, name):
            said[name] = getattr(line, name)
    return json.dumps(said, separators=(",", ":"), default=plain) + "\n"


def read_header(text: str, file: Path) -> TakeHeader:
    """Read the first line. Raises ConfigError, naming `file`, for what is no header or of another version."""
    try:
        said: Any = json.loads(text)["take"]
        version: Any = said["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} does not begin as the log of a take; give a folder written with --take.") from error
    if version != FORMAT_VERSION:
        raise ConfigError(
            f"{file} is a take of version {version}; this engine replays version {FORMAT_VERSION}. Replay it with the "
            "engine that wrote it."
        )
    fields = {field.name: str(field.type) for field in dataclasses.fields(TakeHeader)}
    for name in said:
        if name not in fields:
            raise ConfigError(f"{file} has an unknown key '{name}' in its header.{nearest_name(name, fields)}")
    for name, kind in fields.items():
        if name not in said or not _is_kind(said[name], kind):
            raise ConfigError(
                f"{file} has {name} = {said.get(name)!r} in its header, where {kind} belongs; copy the take again."
            )
    return TakeHeader(**said)


def read_lines(file: Path) -> Iterator[HopLine]:
    """Yield the lines after the header; the last one may have been cut off by a kill.

    Raises ConfigError, naming `file` and the line, for a damaged one.
    """
    with file.open(encoding="utf-8", errors="replace") as stream:
        next(stream, None)
        before = -1
        for number, text in enumerate(stream, start=2):
            line = _parse(text)
            if line is None and next(stream, None) is None and not text.endswith("\n"):
                return
            if line is None or line.hop < before:
                raise ConfigError(
                    f"{file} is damaged at line {number}; copy the take again, or delete that line and all that follow to "
                    "replay what came before."
                )
            before = line.hop
            yield line


def with_arrays(value: Any, folder: Path) -> Any:
    """Return what a happening says with its arrays read from `folder`. Raises ConfigError for one that is missing or damaged."""
    if isinstance(value, list):
        return [with_arrays(item, folder) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    said = cast(dict[str, Any], value)
    if set(said) != {_ARRAY}:
        return {name: with_arrays(item, folder) for name, item in said.items()}
    path = folder / ARRAYS / Path(str(said[_ARRAY])).name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The take lacks {path} ({error.strerror}); copy the whole folder again.") from error
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise ConfigError(f"{path} was altered or damaged; copy the whole folder of the take again.")
    return cast("NDArray[Any]", np.load(io.BytesIO(content), allow_pickle=False))


def _save_array(array: NDArray[Any], folder: Path) -> str:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    name = hashlib.sha256(content.getbuffer()).hexdigest() + ".npy"
    path = folder / ARRAYS / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        # Whole or not at all, however the process ends.
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content.getbuffer())
        unfinished.replace(path)
    return name


def _parse(text: str) -> HopLine | None:
    try:
        said: Any = json.loads(text)
        events = tuple(ControlEvent(str(name), int(number)) for name, number in said.pop("events", ()))
        line = HopLine(
            events=events,
            gone=tuple(said.pop("gone", ())),
            show_events=tuple(said.pop("show_events", None) or said.pop("happenings", ())),
            **said,
        )
    except (ValueError, TypeError, AttributeError):
        return None
    whole = all(type(number) is int and number >= -1 for number in (line.hop, line.heard, line.skipped))
    return line if whole and isinstance(cast(object, line.values), dict) else None


def _is_kind(value: object, annotation: str) -> bool:
    kinds = {"int": (int,), "str": (str,), "int | None": (int, type(None))}
    return type(value) in kinds.get(annotation, (dict,))


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return cast(Any, value).item()
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, Any], value))
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in the log of a take")
