"""The model card: what one step of a model file takes and gives, stored as JSON in the ONNX metadata.

One step takes `audio` [window_samples], one float32 scalar for each control and one array for each noise, state and picture. It
gives `frame` uint8 [height, width, 3] RGB, `features` float32 [feature_bands], `NAME_next` for each state and whatever further
outputs the card declares. A layered model (layers.py) gives no `frame`: it is composed of these outputs. Names are the contract, never positions. See docs/design.md §2.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

from engine.core.errors import ModelFileError
from engine.core.osc_names import ENGINE_ADDRESSES
from engine.core.structured import parse_json, shown
from engine.model.card_limits import MOST_PIXELS, check_limits, check_step_size
from engine.model.card_values import build_dataclass
from engine.model.control_effect import ControlEffect
from engine.model.layers import LayersSpec, TextureSpec
from engine.model.training_sound import BandRange, TrainingSound

FORMAT_VERSION = 4
READ_VERSIONS = (2, 3, FORMAT_VERSION)
"""Cards of these versions are read; a card of version 2 says `rooms` for `batch`."""
MOST_PSNR_DB = 100.0
_COMPOSING_MAPS = 5  # Of two numbers a pixel, beside those of the textures: engine/model/compositor.py.
METADATA_KEY = "fluid_model_card"
NEXT_SUFFIX = "_next"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class StateSpec:
    """A tensor that the model carries from step to step."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32"] = "float32"
    initial: float = 0.0
    """Every element of the initial state has this value."""

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseSpec:
    """A random input that the engine draws for each step from (seed, step index)."""

    name: str
    shape: tuple[int, ...]
    distribution: Literal["normal", "uniform"]
    """normal: mean 0, standard deviation 1. uniform: [0, 1)."""

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlSpec:
    """A control input. The engine makes a parameter of it, with a command-line flag and an OSC address."""

    name: str
    help: str
    low: float
    high: float
    default: float
    unit: str = ""

    def __post_init__(self) -> None:
        check_limits(self)
        if self.name in ENGINE_ADDRESSES:
            raise ModelFileError(
                f"Control '{self.name}' has the name of an address that the engine itself answers; rename it and export the model again."
            )
        if not (self.low <= self.default <= self.high):
            raise ModelFileError(
                f"Control '{self.name}' has default {self.default} outside its range {self.low} to {self.high}; export the model again."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureSpec:
    """A picture that the model looks at, uint8 [height, width, 3] RGB: a still or the camera. Black where there is no source."""

    name: str
    height: int
    width: int
    help: str

    def __post_init__(self) -> None:
        check_limits(self)
        _check_pixels(f"Picture '{self.name}'", self.height, self.width)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputSpec:
    """An output beside `frame`, `features` and the next states, such as a mask or a depth map."""

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32", "uint8"]
    help: str

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """Largest and root-mean-square difference between this file and torch over `steps` carried steps."""

    steps: int
    frame_max: float
    """Of the frame in [-1, 1], before it is rounded to bytes."""
    frame_rms: float
    state_max: float
    """Of all states after the last step."""
    sound: str
    """The sound that was played for the comparison."""

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """Difference between the file and float32 torch at one step of real sound. Each side carries its own states."""

    step: int
    """Counted from 1."""
    psnr_db: float
    """Of the frames as shown, in 8 bits; at most MOST_PSNR_DB, which means equal."""
    frame_max: float
    """Largest difference of the frames, in levels of 255."""
    state_max: float
    """Largest difference of all states."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where the model comes from."""

    source: str
    """Title of the clip that the model was trained on."""
    licence: str
    config: str
    """Name of the training configuration."""
    commit: str
    iterations: int

    def __post_init__(self) -> None:
        check_limits(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """Name, shape and type of one input or output of a graph."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As numpy names it: float32, uint8."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSignature:
    """The inputs of one step. A new kind of input is declared here and gets its value at rest in engine/model/step.py."""

    window_samples: int
    controls: tuple[ControlSpec, ...]
    noises: tuple[NoiseSpec, ...]
    states: tuple[StateSpec, ...]
    pictures: tuple[PictureSpec, ...] = ()
    fixed_controls: tuple[ControlSpec, ...] = ()
    """Control inputs that are no parameters, since they change the frames too little: they stay at their default. The replay of a take
    that was recorded while they were parameters gives them the recorded values."""
    batch: int = 1
    """Slots that are stepped together: a leading axis on every input and output. There is no such axis when it is 1."""

    def input_tensors(self) -> tuple[TensorInfo, ...]:
        """List the inputs that the graph must have."""
        return self._batched(
            TensorInfo(name="audio", shape=(self.window_samples,), dtype="float32"),
            *(TensorInfo(name=c.name, shape=(), dtype="float32") for c in (*self.controls, *self.fixed_controls)),
            *(TensorInfo(name=n.name, shape=n.shape, dtype="float32") for n in self.noises),
            *(TensorInfo(name=p.name, shape=(p.height, p.width, 3), dtype="uint8") for p in self.pictures),
            *(TensorInfo(name=s.name, shape=s.shape, dtype=s.dtype) for s in self.states),
        )

    def _batched(self, *infos: TensorInfo) -> tuple[TensorInfo, ...]:
        axes = (self.batch,) if self.batch > 1 else ()
        return tuple(dataclasses.replace(info, shape=(*axes, *info.shape)) for info in infos)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard(StepSignature):
    """Everything that the engine has to know about a model file."""

    format_version: int = FORMAT_VERSION
    name: str
    family: str
    sample_rate_hz: int
    hop_samples: int
    look_ahead_s: float
    height: int
    width: int
    feature_bands: int
    control_effects: tuple[ControlEffect, ...] = ()
    """Of all controls that the model was trained with; those that are not among `controls` were left out."""
    outputs: tuple[OutputSpec, ...] = ()
    """Outputs beside the frame, the features and the next states."""
    layers: LayersSpec | None = None
    """What the frame is composed of; None for a graph that gives it whole."""
    precision: Literal["float32", "float16", "bfloat16", "int8"] = "float32"
    """What the graph computes in. Front end, norms and states are float32 in all of them."""
    calibration: str = ""
    """Of int8: the sound that its ranges were measured on, and its length. Empty for the others."""
    passes: tuple[str, ...] = ()
    """Names of the graph rewrites that were applied, in order."""
    graph_sha256: str = ""
    """Checksum of the file without its metadata; a file that differs from it is refused. Empty for a card without a file."""
    parity: Parity
    drift: tuple[Drift, ...] = ()
    trained_fps: float = 0.0
    """Steps a second in training, where the file takes more of them; 0: as many."""
    provenance: Provenance
    training_sound: TrainingSound | None = None
    """Levels of the sound that it was trained on; None in files that do not say."""

    def __post_init__(self) -> None:
        check_limits(self)
        _check_pixels("The frame", self.height, self.width)
        if self.precision == "int8" and not self.calibration:
            raise ModelFileError(
                "The model card says precision int8 but records no calibration; quantise the model again with "
                "python -m export.to_onnx CHECKPOINT --precision int8 --calibrate SOUND."
            )
        _check_names("input", [info.name for info in self.input_tensors()])
        _check_names("output", [info.name for info in self.output_tensors()])
        if self.layers is not None:
            self.layers.check_outputs({output.name: (output.shape, output.dtype) for output in self.outputs})
        check_step_size((*self.input_tensors(), *self.output_tensors(), *self._composing_tensors()))
        for output in self.outputs:
            if output.name.endswith(NEXT_SUFFIX):
                raise ModelFileError(
                    f"The model card's output '{output.name}' ends in {NEXT_SUFFIX}, which only next states do; "
                    "export the model again with another name."
                )

    def _composing_tensors(self) -> tuple[TensorInfo, ...]:
        """Return what the compositor of a layered model holds: frames, and places in textures of each size beside its own memory."""
        if self.layers is None:
            return ()
        maps, size = self.layers.texture_sizes + _COMPOSING_MAPS, (self.height, self.width)
        frame = self._batched(TensorInfo(name="frame", shape=(*size, 3), dtype="uint8"))
        return (*frame, TensorInfo(name="places", shape=(maps, *size, 2), dtype="float32"))

    @property
    def fps(self) -> float:
        """Frames per second: one frame each hop."""
        return self.sample_rate_hz / self.hop_samples

    @property
    def hop_s(self) -> float:
        """Seconds of sound between frames."""
        return self.hop_samples / self.sample_rate_hz

    @property
    def left_out(self) -> tuple[ControlEffect, ...]:
        """The controls that were measured and are no parameters."""
        kept = {control.name for control in self.controls}
        return tuple(effect for effect in self.control_effects if effect.name not in kept)

    @property
    def shown_names(self) -> tuple[str, ...]:
        """Names of all outputs but the next states."""
        frame = () if self.layers else ("frame",)
        return (*frame, "features", *(output.name for output in self.outputs))

    def output_tensors(self) -> tuple[TensorInfo, ...]:
        """List the outputs that the graph must have."""
        frame = TensorInfo(name="frame", shape=(self.height, self.width, 3), dtype="uint8")
        return self._batched(
            *(() if self.layers else (frame,)),
            TensorInfo(name="features", shape=(self.feature_bands,), dtype="float32"),
            *(TensorInfo(name=o.name, shape=o.shape, dtype=o.dtype) for o in self.outputs),
            *(TensorInfo(name=s.name + NEXT_SUFFIX, shape=s.shape, dtype=s.dtype) for s in self.states),
        )

    def to_json(self) -> str:
        """Return the card as JSON, as stored under METADATA_KEY."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str, file: str) -> Self:
        """Read a card of one of READ_VERSIONS.

        Raises ModelFileError, naming `file`, for text of another version or with wrong, missing or unknown keys.
        """
        try:
            values: Any = parse_json(text)
        except ValueError as error:
            reason = str(error).partition(" (char")[0][:100]
            raise ModelFileError(f"{file}: the model card is not JSON ({reason}); export the model again.") from error
        return cls.from_values(values, file)

    @classmethod
    def from_values(cls, values: Any, file: str) -> Self:
        """Build a card from the decoded values of its JSON. Raises ModelFileError as `from_json` does."""
        version = cast(dict[str, Any], values).get("format_version") if isinstance(values, dict) else None
        if type(version) is not int or version not in READ_VERSIONS:
            raise ModelFileError(
                f"{file} has model card version {shown(version)}; this engine plays versions {READ_VERSIONS[0]} to {READ_VERSIONS[-1]}. "
                f"Export the checkpoint again with: python -m export.to_onnx CHECKPOINT -o {file}"
            )
        try:
            return build_dataclass(cls, _of_this_version(cast(dict[str, Any], values)), _NESTED)
        except ModelFileError as error:
            raise ModelFileError(f"{file}: {error}") from error


_NESTED: dict[str, type] = {
    "states": StateSpec,
    "noises": NoiseSpec,
    "controls": ControlSpec,
    "fixed_controls": ControlSpec,
    "control_effects": ControlEffect,
    "pictures": PictureSpec,
    "outputs": OutputSpec,
    "layers": LayersSpec,
    "textures": TextureSpec,
    "parity": Parity,
    "drift": Drift,
    "provenance": Provenance,
    "training_sound": TrainingSound,
    "bands": BandRange,
}
"""The nested dataclasses of a card."""
_ADDED: dict[int, dict[str, Any]] = {
    3: {"pictures": [], "outputs": []},
    4: {
        "fixed_controls": [],
        "control_effects": [],
        "layers": None,
        "training_sound": None,
        "trained_fps": 0.0,
    },
}
"""The keys that each version added, with the values that cards of earlier versions get."""


def _of_this_version(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a card as this version names them."""
    version = values["format_version"]
    renamed = {("batch" if key == "rooms" and version == 2 else key): value for key, value in values.items()}
    added = {key: value for later, keys in _ADDED.items() if later > version for key, value in keys.items()}
    # Keys of the newest version have defaults, and a file that was written before one was added lacks it.
    newest = _ADDED[FORMAT_VERSION] if version == FORMAT_VERSION else {}
    return {**newest, **renamed, **added, "format_version": FORMAT_VERSION}


def _check_names(side: str, names: list[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            raise ModelFileError(
                f"The model card's {side} name {name!a} is malformed or used twice; export the model again."
            )


def _check_pixels(what: str, height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise ModelFileError(
            f"{what} of the model card has {width}x{height} pixels; at most {MOST_PIXELS:,} were expected. Export the model again."
        )


def check_graph(card: ModelCard, inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...], file: str) -> None:
    """Raise ModelFileError, naming `file` and the first difference, unless the graph has exactly the card's inputs and outputs."""
    for side, expected, found in (("input", card.input_tensors(), inputs), ("output", card.output_tensors(), outputs)):
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
