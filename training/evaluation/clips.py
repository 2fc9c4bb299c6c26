"""The clips of an evaluation: those of the run or of --clip, without those that are too short, and not more than sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import TrainingError
from training.data.cache import load_clip
from training.data.footage import find_sources
from training.data.sub_urmp import folder_of
from training.data.video import Clip
from training.data.windows import split
from training.loop.config import TrainConfig


@dataclass(frozen=True, slots=True)
class EvaluatedClips:
    """Clips to evaluate on, each split by itself, and one sentence for whatever is left out."""

    clips: tuple[Clip, ...]
    notices: tuple[str, ...]


def load_shared_clips(configs: Sequence[TrainConfig], given: Path | None, cache_folder: Path | None) -> list[Clip]:
    """Return the clips of `given` (a video file or a folder in the layout of Sub-URMP), or all that the runs were trained on.

    Of a video file that is the sound that the first run was trained on: its track and its channels.
    Raises TrainingError when none is given and the runs name none or different ones, and for a clip that cannot be used.
    """
    trained_on = {tuple(config.clip.paths()) for config in configs}
    if given is None and len(trained_on) > 1:
        named = sorted(", ".join(map(str, paths)) for paths in trained_on)
        raise TrainingError(
            f"The checkpoints were trained on {' and on '.join(named)}; choose the clip with --clip FILE."
        )
    paths = configs[0].clip.paths() if given is None else [folder_of(given)]
    if not paths:
        raise TrainingError("The checkpoint names no clip; give one with --clip FILE.")
    clip_format = configs[0].clip_format()
    choice = configs[0].clip.sound_choice()
    return [load_clip(source, clip_format, cache_folder) for path in paths for source in find_sources(path, choice)]


def choose_clips(clips: Sequence[Clip], sequence_frames: int, shortest: int, most: int) -> EvaluatedClips:
    """Choose up to `most` clips, spread evenly over those whose held-out part holds a sequence of `shortest` frames.

    Raises TrainingError when there is none.
    """
    usable: list[Clip] = []
    unusable: list[str] = []
    for clip in clips:
        try:
            check_held_out(clip, sequence_frames, shortest)
            usable.append(clip)
        except TrainingError as error:
            unusable.append(str(error))
    if not usable:
        none = f"None of {len(clips)} clips is long enough; " if len(clips) > 1 else ""
        raise TrainingError(none + unusable[0])
    step = max(1.0, len(usable) / most)
    chosen = tuple(usable[int(index * step)] for index in range(min(most, len(usable))))
    notices = [f"left out: {sentence}" for sentence in unusable]
    if len(chosen) < len(usable):
        notices.append(f"measured on {len(chosen)} of {len(usable)} clips; --sequences {len(usable)} measures all.")
    return EvaluatedClips(chosen, (*notices, *(notice for clip in chosen for notice in clip.notices())))


def check_held_out(clip: Clip, sequence_frames: int, shortest: int) -> None:
    """Raise TrainingError for a clip whose held-out part is shorter than the shortest sequence."""
    _, held_out = split(clip, sequence_frames)
    if shortest > held_out.count:
        raise TrainingError(
            f"The held-out part of {clip.file} has {held_out.count} frames, less than the shortest sequence of {shortest}; use a "
            f"longer clip or shorter --lengths."
        )
