"""Adaptive augmentation: measure how much a discriminator overfits, and set the probability of augmentation accordingly.

The measure is the first heuristic of arXiv 2006.06676: r = (D(training) - D(held out)) / (D(training) - D(generated)). 0: held-out
frames score like training frames; 1: they score like generated ones. A slower discriminator was tried as a second
remedy: at a tenth of the rate it overfitted nearly as much, so there is none.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import TrainingError
from training.data.video import Clip
from training.data.windows import FrameRange, WindowTiming, frame_tensor, sound_windows

# N sequences, T frames, C colours, H W rows and columns, W window samples

HIGHEST_PROBABILITY = 0.8
"""Above it arXiv 2006.06676 saw the generator imitate the augmentation."""
HELDOUT_SEQUENCES = 4


def overfitting(training: float, heldout: float, generated: float) -> float:
    """Return r in [0, 1] from mean scores; 0 while the discriminator scores training frames no higher than generated ones."""
    if training <= generated:
        return 0.0
    return min(1.0, max(0.0, (training - heldout) / (training - generated)))


def moved(probability: float, measured: float, target: float, step: float) -> float:
    """Return the probability one step higher where `measured` is above `target`, else one lower, within 0 and the highest."""
    return min(HIGHEST_PROBABILITY, max(0.0, probability + (step if measured > target else -step)))


def heldout_sequences(clip: Clip, frame_range: FrameRange, steps: int, timing: WindowTiming) -> tuple[Tensor, Tensor]:
    """Return up to 4 sequences spread over a range of frames: frames [N, T, C, H, W] in [-1, 1] and their sound windows [N, T, W].

    Raises TrainingError when the range is shorter than one sequence.
    """
    if frame_range.count < steps:
        raise TrainingError(
            f"The tuning part of {clip.file} has {frame_range.count} frames, and losses.overfitting_target needs a whole "
            f"sequence of {steps}: give a longer clip, raise clip.tuning_share, lower sequence_frames, or set overfitting_target to 0."
        )
    wanted = max(1, min(HELDOUT_SEQUENCES, round(2 * frame_range.count / steps)))
    starts = np.unique(np.linspace(frame_range.first, frame_range.end - steps, wanted).round().astype(int)).tolist()
    return (
        torch.stack([frame_tensor(clip, start, steps) for start in starts]),
        torch.stack([torch.from_numpy(sound_windows(clip.sound_S, start, steps, timing)) for start in starts]),
    )
