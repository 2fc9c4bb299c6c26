"""Sound windows and frames of step k, and the split of a clip into training part, tuning part and held-out part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import TrainingError
from training.core.composition import FramePart
from training.core.streaming import StreamingModel
from training.data.video import Clip, ClipSamples

# T steps, W window samples, S samples of sound, H W rows and columns, C colours

TRAINING_SHARE = 0.8
"""Training part and tuning part together; the held-out part is the rest."""
FEWEST_TUNING_FRAMES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowTiming:
    """Position of a sound window: the window of step k ends `look_ahead_samples` after sample (k + 1) * hop."""

    window_samples: int
    hop_samples: int
    look_ahead_samples: int = 0

    @classmethod
    def of(cls, model: StreamingModel) -> Self:
        """Return the timing of a model."""
        return cls(
            window_samples=model.window_samples,
            hop_samples=model.hop_samples,
            look_ahead_samples=model.look_ahead_samples,
        )


def sound_windows(sound_S: ClipSamples, first: int, steps: int, timing: WindowTiming) -> NDArray[np.float32]:
    """Return the windows [T, W] of steps first … first + T - 1, with zeros before the start and after the end.

    Training, validation and evaluation all use this function; the engine's window buffer gives the same windows live.
    """
    begin = (first + 1) * timing.hop_samples + timing.look_ahead_samples - timing.window_samples
    end = (first + steps) * timing.hop_samples + timing.look_ahead_samples
    needed = np.zeros(end - begin, np.float32)
    low, high = max(begin, 0), min(end, len(sound_S))
    if high > low:
        needed[low - begin : high - begin] = sound_S[low:high]
    return np.lib.stride_tricks.sliding_window_view(needed, timing.window_samples)[:: timing.hop_samples].copy()


def frame_tensor(clip: Clip, first: int, steps: int, part: FramePart | None = None) -> Tensor:
    """Return the frames [T, 3, H, W] in [-1, 1] of steps first … first + T - 1, or that part of them."""
    pixels_THWC = np.asarray(clip.frames_NHWC[first : first + steps])
    if part:
        pixels_THWC = pixels_THWC[:, part.top : part.top + part.height, part.left : part.left + part.width]
    frames_THWC = torch.from_numpy(np.array(pixels_THWC))
    return frames_THWC.permute(0, 3, 1, 2).float() / 127.5 - 1.0


@dataclass(frozen=True, slots=True)
class FrameRange:
    """Consecutive frames of a clip: first … end - 1."""

    first: int
    end: int

    @property
    def count(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of frames together with its clip."""

    clip: Clip
    frame_range: FrameRange


def split(clip: Clip, sequence_frames: int) -> tuple[FrameRange, FrameRange]:
    """Return the first 80 % for training, with the tuning part at its end, and the last 20 % for validation.

    Raises TrainingError when the training part is shorter than one sequence or the held-out part is shorter than two frames.
    """
    count = len(clip.frames_NHWC)
    border = int(count * TRAINING_SHARE)
    if border < sequence_frames or count - border < 2:
        needed = max(int(np.ceil(sequence_frames / TRAINING_SHARE)), 10)
        raise TrainingError(
            f"{clip.file} has {count} frames at {clip.format.fps} a second; at least {needed} are needed for sequences of "
            f"{sequence_frames}: give a longer clip or lower sequence_frames."
        )
    return FrameRange(0, border), FrameRange(border, count)


def split_off_tuning(
    trained: FrameRange, frames: int, tuning_share: float, sequence_frames: int
) -> tuple[FrameRange, FrameRange | None]:
    """Cut the tuning part, `tuning_share` of all `frames` of the clip, off the end of the first part that `split` returned.

    None where that is less than two frames, or where less than one sequence would be left for training.
    """
    count = int(frames * tuning_share)
    if count < FEWEST_TUNING_FRAMES or trained.count - count < sequence_frames:
        return trained, None
    border = trained.end - count
    return FrameRange(trained.first, border), FrameRange(border, trained.end)
