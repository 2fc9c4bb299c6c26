"""How far a discriminator has learned its clip by heart, and how likely augmentation is to be for that.

The measure is the first heuristic of arXiv 2006.06676: r = (D(taught) - D(held out)) / (D(taught) - D(generated)). 0: held-out
pictures look as real as taught ones; 1: they look as false as generated ones. A slower discriminator was tried as a second
answer: at a tenth of the rate it came to know the clip hardly less, so there is none.
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


def overfitting(taught: float, heldout: float, generated: float) -> float:
    """Return r in [0, 1] from mean scores; 0 while the discriminator does not tell taught from generated at all."""
    if taught <= generated:
        return 0.0
    return min(1.0, max(0.0, (taught - heldout) / (taught - generated)))


def moved(probability: float, measured: float, target: float, step: float) -> float:
    """Return the probability one step higher where `measured` is above `target`, else one lower, within 0 and the highest."""
    return min(HIGHEST_PROBABILITY, max(0.0, probability + (step if measured > target else -step)))


def heldout_sequences(clip: Clip, fold: FrameRange, steps: int, timing: WindowTiming) -> tuple[Tensor, Tensor]:
    """Return up to 4 sequences spread over a fold: pictures [N, T, C, H, W] in [-1, 1] and their sound windows [N, T, W].

    Raises TrainingError when the fold is shorter than one sequence.
    """
    if fold.count < steps:
        raise TrainingError(
            f"The held-out part of {clip.file} has {fold.count} pictures, and losses.overfitting_target needs a whole "
            f"sequence of {steps}: give a longer clip, lower sequence_frames, or set overfitting_target to 0."
        )
    wanted = max(1, min(HELDOUT_SEQUENCES, round(2 * fold.count / steps)))
    starts = np.unique(np.linspace(fold.first, fold.end - steps, wanted).round().astype(int)).tolist()
    return (
        torch.stack([frame_tensor(clip, start, steps) for start in starts]),
        torch.stack([torch.from_numpy(sound_windows(clip.sound_S, start, steps, timing)) for start in starts]),
    )
