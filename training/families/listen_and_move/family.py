"""Listen and Move (arXiv 2406.16155), as training and export see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

from engine.core.errors import TrainingError
from training.families.family import Family
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.discriminator import Discriminator, DiscriminatorConfig
from training.families.listen_and_move.model import ListenAndMove
from training.families.listen_and_move.original_weights import convert
from training.families.listen_and_move.rewrites import REWRITES
from training.families.listen_and_move.teaching import ListenAndMoveTeaching
from training.families.listen_and_move.upscaling import UPSCALING
from training.families.model_config import ModelConfig
from training.families.teaching import Teaching
from training.loop.adversarial_trainer import AdversarialTrainer
from training.loop.config import TrainConfig
from training.losses.losses import LossConfig

FEWEST_CHANNELS = 64


class ListenAndMoveFamily:
    """The members of `Family`; the losses and the iteration are those of `AdversarialTrainer`."""

    name = "listen_and_move"
    generator_config = ListenAndMoveConfig
    discriminator_config = DiscriminatorConfig
    loss_config = LossConfig
    trainer = AdversarialTrainer
    rewrites = REWRITES
    upscaling = UPSCALING
    teaching: Teaching | None = ListenAndMoveTeaching()
    kept_controls: frozenset[str] = frozenset()
    noise_control: str | None = None

    def build_model(self, config: ModelConfig) -> ListenAndMove:
        """Build the model with fresh weights. Raises TrainingError for a shape that cannot be."""
        return ListenAndMove(config)

    def build_discriminators(
        self, model: ModelConfig, discriminator: DiscriminatorConfig, kinds: Collection[str], sequence_frames: int
    ) -> dict[str, Discriminator]:
        """Build the discriminators of frames ("image") and of sequences ("video"). Raises TrainingError for another kind."""
        features = model.front_end.feature_count if discriminator.hears else 0
        size = model.frame_size
        built: dict[str, Discriminator] = {}
        for kind in kinds:
            if kind not in ("image", "video"):
                raise TrainingError(f"There is no discriminator '{kind}'; 'image' or 'video' was expected.")
            frames, its_features = (None, 0) if kind == "image" else (sequence_frames, features)
            built[kind] = Discriminator(discriminator, size, frames, its_features)
        return built

    def check(self, config: TrainConfig) -> None:
        """Raise TrainingError for an odd number of frames with the video discriminator, which halves it."""
        if config.losses.adversarial_video > 0 and config.sequence_frames % 2:
            raise TrainingError(
                f"sequence_frames is {config.sequence_frames}; the video discriminator needs an even number."
            )

    def lower_memory(self, model: ModelConfig) -> list[str]:
        """Return the settings that can be lowered to save memory, with their present values."""
        channels = model.generator.channels_base
        return [f"model.generator.channels_base (now {channels})"] if channels > FEWEST_CHANNELS else []

    def convert_original(self, weights: Mapping[str, Tensor], config: ModelConfig) -> ListenAndMove:
        """Build the model of `config` from the original's weights. Raises TrainingError as `convert`."""
        return convert(weights, config)


FAMILY: Family = ListenAndMoveFamily()
