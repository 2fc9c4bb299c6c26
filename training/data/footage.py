"""One or several clips of one format, each split into a training part, a tuning part and a held-out part."""

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
from training.data.sound_choice import DEFAULT_SOUND, SoundChoice
from training.data.sources import Source, VideoFile, joined_digest
from training.data.sub_urmp import find_recordings
from training.data.video import Clip, ClipFormat
from training.data.video_files import videos_in
from training.data.windows import Segment, frame_tensor, split, split_off_tuning

# N frames, C colours, H W rows and columns

MOST_NOTICES = 12
"""Of clips that were generated, each may have the same scene cut."""
MEAN_BLOCK = 64
SPREAD_BYTES = 800 * 2**20
"""For float32 frames spread over the clips: all 256 of them up to 512 x 512 pixels."""
MOST_SPREAD, FEWEST_SPREAD = 256, 16


@dataclass(frozen=True, slots=True)
class Footage:
    """All clips of a run: segment i of `training` and segment i of `validation` belong to the same clip."""

    training: tuple[Segment, ...]
    validation: tuple[Segment, ...]
    """The held-out parts: their figures are reported, and nothing is decided by them."""
    tuning: tuple[Segment, ...] = ()
    """What chooses the best checkpoint and adapts the augmentation; a very short clip has no such part."""
    left_out: tuple[str, ...] = ()
    """One sentence for each clip that is not used."""

    @classmethod
    def of(cls, clips: Sequence[Clip], sequence_frames: int, tuning_share: float = 0.0) -> Self:
        """Split clips for sequences of that length and leave out those that are too short.

        Raises TrainingError when none is left.
        """
        training, validation, tuning, left_out = [], [], [], []
        for clip in clips:
            try:
                trained, held_out = split(clip, sequence_frames)
            except TrainingError as error:
                if len(clips) == 1:
                    raise
                left_out.append(f"left out: {error}")
                continue
            trained, tuned = split_off_tuning(trained, len(clip.frames_NHWC), tuning_share, sequence_frames)
            training.append(Segment(clip, trained))
            tuning += [Segment(clip, tuned)] if tuned else []
            validation.append(Segment(clip, held_out))
        if not training:
            raise TrainingError(f"None of {len(clips)} clips is long enough; {left_out[0].removeprefix('left out: ')}")
        return cls(tuple(training), tuple(validation), tuple(tuning), tuple(left_out))

    @property
    def format(self) -> ClipFormat:
        """The format of every clip."""
        return self.training[0].clip.format

    def notices(self) -> list[str]:
        """Return one sentence for everything unusual about the clips; of hundreds of such sentences the first few and their number."""
        found = [*self.left_out, *(notice for segment in self.training for notice in segment.clip.notices())]
        more = len(found) - MOST_NOTICES
        return [*found[:MOST_NOTICES], f"{more} more such notices."] if more > 1 else found

    def mean_frame(self) -> Tensor:
        """Return the mean frame [3, H, W] in [-1, 1] of all training segments."""
        return mean_frame(self.training)

    def spread_frames(self, count: int = MOST_SPREAD) -> Tensor:
        """Return up to `count` frames [N, 3, H, W] in [-1, 1], spread evenly over all training segments; fewer of large frames."""
        return spread_frames(self.training, count)


def load_footage(
    config: ClipConfig, clip_format: ClipFormat, sequence_frames: int, cache_folder: Path | None = None
) -> Footage:
    """Decode all clips of a configuration, or read them from the cache, and split them for sequences of that length.

    Raises TrainingError for a file that cannot be used, a folder with another layout and clips that are too short.
    """
    clips = [load_clip(source, clip_format, cache_folder) for source in _sources_of(config)]
    if not clips:
        raise TrainingError("clip.path is empty; give the path of a video file.")
    return Footage.of(clips, sequence_frames, config.tuning_share)


def footage_sha256(config: ClipConfig) -> str:
    """Return the checksum of all clips of a configuration; for one video, the checksum of the file.

    Raises TrainingError when something cannot be read.
    """
    return joined_digest(source.digest() for source in _sources_of(config))


def _sources_of(config: ClipConfig) -> list[Source]:
    choice = config.sound_choice()
    return [source for path in config.paths() for source in find_sources(path, choice)]


def find_sources(path: Path, choice: SoundChoice = DEFAULT_SOUND) -> Sequence[Source]:
    """Return the sources in a path: one for a video file, one for each video file of a folder, one for each recording of a folder in
    the layout of Sub-URMP.

    `choice` says which sound of a video file is meant.
    """
    videos = videos_in(path) if path.is_dir() else [path]
    return [VideoFile(video, choice) for video in videos] or find_recordings(path)


def mean_frame(segments: Sequence[Segment]) -> Tensor:
    """Return the mean frame [3, H, W] in [-1, 1] of segments, with one block of frames in memory at a time."""
    total_HWC, count = np.zeros((), np.int64), 0
    for segment in segments:
        for first in range(segment.frame_range.first, segment.frame_range.end, MEAN_BLOCK):
            block_NHWC = segment.clip.frames_NHWC[first : min(first + MEAN_BLOCK, segment.frame_range.end)]
            total_HWC = total_HWC + block_NHWC.sum(axis=0, dtype=np.int64)
            count += len(block_NHWC)
    return torch.from_numpy(total_HWC / (127.5 * count) - 1.0).float().permute(2, 0, 1)


def most_spread(height: int, width: int) -> int:
    """Return how many frames of a size are spread at most, so that they fit into memory."""
    return min(MOST_SPREAD, max(FEWEST_SPREAD, SPREAD_BYTES // (height * width * 3 * 4)))


def spread_frames(segments: Sequence[Segment], count: int = MOST_SPREAD) -> Tensor:
    """Return up to `count` frames [N, 3, H, W] in [-1, 1], spread evenly over segments; of large frames `most_spread` at most."""
    return torch.cat([frame_tensor(segment.clip, number, 1) for segment, number in spread_places(segments, count)])


def spread_places(segments: Sequence[Segment], count: int = MOST_SPREAD) -> list[tuple[Segment, int]]:
    """Return segment and number in its clip of each of the frames of `spread_frames`."""
    count = min(count, most_spread(*segments[0].clip.format.frame_size))
    ends = np.cumsum([segment.frame_range.count for segment in segments])
    total = int(ends[-1])
    chosen = np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int))
    places = []
    for number in chosen.tolist():
        clip = int(np.searchsorted(ends, number, side="right"))
        places.append((segments[clip], segments[clip].frame_range.end - (int(ends[clip]) - number)))
    return places
