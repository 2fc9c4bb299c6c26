"""The training configuration: defaults < YAML file < flags, strict in every key and kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.core.errors import TrainingError
from engine.core.printable import printable
from engine.core.structured import dotted
from engine.core.yaml_reading import read_yaml
from training.core.precision import Precision
from training.core.strict import build_config, config_dict
from training.data.config import AugmentationConfig, ClipConfig, SamplesConfig
from training.data.video import ClipFormat
from training.families.model_config import ModelConfig, family_name
from training.families.registry import family

LONGEST_TITLE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimiserConfig:
    """Adam, for the generator and for both discriminators."""

    lr_generator: float = 1e-4
    lr_discriminator: float = 4e-4
    betas: tuple[float, float] = (0.3, 0.999)
    gradient_limit: float = 0.0
    """Longest gradient of the generator; a longer one is scaled down to it. 0 sets no limit."""
    lr_decay: Literal["none", "cosine"] = "none"
    """cosine falls to 5 % at the end of the budget (iterations or minutes, whichever ends first)."""
    ema_decay: float = 0.999
    """Of the running average of the generator's weights, which is what is validated and exported; 0 follows at once."""

    def __post_init__(self) -> None:
        if self.lr_generator <= 0 or self.lr_discriminator <= 0:
            raise TrainingError(
                f"optimiser.lr_generator is {self.lr_generator} and lr_discriminator {self.lr_discriminator}; both must be positive."
            )
        for name, value in (("betas[0]", self.betas[0]), ("betas[1]", self.betas[1]), ("ema_decay", self.ema_decay)):
            if not 0.0 <= value < 1.0:
                raise TrainingError(f"optimiser.{name} is {value}; at least 0 and below 1 was expected.")


@dataclass(frozen=True, kw_only=True, slots=True)
class IntervalConfig:
    """Every how many iterations; 0 means only at the end."""

    log: int = 50
    sample: int = 1000
    """Validation, contact sheet and video."""
    checkpoint: int = 1000
    checkpoints_kept: int = 2
    """Older ones are deleted."""
    milestone: int = 10000
    """A checkpoint that is never deleted; 0 leaves none."""

    def __post_init__(self) -> None:
        if min(self.log, self.sample, self.checkpoint, self.milestone) < 0 or self.checkpoints_kept < 1:
            raise TrainingError("intervals must be 0 or more, and intervals.checkpoints_kept at least 1.")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Everything a run needs; a checkpoint carries it."""

    model: ModelConfig = field(default_factory=ModelConfig)
    discriminator: Any = None
    """An instance of the family's `discriminator_config`; None builds one of defaults."""
    clip: ClipConfig = field(default_factory=ClipConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    losses: Any = None
    """An instance of the family's `loss_config`; None builds one of defaults."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    intervals: IntervalConfig = field(default_factory=IntervalConfig)
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    sequence_frames: int = 16
    sequences_per_batch: int = 1
    """Training streams: they read the clip at different places, each with its own carried state."""
    total_iterations: int = 50000
    minutes: float | None = None
    """A limit of time beside that of iterations."""
    precision: Precision = "float32"
    """bfloat16 (mixed) is about twice as fast on GPUs and on processors that know it (avx512_bf16, amx)."""
    compile: bool = False
    """torch.compile for the generator; starting takes a minute or more."""
    seed: int = 0
    threads: int = 0
    """CPU threads of torch; 0 leaves its default."""
    deterministic: bool = False
    """Train alike every time, bit-exact, on a CPU; `threads` 0 then means 1, and the budget is in iterations alone."""
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        own = family(self.model.family)
        if self.discriminator is None:
            object.__setattr__(self, "discriminator", own.discriminator_config())
        if self.losses is None:
            object.__setattr__(self, "losses", own.loss_config())
        for name in ("sequence_frames", "sequences_per_batch", "total_iterations"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} is {getattr(self, name)}; 1 or more was expected.")
        if self.deterministic and self.minutes is not None:
            raise TrainingError(
                f"deterministic is true and minutes {self.minutes}; a run that ends by the clock is never the same "
                "twice: leave minutes out and give total_iterations."
            )
        if self.minutes is not None and self.minutes <= 0:
            raise TrainingError(f"minutes is {self.minutes}; more than 0 was expected.")
        own.check(self)

    def clip_format(self) -> ClipFormat:
        """Return how the clip is cut and sampled for this model."""
        return ClipFormat(
            fps=self.model.fps,
            image_size=self.model.image_size,
            sample_rate_hz=self.model.front_end.sample_rate_hz,
            crop=self.clip.crop,
        )

    def clip_title(self) -> str:
        """Return the clip's title, by default its file's name, as a model card may have it: printable."""
        if self.clip.title or not self.clip.path:
            return printable(self.clip.title or "unknown", LONGEST_TITLE)
        more = f" and {len(self.clip.more)} more" if self.clip.more else ""
        return printable(Path(self.clip.path).name + more, LONGEST_TITLE)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build from plain values. Raises TrainingError for unknown keys and wrong kinds."""
        values = dict(values)
        own = family(family_name(values.get("model")))
        if isinstance(values.get("model"), Mapping):
            values["model"] = ModelConfig.from_dict(values["model"])
        for section, kind in (("discriminator", own.discriminator_config), ("losses", own.loss_config)):
            if section in values:
                values[section] = build_config(kind, values[section], section)
        return build_config(cls, values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the inverse of `from_dict`."""
        return config_dict(self)


def load_train_config(path: Path, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """Read a YAML file and put `overrides` (dotted key -> value) over it.

    Raises TrainingError for a file that is missing or no mapping, and for unknown keys and wrong kinds.
    """
    try:
        values = read_yaml(path)
    except OSError as error:
        raise TrainingError(
            f"Cannot read the configuration {path}: {error.strerror}; configs/train/ has some."
        ) from error
    except ValueError as error:
        raise TrainingError(f"{path} is not YAML: {error}.") from error
    if not isinstance(values, dict):
        raise TrainingError(f"{path} holds {type(values).__name__}; a mapping of settings was expected.")
    try:
        return TrainConfig.from_dict(with_overrides(values, overrides or {}))
    except TrainingError as error:
        at_fault = f"{path}: {error}"
        if overrides and _is_sound(values):
            at_fault = f"{str(error).rstrip('.')} (asked for beside {path.name}; docs/options.md lists the settings)."
        raise TrainingError(at_fault) from error


def keys_of(path: Path) -> frozenset[str]:
    """Return the dotted keys of all settings in a YAML file that `load_train_config` has read."""
    return frozenset(_dotted(read_yaml(path)))


def _dotted(values: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, dotted(where, key))
        else:
            yield dotted(where, key)


def _is_sound(values: Mapping[str, Any]) -> bool:
    """Tell whether a configuration file is in order by itself, so that what came with it must be at fault."""
    try:
        TrainConfig.from_dict(values)
    except TrainingError:
        return False
    return True


def with_overrides(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with dotted keys ("losses.l1") set; neither argument is changed."""
    merged = dict(values)
    for key, value in overrides.items():
        head, _, rest = key.partition(".")
        if rest:
            inner = merged.get(head)
            merged[head] = with_overrides(inner if isinstance(inner, Mapping) else {}, {rest: value})
        else:
            merged[head] = value
    return merged
