"""The modal family, as training and export see it: frames composed of the clip's own frames, bent and lit by the sound."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.families.family import Family, Upscaling
from training.families.modal.config import ModalConfig, NoDiscriminatorConfig
from training.families.modal.model import Modal
from training.families.modal.teaching import ModalTeaching
from training.families.model_config import ModelConfig
from training.families.rewriting import Rewrites
from training.families.teaching import Teaching
from training.loop.adversarial_trainer import AdversarialTrainer
from training.loop.config import TrainConfig
from training.losses.losses import LossConfig


class ModalFamily:
    """The members of `Family`; the losses are those of `AdversarialTrainer` without a discriminator."""

    name = "modal"
    generator_config = ModalConfig
    discriminator_config = NoDiscriminatorConfig
    loss_config = LossConfig
    trainer = AdversarialTrainer
    rewrites = Rewrites()
    upscaling: Upscaling | None = None
    teaching: Teaching | None = ModalTeaching()

    def build_model(self, config: ModelConfig) -> Modal:
        """Build the model with fresh weights."""
        return Modal(config)

    def build_discriminators(
        self, model: ModelConfig, discriminator: Any, kinds: Collection[str], sequence_frames: int
    ) -> Mapping[str, nn.Module]:
        """Raise TrainingError: there are none yet."""
        raise TrainingError(_NO_DISCRIMINATORS)

    def check(self, config: TrainConfig) -> None:
        """Raise TrainingError for losses that ask for a discriminator."""
        if config.losses.adversarial_image > 0 or config.losses.adversarial_video > 0:
            raise TrainingError(_NO_DISCRIMINATORS)

    def lower_memory(self, model: ModelConfig) -> list[str]:
        """Return the settings that can be lowered to save memory, with their present values."""
        textures = model.generator.textures
        return [f"model.generator.textures (now {textures})"] if textures > 1 else []

    def convert_original(self, weights: Mapping[str, Tensor], config: ModelConfig) -> Modal:
        """Raise TrainingError: the family is this project's own."""
        raise TrainingError("The family 'modal' has no original code whose weights could be read.")


_NO_DISCRIMINATORS = (
    "The family 'modal' has no discriminators; set losses.adversarial_image and losses.adversarial_video to 0."
)

FAMILY: Family = ModalFamily()
