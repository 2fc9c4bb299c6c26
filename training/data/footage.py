"""One or several clips of one format, each split into the part that is taught and the part that is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import TrainingError
from training.data.cache import load_clip
from training.data.config import ClipConfig
from training.data.sources import Source, VideoFile, joined_digest
from training.data.sub_urmp import find_recordings
from training.data.video import Clip, ClipFormat
from training.data.windows import Stretch, pictures, split

# N pictures, C colours, H W rows and columns

MEAN_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Footage:
    """All that a run learns from: stretch i of `training` and of `validation` belong to the same clip."""

    training: tuple[Stretch, ...]
    validation: tuple[Stretch, ...]
    left_out: tuple[str, ...] = ()
    """Why a clip is not used, a sentence each."""

    @classmethod
    def of(cls, clips: Sequence[Clip], sequence_frames: int) -> Self:
        """Split clips for sequences of that length; one that is too short is left out.

        Raises TrainingError when none is left.
        """
        training, validation, left_out = [], [], []
        for clip in clips:
            try:
                taught, held_out = split(clip, sequence_frames)
            except TrainingError as error:
                if len(clips) == 1:
                    raise
                left_out.append(f"left out: {error}")
                continue
            training.append(Stretch(clip, taught))
            validation.append(Stretch(clip, held_out))
        if not training:
            raise TrainingError(f"None of {len(clips)} clips is long enough; {left_out[0].removeprefix('left out: ')}")
        return cls(tuple(training), tuple(validation), tuple(left_out))

    @property
    def format(self) -> ClipFormat:
        """Of every clip."""
        return self.training[0].clip.format

    def notices(self) -> list[str]:
        """Say what is odd about the clips though they can be used."""
        return [*self.left_out, *(notice for stretch in self.training for notice in stretch.clip.notices())]

    def mean_frame(self) -> Tensor:
        """Return the mean picture [3, H, W] in [-1, 1] of all that is taught."""
        return mean_frame(self.training)

    def spread_frames(self, count: int = 256) -> Tensor:
        """Return up to `count` pictures [N, 3, H, W] in [-1, 1] spread evenly over all that is taught."""
        return spread_frames(self.training, count)


def load_footage(
    config: ClipConfig, clip_format: ClipFormat, sequence_frames: int, cache_folder: Path | None = None
) -> Footage:
    """Decode all clips of a configuration, or take them from the cache, and split them for sequences of that length.

    Raises TrainingError for a file that cannot be used, a folder of another layout and clips that are too short.
    """
    clips = [load_clip(source, clip_format, cache_folder) for path in config.paths() for source in find_sources(path)]
    if not clips:
        raise TrainingError("clip.path is empty; give the path of a video file.")
    return Footage.of(clips, sequence_frames)


def footage_sha256(config: ClipConfig) -> str:
    """Return the checksum of all that a configuration learns from; that of the file, if it is one video.

    Raises TrainingError when something cannot be read.
    """
    return joined_digest(source.digest() for path in config.paths() for source in find_sources(path))


def find_sources(path: Path) -> Sequence[Source]:
    """Return what a path holds: a video file is one clip, a folder in the layout of Sub-URMP one a recording."""
    return find_recordings(path) if path.is_dir() else [VideoFile(path)]


def mean_frame(stretches: Sequence[Stretch]) -> Tensor:
    """Return the mean picture [3, H, W] in [-1, 1] of stretches, a block of pictures in memory at a time."""
    total_HWC, count = np.zeros((), np.int64), 0
    for stretch in stretches:
        for first in range(stretch.fold.first, stretch.fold.end, MEAN_BLOCK):
            block_NHWC = stretch.clip.frames_NHWC[first : min(first + MEAN_BLOCK, stretch.fold.end)]
            total_HWC = total_HWC + block_NHWC.sum(axis=0, dtype=np.int64)
            count += len(block_NHWC)
    return torch.from_numpy(total_HWC / (127.5 * count) - 1.0).float().permute(2, 0, 1)


def spread_frames(stretches: Sequence[Stretch], count: int = 256) -> Tensor:
    """Return up to `count` pictures [N, 3, H, W] in [-1, 1] spread evenly over stretches."""
    ends = np.cumsum([stretch.fold.count for stretch in stretches])
    total = int(ends[-1])
    chosen = np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int))
    shown = []
    for number in chosen.tolist():
        clip = int(np.searchsorted(ends, number, side="right"))
        from_end = int(ends[clip]) - number
        shown.append(pictures(stretches[clip].clip, stretches[clip].fold.end - from_end, 1))
    return torch.cat(shown)
