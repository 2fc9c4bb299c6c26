"""The contract of a model file: what one step takes and gives, stored as JSON in the ONNX metadata.

One step takes `audio` [window_samples], one float32 scalar per control, one array per noise and one per state, and gives
`frame` uint8 [height, width, 3] RGB, `features` float32 [bands] and `NAME_next` per state. Names are the contract, never
positions. See docs/design.md §2.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from engine.core.errors import ModelFileError, nearest_name

FORMAT_VERSION = 2
MOST_PSNR_DB = 100.0
METADATA_KEY = "fluid_model_card"
NEXT_SUFFIX = "_next"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class StateSpec:
    """Something the model remembers between steps."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32"] = "float32"
    initial: float = 0.0
    """Every element of the initial state has this value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseSpec:
    """A random input that the engine draws anew each step from (seed, step index)."""

    name: str
    shape: tuple[int, ...]
    distribution: Literal["normal", "uniform"]
    """normal: mean 0, deviation 1. uniform: [0, 1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlSpec:
    """A knob of the model's own; it appears in the command line, OSC and every other view by itself."""

    name: str
    help: str
    low: float
    high: float
    default: float
    unit: str = ""

    def __post_init__(self) -> None:
        if not (self.low <= self.default <= self.high):
            raise ModelFileError(
                f"Control '{self.name}' has default {self.default} outside its range {self.low} to {self.high}; export the model again."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """Largest and root-mean-square difference between this file and torch over `steps` carried steps."""

    steps: int
    frame_max: float
    """Of the picture in [-1, 1] before it is rounded to bytes."""
    frame_rms: float
    state_max: float
    """Of all states after the last step."""
    sound: str
    """What was played during the comparison."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """How far the file was from float32 torch at one carried step of real sound, each carrying its own states."""

    step: int
    """Counted from 1."""
    psnr_db: float
    """Of the pictures as shown, in 8 bits; at most MOST_PSNR_DB, which means equal."""
    frame_max: float
    """Largest difference of the pictures, in levels of 255."""
    state_max: float
    """Largest difference of all states."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where the model comes from."""

    source: str
    """Title of the clip it was taught."""
    licence: str
    config: str
    """The training configuration's name."""
    commit: str
    iterations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """One input or output of a graph as a backend reports it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """numpy's name: float32, uint8."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    """Everything the engine has to know about a model file."""

    format_version: int = FORMAT_VERSION
    name: str
    family: str
    sample_rate_hz: int
    window_samples: int
    hop_samples: int
    look_ahead_s: float
    height: int
    width: int
    feature_bands: int
    states: tuple[StateSpec, ...]
    noises: tuple[NoiseSpec, ...]
    controls: tuple[ControlSpec, ...]
    rooms: int = 1
    """So many rooms or screens take their step together: a leading axis on every input and output; none when 1."""
    precision: Literal["float32", "float16", "bfloat16", "int8"] = "float32"
    """What the graph computes in; front end, norms and states are float32 in all of them."""
    calibration: str = ""
    """Of int8: the sound that its ranges were measured on, and how long; empty for the others."""
    passes: tuple[str, ...] = ()
    """The graph rewrites that were applied, by name, in order."""
    graph_sha256: str = ""
    """Of the file's bytes outside its metadata: a file that was altered afterwards is refused. Empty where no file is described."""
    parity: Parity
    drift: tuple[Drift, ...] = ()
    provenance: Provenance

    def __post_init__(self) -> None:
        for field in ("sample_rate_hz", "window_samples", "hop_samples", "height", "width", "feature_bands", "rooms"):
            if getattr(self, field) <= 0:
                raise ModelFileError(
                    f"The model card says {field} = {getattr(self, field)}; it must be positive. Export the model again."
                )
        if self.precision == "int8" and not self.calibration:
            raise ModelFileError(
                "The model card says precision int8 without a record of its calibration; quantise the model again with "
                "python -m export.to_onnx CHECKPOINT --precision int8 --calibrate SOUND."
            )
        names = ["audio", *(spec.name for spec in (*self.states, *self.noises, *self.controls))]
        for name in names:
            if not _NAME.fullmatch(name) or names.count(name) > 1:
                raise ModelFileError(
                    f"The model card's input name '{name}' is malformed or used twice; export the model again."
                )

    @property
    def fps(self) -> float:
        """Frames a second: one frame a hop."""
        return self.sample_rate_hz / self.hop_samples

    @property
    def hop_s(self) -> float:
        """Seconds of sound between frames."""
        return self.hop_samples / self.sample_rate_hz

    def inputs(self) -> tuple[TensorInfo, ...]:
        """List the inputs that the graph must have."""
        return self._for_all_rooms(
            TensorInfo(name="audio", shape=(self.window_samples,), dtype="float32"),
            *(TensorInfo(name=c.name, shape=(), dtype="float32") for c in self.controls),
            *(TensorInfo(name=n.name, shape=n.shape, dtype="float32") for n in self.noises),
            *(TensorInfo(name=s.name, shape=s.shape, dtype=s.dtype) for s in self.states),
        )

    def outputs(self) -> tuple[TensorInfo, ...]:
        """List the outputs that the graph must have."""
        return self._for_all_rooms(
            TensorInfo(name="frame", shape=(self.height, self.width, 3), dtype="uint8"),
            TensorInfo(name="features", shape=(self.feature_bands,), dtype="float32"),
            *(TensorInfo(name=s.name + NEXT_SUFFIX, shape=s.shape, dtype=s.dtype) for s in self.states),
        )

    def _for_all_rooms(self, *infos: TensorInfo) -> tuple[TensorInfo, ...]:
        rooms = (self.rooms,) if self.rooms > 1 else ()
        return tuple(dataclasses.replace(info, shape=(*rooms, *info.shape)) for info in infos)

    def to_json(self) -> str:
        """Return the card as JSON, as stored under METADATA_KEY."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str, file: str) -> Self:
        """Read a card. Raises ModelFileError, naming `file`, for text of another version or with wrong, missing or unknown keys."""
        try:
            values: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelFileError(f"{file}: the model card is not JSON ({error}); export the model again.") from error
        version = cast(dict[str, Any], values).get("format_version") if isinstance(values, dict) else None
        if version != FORMAT_VERSION:
            raise ModelFileError(
                f"{file} has model card version {version}; this engine plays version {FORMAT_VERSION}. "
                f"Export the checkpoint again with: python -m export.to_onnx CHECKPOINT -o {file}"
            )
        try:
            return _build(cls, values)
        except ModelFileError as error:
            raise ModelFileError(f"{file}: {error}") from error


# The nested dataclasses of a card; a list of one of them is stored as a JSON list.
_NESTED: dict[str, type] = {
    "states": StateSpec,
    "noises": NoiseSpec,
    "controls": ControlSpec,
    "parity": Parity,
    "drift": Drift,
    "provenance": Provenance,
}
_KINDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


def _build(kind: type, values: Any) -> Any:
    """Build the dataclass `kind` from decoded JSON, checking keys and kinds."""
    if not isinstance(values, dict):
        raise ModelFileError(
            f"the model card holds {values!r} where a {kind.__name__} belongs; export the model again."
        )
    fields = {field.name: field for field in dataclasses.fields(kind)}
    values = cast(dict[str, Any], values)
    for key in values:
        if key not in fields:
            raise ModelFileError(
                f"the model card has an unknown key '{key}'.{nearest_name(key, fields)} Export the model again."
            )
    built: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in values:
            raise ModelFileError(f"the model card lacks '{key}'; export the model again.")
        built[key] = _build_value(key, str(field.type), values[key])
    return kind(**built)


def _build_value(key: str, annotation: str, value: Any) -> Any:
    if key in _NESTED:
        if not annotation.startswith("tuple"):
            return _build(_NESTED[key], value)
        if not isinstance(value, list):
            raise ModelFileError(f"the model card's '{key}' is {value!r}; a list was expected. Export the model again.")
        return tuple(_build(_NESTED[key], item) for item in cast(list[Any], value))
    if annotation.startswith("tuple[int"):
        items = cast(list[Any], value) if isinstance(value, list) else [None]
        if all(type(item) is int and item > 0 for item in items):
            return tuple(items)
        raise ModelFileError(
            f"the model card's '{key}' is {value!r}; a list of positive integers was expected. Export the model again."
        )
    if annotation.startswith("tuple[str"):
        words = cast(list[Any], value) if isinstance(value, list) else [None]
        if all(isinstance(word, str) for word in words):
            return tuple(words)
        raise ModelFileError(
            f"the model card's '{key}' is {value!r}; a list of words was expected. Export the model again."
        )
    allowed = re.findall(r'[\'"](\w+)[\'"]', annotation)
    expected = _KINDS.get(annotation, (str,))
    if (
        isinstance(value, bool)
        or not isinstance(value, expected)
        or (allowed and value not in allowed)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise ModelFileError(
            f"the model card's '{key}' is {value!r}; {' or '.join(allowed) or annotation} was expected. Export the model again."
        )
    return float(value) if annotation == "float" else value


def check_graph(card: ModelCard, inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...], file: str) -> None:
    """Raise ModelFileError, naming `file` and the first disagreement, unless the graph has just the card's inputs and outputs."""
    for side, expected, found in (("input", card.inputs(), inputs), ("output", card.outputs(), outputs)):
        by_name = {info.name: info for info in found}
        for info in expected:
            if info.name not in by_name:
                raise ModelFileError(
                    f"{file}: the card declares {side} '{info.name}', which the graph lacks; export the model again."
                )
            came = by_name[info.name]
            if came.shape != info.shape or came.dtype != info.dtype:
                raise ModelFileError(
                    f"{file}: {side} '{info.name}' is {came.dtype} {list(came.shape)} in the graph, "
                    f"but {info.dtype} {list(info.shape)} in the card; export the model again."
                )
        for name in by_name:
            if name not in {info.name for info in expected}:
                raise ModelFileError(
                    f"{file}: the graph has {side} '{name}', which the card does not declare; export the model again."
                )
