"""What the averaged generator makes of the part of the clip that it was not taught."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.data.video import Clip
from training.data.windows import Fold, WindowTiming, pictures, sound_windows
from training.streaming import StreamingModel

# N pictures, T steps, C colours, H W rows and columns

NOISE_SEED = 20


@dataclass(frozen=True, slots=True)
class Validation:
    """Distances in the picture range [-1, 1]; generated pictures [N, H, W, 3] for samples."""

    l1: float
    mean_frame_l1: float
    """Of the training part's constant mean picture: what a model has to beat."""
    motion_l1: float
    """L1 between the differences of consecutive frames."""
    motion_share: float
    """Amount of motion generated for each amount in the clip: 1 is right, 0 is a still."""
    generated_NHWC: NDArray[np.uint8]

    def numbers(self) -> dict[str, float]:
        """Return all but the pictures."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "generated_NHWC"}


def mean_frame(clip: Clip, fold: Fold) -> Tensor:
    """Return the mean picture [3, H, W] in [-1, 1] of a fold."""
    total = torch.zeros(())
    for first in range(fold.first, fold.end, 256):
        total = total + pictures(clip, first, min(256, fold.end - first)).sum(dim=0)
    return total / fold.count


def spread_frames(clip: Clip, fold: Fold, count: int = 256) -> Tensor:
    """Return up to `count` pictures [N, 3, H, W] in [-1, 1] spread evenly over a fold."""
    chosen = np.unique(np.linspace(fold.first, fold.end - 1, min(count, fold.count)).round().astype(int))
    return torch.cat([pictures(clip, int(index), 1) for index in chosen])


@torch.no_grad()
def validate(model: StreamingModel, clip: Clip, fold: Fold, mean_CHW: Tensor, steps: int) -> Validation:
    """Play the fold's sound from the initial state, `steps` at a time, and compare with its pictures.

    `model` is left in evaluation mode. The noise is the same at every call.
    """
    model.eval()
    device = next(model.parameters()).device
    noise_source = torch.Generator().manual_seed(NOISE_SEED)
    state, timing = model.initial_state(1), WindowTiming.of(model)
    sums, generated = torch.zeros(5, dtype=torch.float64), []
    last_real, last_fake = None, None
    for first in range(fold.first, fold.end, steps):
        count = min(steps, fold.end - first)
        audio = torch.from_numpy(sound_windows(clip.sound_S, first, count, timing))[None].to(device)
        fake_BTCHW, _, state = model.clip(audio, model.draw_noise(1, count, noise_source), state)
        fake, real = fake_BTCHW[0].float().cpu(), pictures(clip, first, count)
        generated.append(((fake + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())
        # The last picture of the part before goes in front, so that no difference is left out.
        joined_real = real if last_real is None else torch.cat([last_real, real])
        joined_fake = fake if last_fake is None else torch.cat([last_fake, fake])
        sums += _sums(real, fake, joined_real.diff(dim=0), joined_fake.diff(dim=0), mean_CHW)
        last_real, last_fake = real[-1:], fake[-1:]
    per_picture, differences = sums / fold.count, max(fold.count - 1, 1)
    return Validation(
        l1=float(per_picture[0]),
        mean_frame_l1=float(per_picture[1]),
        motion_l1=float(sums[2]) / differences,
        motion_share=float(sums[4] / sums[3].clamp_min(1e-12)),
        generated_NHWC=np.concatenate(generated),
    )


def _sums(real: Tensor, fake: Tensor, real_motion: Tensor, fake_motion: Tensor, mean_CHW: Tensor) -> Tensor:
    """Return sums over pictures of the mean absolute: error, mean frame's error, motion error, real and generated motion."""
    one = real[0].numel()
    return torch.stack(
        [
            functional.l1_loss(fake, real, reduction="sum") / one,
            (real - mean_CHW).abs().sum() / one,
            (fake_motion - real_motion).abs().sum() / one,
            real_motion.abs().sum() / one,
            fake_motion.abs().sum() / one,
        ]
    ).double()
