"""Sounds from outside the clip that a run plays at its sample interval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.core.distinct_names import distinct_names
from engine.core.errors import MediaError, TrainingError
from training.core.streaming import StreamingModel
from training.data.clip_sound import read_sound
from training.data.config import SamplesConfig
from training.data.windows import FrameRange
from training.loop.validation import NOISE_SEED, frame_bytes, generated_sequences

# N frames, H W rows and columns, S samples of sound


@dataclass(frozen=True, slots=True)
class SampleSound:
    """A sound under the name that its videos have."""

    name: str
    sound_S: NDArray[np.float32]


def load_sample_sounds(config: SamplesConfig, sample_rate_hz: int) -> tuple[SampleSound, ...]:
    """Read all sounds before the training, so that a mistake costs no time. Raises TrainingError."""
    paths = [Path(path) for path in config.sounds]
    samples = round(config.seconds * sample_rate_hz)
    sounds = [_read(path, sample_rate_hz)[:samples] for path in paths]
    names = distinct_names([Path(path.name) for path in paths])
    return tuple(SampleSound(name.name, sound) for name, sound in zip(names, sounds, strict=True))


def _read(path: Path, sample_rate_hz: int) -> NDArray[np.float32]:
    if not path.is_file():
        raise TrainingError(f"There is no sound {path}, which samples.sounds names; give a sound or video file.")
    try:
        return read_sound(path, sample_rate_hz)
    except (MediaError, TrainingError) as error:
        raise TrainingError(f"samples.sounds names a file without a sound that can be read: {error}") from error


@torch.no_grad()
def played(model: StreamingModel, sound: SampleSound, steps: int) -> NDArray[np.uint8]:
    """Return the frames [N, H, W, 3] of a sound, one at least, from the initial state; the noise is the same at every call."""
    model.eval()
    frame_range = FrameRange(0, max(1, len(sound.sound_S) // model.hop_samples))
    noise_source = torch.Generator().manual_seed(NOISE_SEED)
    sequences = generated_sequences(model, sound.sound_S, frame_range, steps, noise_source)
    return np.concatenate([frame_bytes(frames) for _, frames in sequences])
