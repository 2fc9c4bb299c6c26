"""A small configuration and the clip that goes with it, for tests of the trainer and of runs."""

from training.config import IntervalConfig, OptimiserConfig, TrainConfig
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.discriminator import DiscriminatorConfig
from training.front_end import FrontEndConfig
from training.losses import LossConfig
from training.streaming import ModelConfig

GENERATOR = ListenAndMoveConfig(
    channels_base=32, channels_min=8, motion_layers=2, initialisation="he", place_levels=1, canvas=True
)
MODEL = ModelConfig(name="small", image_size=16, front_end=FrontEndConfig(mel_bands=16), generator=GENERATOR)
ADVERSARIAL = LossConfig(adversarial="hinge", adversarial_image=0.1, adversarial_video=0.1, l1=1.0, motion=1.0)
PLAIN = LossConfig(adversarial_image=0.0, adversarial_video=0.0, l1=1.0, motion=1.0)


def small_config(losses: LossConfig = ADVERSARIAL, **settings: object) -> TrainConfig:
    """Return four iterations of four frames at 16 pixels with both discriminators; `settings` replace its keys."""
    given: dict[str, object] = {
        "model": MODEL,
        "discriminator": DiscriminatorConfig(channels_base=16),
        "losses": losses,
        "optimiser": OptimiserConfig(lr_generator=3e-3, ema_decay=0.9),
        "intervals": IntervalConfig(log=2, sample=0, checkpoint=0),
        "sequence_frames": 4,
        "total_iterations": 4,
        "device": "cpu",
        **settings,
    }
    return TrainConfig(**given)  # type: ignore[arg-type]
