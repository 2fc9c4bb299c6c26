"""The log of a take: a header, then a line for each hop where something changed, and one every half second in any case.

    {"take": {...TakeHeader...}}
    {"hop": 0, "received_samples": 2400, "values": {"gain_db": 0.0, ...}}
    {"hop": 31, "received_samples": 76800, "skipped_hops": 2, "values": {"gain_db": 6.0}, "events": [["scene", 3]]}
    {"hop": 47, "received_samples": 115200, "early_samples": [37632]}
    {"hop": 60, "received_samples": 146400, "failed": true, "beat_points": [[48612, 2.25, 120.0, true]]}
    {"end": "the show is over", "hop": 99, "received_samples": 240000}

Arrays (the state of a scene) lie beside the log; see take_arrays.py. engine/takes/take_log_reading.py reads a log again.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.beat_clock import BeatPoint
from engine.audio.gain_state import GainState, is_possible
from engine.audio.input_layout import MOST_INPUTS, UNNAMED, InputLayout, SoundInput
from engine.audio.source import Source
from engine.control.parameter import Value
from engine.control.parameter_store import ControlEvent
from engine.core.errors import ConfigError
from engine.core.show_event import ShowEvent
from engine.core.structured import plain_values, shortened, shown
from engine.model.backend import Backend
from engine.takes.take_arrays import is_array, save_array

FORMAT_VERSION = 7
LOG, SOUND = "log.jsonl", "sound.caf"

MOST_EARLIER_HOPS = 1 << 40
LONGEST_LEAD_IN_S = 60.0
_LIBRARIES = ("numpy", "onnxruntime", "onnxruntime-gpu", "openvino", "av", "opencv-python")
_LARGEST: Mapping[str, int] = MappingProxyType(
    {
        "sample_rate_hz": 768_000,
        "hop_samples": 1 << 20,
        "source_rate_hz": 768_000,
        "source_channels": 256,
        "threads": 4096,
    }
)
"""More than any show has: buffers are made of these sizes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeHeader:
    """What a show began with. Raises ConfigError for a number that no show can have."""

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
    backend: str
    description: str
    """The backend with its device or threads, for people."""
    threads: int | None
    versions: Mapping[str, str]
    """Of Python and of the libraries that make the frames."""
    settings: Mapping[str, Any]
    mappings: Mapping[str, str]
    """Expressions by the parameter that they move."""
    inputs: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict[str, tuple[int, ...]])
    """The channels of each named input in the sound, from 0, in the order of the show; none without names."""
    model_input: str = ""
    """The name of the input that the model got, or "mix"; empty without names."""
    earlier_hops: int = 0
    """Hops of the show before the take."""
    lead_in_hops: int = 0
    """How many of them have their sound at the beginning of the file, for windows that reach back."""
    lead_in_samples: int = 0
    """That sound, in samples of the source."""
    gain: GainState | None = None
    """Where conditioning was at the beginning; None at the start of a show."""
    gain_curve: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The gain of each sample of the window before, an array of the take; empty where it was 1."""

    context_sha256: str = ""
    """Checksum of the file that models looked at (see ShowContext); empty for a camera, for none, and in older takes."""

    @property
    def context(self) -> str | None:
        """What the show's models looked at: the path of a file, or a camera."""
        given: str | None = self.settings.get("context")
        return given or None

    @property
    def layout(self) -> InputLayout:
        """The show's inputs."""
        return InputLayout(tuple(SoundInput(name, columns) for name, columns in self.inputs.items()), self.model_input)

    def __post_init__(self) -> None:
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= largest:
                raise ConfigError(f"'{name}' is {shown(value)}; a whole number from 1 to {largest} was expected.")
        if len(self.inputs) > MOST_INPUTS:
            raise ConfigError(f"'inputs' has {len(self.inputs)} names; at most {MOST_INPUTS} were expected.")
        for name, columns in self.inputs.items():
            if not columns or not all(0 <= column < self.source_channels for column in columns):
                raise ConfigError(
                    f"'inputs.{shortened(name)}' is {shown(list(columns))}; numbers from 0 to {self.source_channels - 1} were expected."
                )
        self._check_beginning()
        context = self.settings.get("context")
        if context is not None and not isinstance(context, str):
            raise ConfigError(f"'settings.context' is {shown(context)}; a text was expected.")
        # Raises ConfigError for a model input that there is not.
        _ = self.layout

    def _check_beginning(self) -> None:
        """Raise ConfigError for a beginning within a show that there cannot be."""
        if not 0 <= self.earlier_hops <= MOST_EARLIER_HOPS:
            raise ConfigError(
                f"'earlier_hops' is {shown(self.earlier_hops)}; a whole number from 0 to {MOST_EARLIER_HOPS} was expected."
            )
        if not 0 <= self.lead_in_hops <= self.earlier_hops:
            raise ConfigError(
                f"'lead_in_hops' is {shown(self.lead_in_hops)}; a whole number from 0 to {self.earlier_hops} was expected."
            )
        lead_in_s = self.lead_in_hops * self.hop_samples / self.sample_rate_hz
        samples = round(lead_in_s * self.source_rate_hz)
        if lead_in_s > LONGEST_LEAD_IN_S or abs(self.lead_in_samples - samples) > 1:
            raise ConfigError(
                f"'lead_in_samples' is {shown(self.lead_in_samples)} for {self.lead_in_hops} hops; about {samples} samples of "
                f"at most {LONGEST_LEAD_IN_S:g} s were expected."
            )
        if self.gain is not None and not is_possible(self.gain):
            raise ConfigError(f"'gain' is {shown(self.gain)}; values that conditioning can have were expected.")
        if self.gain_curve and not is_array(self.gain_curve):
            raise ConfigError(f"'gain_curve' is {shown(dict(self.gain_curve))}; an array of the take was expected.")


@dataclass(frozen=True, kw_only=True, slots=True)
class HopLine:
    """One hop that was played."""

    hop: int
    received_samples: int
    """Samples that the source had given by then, at its own rate."""
    skipped_hops: int = 0
    """Hops before it that were never stepped."""
    failed: bool = False
    """Whether its step failed and the last frame was held."""
    values: Mapping[str, Value] = dataclasses.field(default_factory=dict[str, Value])
    """Parameters that changed or are new."""
    removed: tuple[str, ...] = ()
    """Parameters that no longer exist."""
    events: tuple[ControlEvent, ...] = ()
    beat_points: tuple[BeatPoint, ...] = ()
    """Where the clock that was followed was, by the sound."""
    show_events: tuple[ShowEvent, ...] = ()
    early_samples: tuple[int, ...] = ()
    """Where the sound of each early step since the hop before ended, counted since the start at the model's rate."""
    end: str | None = None
    """Why the take ends here; the hop is then the last one, repeated."""


def take_header(
    backend: Backend,
    source: Source,
    *,
    layout: InputLayout = UNNAMED,
    model: str,
    date: str,
    threads: int | None = None,
    settings: Mapping[str, Any] | None = None,
    mappings: Mapping[str, str] | None = None,
    context_sha256: str = "",
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
        backend=backend.name,
        description=backend.description,
        threads=threads,
        versions=versions(),
        settings=dict(settings or {}),
        mappings=dict(mappings or {}),
        inputs={one.name: one.columns for one in layout.inputs},
        model_input=layout.model_input,
        context_sha256=context_sha256,
    )


@cache
def versions() -> Mapping[str, str]:
    """Return the installed versions of Python and of the libraries that make the frames."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return MappingProxyType(found)


def write_header(header: TakeHeader) -> str:
    """Return the first line."""
    fields = {field.name: getattr(header, field.name) for field in dataclasses.fields(header)}
    return json.dumps({"take": fields}, separators=(",", ":"), default=_plain) + "\n"


def write_line(line: HopLine, folder: Path) -> str:
    """Return one line; its arrays are written to files in `folder`. Raises OSError."""

    def plain(value: object) -> object:
        return save_array(cast("NDArray[Any]", value), folder) if isinstance(value, np.ndarray) else _plain(value)

    fields: dict[str, Any] = {} if line.end is None else {"end": line.end}
    fields |= {"hop": line.hop, "received_samples": line.received_samples}
    for name in (
        "skipped_hops",
        "failed",
        "values",
        "removed",
        "events",
        "beat_points",
        "show_events",
        "early_samples",
    ):
        if getattr(line, name):
            fields[name] = getattr(line, name)
    return json.dumps(fields, separators=(",", ":"), default=plain) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return cast(Any, value).item()
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, Any], value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, GainState):
        return plain_values(value)
    raise TypeError(f"{type(value).__name__} does not belong in the log of a take")
