"""What the benchmarks of futures have alike: their arguments, a run of Sound2Sight, and stretches of clips with their sound."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import torch
from torch import Tensor

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ConfigError, TrainingError
from training.core.streaming import StreamingModel
from training.data.cache import load_clip
from training.data.video import SILENCE_DB, Clip, ClipFormat
from training.data.windows import WindowTiming, frame_tensor, sound_windows
from training.evaluation.synchrony.film import level_db
from training.families.sound2sight.model import Sound2Sight
from training.loop.checkpoint import LoadedGenerator, chosen_checkpoint, load_generator

# B stretches, T frames, W window samples, H W rows and columns

SEED = 7
"""Of the drawn noise."""


def future_arguments(about: str, samples: int, future: int) -> ArgumentParser:
    """Return a parser of what both benchmarks take, with these defaults."""
    parser = ArgumentParser(description=about)
    parser.add_argument("run", type=Path, help="run folder or checkpoint")
    parser.add_argument("--samples", type=int, default=samples, help=f"futures of each clip (default {samples})")
    parser.add_argument("--future", type=int, default=future, help=f"frames after the context (default {future})")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder of decoded clips")
    return parser


def parsed(parser: ArgumentParser, words: Sequence[str] | None) -> Namespace:
    """Return the arguments. Raises ConfigError for futures or clips that are none."""
    arguments = parser.parse_args(words)
    for name in ("samples", "future", "clips"):
        value = getattr(arguments, name, None)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} is {value}; 1 or more was expected.")
    return arguments


def loaded_run(path: Path) -> LoadedGenerator:
    """Read the best, else the newest, checkpoint of a run, or this one. Raises TrainingError where there is none."""
    return load_generator(chosen_checkpoint(path).folder)


def sound2sight_of(loaded: LoadedGenerator, path: Path) -> Sound2Sight:
    """Return the model of a run. Raises TrainingError for another family."""
    if loaded.model.family != "sound2sight":
        raise TrainingError(f"{path} is of the family '{loaded.model.family}'; one of sound2sight was expected.")
    return cast("Sound2Sight", loaded.model)


@dataclass(frozen=True, slots=True)
class StretchReader:
    """Reads clips as a model takes them."""

    form: ClipFormat
    timing: WindowTiming
    cache: Path

    @classmethod
    def of(cls, model: StreamingModel, cache: Path) -> Self:
        """Return the reader for a model; decoded clips are kept in the folder `cache`."""
        size, rate_hz = model.frame_size.image_size, model.sample_rate_hz
        form = ClipFormat(fps=model.fps, image_size=size, sample_rate_hz=rate_hz)
        return cls(form, WindowTiming.of(model), cache)

    def clip(self, file: Path) -> Clip:
        """Return a decoded clip. Raises MediaError or TrainingError for a file that cannot be used."""
        if not file.is_file():
            raise TrainingError(f"{file} does not exist; give a film.")
        return load_clip(file, self.form, self.cache)

    def stretch(self, clip: Clip, first: int, frames: int) -> tuple[Tensor, Tensor]:
        """Return frames [T, 3, H, W] in [-1, 1] and the sound windows [T, W] of their steps."""
        windows_TW = torch.from_numpy(sound_windows(clip.sound_S, first, frames, self.timing))
        return frame_tensor(clip, first, frames), windows_TW


def batched(stretches: Sequence[tuple[Tensor, Tensor]], frames: int) -> tuple[Tensor, Tensor]:
    """Return frames [B, T, 3, H, W] and sound windows [B, T, W].

    Raises TrainingError for fewer than two: each lends its sound to another one.
    """
    if len(stretches) < 2:
        raise TrainingError(f"The clips hold {len(stretches)} stretches of {frames} frames; two or more were expected.")
    real, audio = zip(*stretches, strict=True)
    return torch.stack(real), torch.stack(audio)


def silent_stretches(audio_BTW: Tensor) -> int:
    """Return how many stretches have silent sound."""
    return sum(level_db(audio_TW.numpy()) <= SILENCE_DB for audio_TW in audio_BTW)
