"""Small configurations, for tests of the trainer, of runs and of the command."""

import os
from pathlib import Path

from training.core.front_end import FrontEndConfig
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.discriminator import DiscriminatorConfig
from training.families.model_config import ModelConfig
from training.loop.config import IntervalConfig, OptimiserConfig, TrainConfig
from training.losses.losses import LossConfig

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


TINY = "configs/train/tiny.yaml"
SMALL = {
    "threads": 1,
    "model.image_size": 16,
    "model.generator.place_levels": 1,
    "model.generator.channels_base": 32,
    "model.generator.channels_min": 8,
    "discriminator.channels_base": 16,
    "sequence_frames": 4,
}
"""Settings that make configs/train/tiny.yaml smaller still."""
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def words(clip: Path, folder: Path, *more: str, **settings: object) -> list[str]:
    """Return the command line of `training.train` for FOLDER/run; `settings` have _ for each dot's place: losses__l1=2."""
    given = SMALL | {name.replace("__", "."): value for name, value in settings.items()}
    pairs = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
    places = ["--clip", str(clip), "--run-folder", str(folder / "run"), "--cache-folder", str(folder / "cache")]
    return [TINY, *places, *pairs, *more]
