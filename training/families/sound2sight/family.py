"""Sound2Sight (Chatterjee and Cherian, ECCV 2020), as training and export see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.families.family import Family, Upscaling
from training.families.model_config import ModelConfig
from training.families.rewriting import Rewrites
from training.families.sound2sight.config import JointDiscriminatorConfig, Sound2SightConfig, Sound2SightLosses
from training.families.sound2sight.image_coding import map_sizes
from training.families.sound2sight.model import Sound2Sight
from training.families.sound2sight.original_weights import convert
from training.families.sound2sight.trainer import Sound2SightTrainer
from training.families.teaching import Teaching
from training.loop.config import TrainConfig

FEWEST_CHANNELS = 16


class Sound2SightFamily:
    """The members of `Family`; losses, discriminator and validation are those of `Sound2SightTrainer`."""

    name = "sound2sight"
    generator_config = Sound2SightConfig
    discriminator_config = JointDiscriminatorConfig
    loss_config = Sound2SightLosses
    trainer = Sound2SightTrainer
    rewrites = Rewrites()
    upscaling: Upscaling | None = None
    teaching: Teaching | None = None
    kept_controls: frozenset[str] = frozenset(("freeze_z", "resample", "reseed"))
    """What does nothing by itself, or for the frame alone that it is set in."""
    noise_control: str | None = "temperature"

    def build_model(self, config: ModelConfig) -> Sound2Sight:
        """Build the model with fresh weights. Raises TrainingError for a shape that cannot be."""
        return Sound2Sight(config)

    def build_discriminators(
        self, model: ModelConfig, discriminator: Any, kinds: Collection[str], sequence_frames: int
    ) -> Mapping[str, nn.Module]:
        """Raise TrainingError: its one discriminator belongs to its own trainer."""
        raise TrainingError("The family 'sound2sight' has no discriminators of frames or sequences alone.")

    def check(self, config: TrainConfig) -> None:
        """Raise TrainingError for reduced precision, a frame size that cannot be, sequences that leave nothing to predict or do not fit the window, and a batch of one."""
        shape, frames = config.model.generator, config.sequence_frames
        if config.precision != "float32":
            raise TrainingError(f"precision is '{config.precision}'; the family 'sound2sight' trains in float32 alone.")
        map_sizes(config.model.frame_size)
        most = shape.window_steps + 1
        if shape.context_frames >= most:
            raise TrainingError(
                f"model.generator.window_steps is {shape.window_steps}; {max(shape.context_frames, frames - 1)} or more was expected, for "
                f"{shape.context_frames} context frames (model.generator.context_frames) and sequence_frames {frames}."
            )
        if not shape.context_frames < frames <= most:
            raise TrainingError(
                f"sequence_frames is {frames}; more than the {shape.context_frames} of model.generator.context_frames were expected, and "
                f"at most {most}, one more than model.generator.window_steps."
            )
        if config.losses.nearest_of > 1 and config.sequences_per_batch < 2:
            raise TrainingError(
                f"losses.nearest_of is {config.losses.nearest_of} and sequences_per_batch {config.sequences_per_batch}; every second "
                "sequence gets the nearest draw: give 2 or more, or set losses.nearest_of to 1."
            )
        if not config.losses.adversarial:
            return
        if config.sequences_per_batch < 2:
            raise TrainingError(
                f"sequences_per_batch is {config.sequences_per_batch}; the discriminator needs another sequence's sound to compare with: "
                "give 2 or more, or set losses.adversarial to 0."
            )
        if frames - 1 < config.discriminator.buffer_frames:
            raise TrainingError(
                f"discriminator.buffer_frames is {config.discriminator.buffer_frames}; less than sequence_frames ({frames}) was expected."
            )

    def lower_memory(self, model: ModelConfig) -> list[str]:
        """Return the settings that can be lowered to save memory, with their present values."""
        channels = model.generator.channels
        return [f"model.generator.channels (now {channels})"] if channels > FEWEST_CHANNELS else []

    def convert_original(self, weights: Mapping[str, Tensor], config: ModelConfig) -> Sound2Sight:
        """Build the model of `config` from the original's weights. Raises TrainingError as `convert`."""
        return convert(weights, config)


FAMILY: Family = Sound2SightFamily()
