"""What a family of generators brings: everything that training and export ask of it.

A family is the folder training/families/NAME whose module `family` defines FAMILY, an object with the members of `Family`.
`registry.family(NAME)` finds it; nothing lists the families. The model itself (controls, noises, states and sizes for the
model card) is described by `training.core.streaming.StreamingModel`, which every family subclasses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.core.streaming import StreamingModel
from training.families.model_config import ModelConfig
from training.families.registry import family
from training.families.rewriting import Rewrites
from training.families.teaching import Teaching


class Family(Protocol):
    """One family of streaming generators."""

    @property
    def name(self) -> str:
        """Name of its folder; configurations, checkpoints and model cards carry it."""
        ...

    @property
    def generator_config(self) -> type[Any]:
        """Frozen dataclass of the section `model.generator`. It raises TrainingError for values that cannot be."""
        ...

    @property
    def discriminator_config(self) -> type[Any]:
        """Frozen dataclass of the section `discriminator`."""
        ...

    @property
    def loss_config(self) -> type[Any]:
        """Frozen dataclass of the section `losses`: `training.losses.losses.LossConfig`, or one of the family's own."""
        ...

    @property
    def trainer(self) -> type[Any]:
        """Subclass of `training.loop.trainer.Trainer`, which says what a subclass brings: losses, batches, validation.

        With `LossConfig` it is `training.loop.adversarial_trainer.AdversarialTrainer`, or a subclass of that.
        """
        ...

    @property
    def kept_controls(self) -> frozenset[str]:
        """Names of the controls that stay parameters of a model file however little they are seen to do by themselves."""
        ...

    @property
    def noise_control(self) -> str | None:
        """Name of the control that weighs the noise, which changes no frame where it is lowest; None without one.

        The effect of every control is measured there: where noise changes frames as much as can be, nothing else is seen beside it.
        """
        ...

    def check(self, config: Any) -> None:
        """Raise TrainingError for a training configuration whose sections do not fit each other."""
        ...

    @property
    def rewrites(self) -> Rewrites:
        """Rewrites of the model before export."""
        ...

    @property
    def upscaling(self) -> Upscaling | None:
        """How a model with a larger frame starts from a smaller one; None when the family cannot do that."""
        ...

    @property
    def teaching(self) -> Teaching | None:
        """How `python -m training.teach` trains it; None when that command cannot."""
        ...

    def build_model(self, config: ModelConfig) -> StreamingModel:
        """Build the model with fresh weights. Raises TrainingError for a shape that cannot be."""
        ...

    def build_discriminators(
        self, model: ModelConfig, discriminator: Any, kinds: Collection[str], sequence_frames: int
    ) -> Mapping[str, nn.Module]:
        """Build the discriminators of the given kinds ("image", "video"), for `AdversarialTrainer`.

        "image" takes frames [B, 3, S, S], "video" sequences [B, T, 3, S, S]; both return scores of any shape, real ones high.
        A video discriminator has the attribute `takes_sound`; where it is True, the features [B, T, F] are a second input. `discriminator` is an instance of `discriminator_config`.
        Raises TrainingError for a shape or a kind that cannot be.
        """
        ...

    def lower_memory(self, model: ModelConfig) -> list[str]:
        """Return the settings of `model.generator` that can be lowered to save memory, with their present values."""
        ...

    def convert_original(self, weights: Mapping[str, Tensor], config: ModelConfig) -> StreamingModel:
        """Build the model of `config` from the weights of the family's original code.

        Raises TrainingError when the weights do not fit or the family has no original code.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Upscaling:
    """How a model starts from a smaller one of the same family."""

    copy: Callable[[StreamingModel, StreamingModel], int]
    """Copy the weights of the small model into the large one; return the number of tensors copied. Raises TrainingError."""
    may_differ: frozenset[str]
    """Dotted keys of ModelConfig that may differ between the two, beside `name` and `image_size`."""


def build_model(config: ModelConfig) -> StreamingModel:
    """Build the model of a configuration with fresh weights. Raises TrainingError for a shape that cannot be."""
    return family(config.family).build_model(config)


def upscaling_of(config: ModelConfig) -> Upscaling:
    """Return how models of this family are upscaled. Raises TrainingError when the family cannot do that."""
    found = family(config.family).upscaling
    if found is None:
        raise TrainingError(
            f"Models of the family '{config.family}' cannot be upscaled; train the larger model from the start."
        )
    return found
