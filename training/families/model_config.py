"""The configuration of a model, whose section `generator` has the type that the family brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.core.errors import TrainingError
from engine.core.structured import shown
from training.core.frame_size import FrameSize
from training.core.front_end import FrontEndConfig
from training.core.strict import build_config, config_dict
from training.families.registry import DEFAULT_FAMILY, family


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Everything that is needed to build a model; a checkpoint carries it."""

    name: str = "unnamed"
    family: str = DEFAULT_FAMILY
    fps: int = 20
    image_size: Any = 128
    """Pixels of a square's side, or a text WIDTHxHEIGHT, such as 640x360; sides are multiples of 8."""
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)
    generator: Any = None
    """An instance of the family's `generator_config`; None builds one of defaults."""

    def __post_init__(self) -> None:
        if self.fps < 1 or self.front_end.sample_rate_hz % self.fps:
            raise TrainingError(
                f"fps is {self.fps}; it must divide the sample rate of {self.front_end.sample_rate_hz} Hz (24000, as "
                "model.front_end.sample_rate_hz, can be divided by 20, 25, 30, 50 and 60)."
            )
        size = FrameSize.of(self.image_size, "model.image_size")
        size.check("model.image_size")
        object.__setattr__(self, "image_size", size.image_size)
        if self.generator is None:
            object.__setattr__(self, "generator", family(self.family).generator_config())

    @property
    def frame_size(self) -> FrameSize:
        """Rows and columns of a frame."""
        return FrameSize.of(self.image_size)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "model") -> ModelConfig:
        """Build from plain values. Raises TrainingError for unknown keys, wrong kinds and a family that is not there."""
        values = dict(values)
        if "generator" in values:
            kind = family(family_name(values, where)).generator_config
            values["generator"] = build_config(kind, values["generator"], f"{where}.generator")
        return build_config(cls, values, where)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the inverse of `from_dict`."""
        return config_dict(self)


def family_name(model: object, where: str = "model") -> str:
    """Return the family that the plain values of a model name. Raises TrainingError for a name that is no text."""
    name = model.get("family", DEFAULT_FAMILY) if isinstance(model, Mapping) else DEFAULT_FAMILY
    if not isinstance(name, str):
        raise TrainingError(f"'{where}.family' is {shown(name)}; a text was expected.")
    return name
