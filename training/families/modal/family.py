"""The modal family, as training and export see it: frames composed of the clip's own frames, bent and lit by the sound."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

from engine.core.errors import TrainingError
from training.families.family import Family, Upscaling
from training.families.modal.config import ModalConfig, ModalLossConfig, PatchDiscriminatorConfig
from training.families.modal.discriminator import PatchDiscriminator
from training.families.modal.model import Modal
from training.families.modal.teaching import ModalTeaching
from training.families.modal.trainer import ModalTrainer
from training.families.model_config import ModelConfig
from training.families.rewriting import Rewrites
from training.families.teaching import Teaching
from training.loop.config import TrainConfig


class ModalFamily:
    """The members of `Family`."""

    name = "modal"
    generator_config = ModalConfig
    discriminator_config = PatchDiscriminatorConfig
    loss_config = ModalLossConfig
    trainer = ModalTrainer
    rewrites = Rewrites()
    upscaling: Upscaling | None = None
    teaching: Teaching | None = ModalTeaching()
    kept_controls: frozenset[str] = frozenset()
    noise_control: str | None = None

    def build_model(self, config: ModelConfig) -> Modal:
        """Build the model with fresh weights."""
        return Modal(config)

    def build_discriminators(
        self, model: ModelConfig, discriminator: PatchDiscriminatorConfig, kinds: Collection[str], sequence_frames: int
    ) -> Mapping[str, PatchDiscriminator]:
        """Build the discriminators of frames ("image") and of sequences ("video"). Raises TrainingError for another kind."""
        features = model.front_end.feature_count if discriminator.hears else 0
        built: dict[str, PatchDiscriminator] = {}
        for kind in kinds:
            if kind not in ("image", "video"):
                raise TrainingError(f"There is no discriminator '{kind}'; 'image' or 'video' was expected.")
            frames, its_features = (1, 0) if kind == "image" else (sequence_frames, features)
            built[kind] = PatchDiscriminator(discriminator, frames, its_features)
        return built

    def check(self, config: TrainConfig) -> None:
        """Raise TrainingError for reduced precision, which its fields do not train in."""
        if config.precision != "float32":
            raise TrainingError(f"precision is '{config.precision}'; the family 'modal' trains in float32 alone.")

    def lower_memory(self, model: ModelConfig) -> list[str]:
        """Return the settings that can be lowered to save memory, with their present values."""
        textures = model.generator.textures
        return [f"model.generator.textures (now {textures})"] if textures > 1 else []

    def convert_original(self, weights: Mapping[str, Tensor], config: ModelConfig) -> Modal:
        """Raise TrainingError: the family is this project's own."""
        raise TrainingError("The family 'modal' has no original code whose weights could be read.")


FAMILY: Family = ModalFamily()
