"""The loss on the tuning part: it chooses the best checkpoint of a run.

That part is neither trained nor reported: figures on the held-out part stay honest, because nothing was chosen by them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from training.core.streaming import StreamingModel
from training.data.windows import Segment
from training.loop.validation import NOISE_SEED, leading, played_sequences

LIMIT_S = 20.0
"""Seconds of the tuning parts that are played unless a trainer says otherwise, always the same ones: losses of one run compare."""
Loss = Callable[[Tensor, Tensor], Tensor]
"""Generated and real frames [B, T, C, H, W] -> a scalar."""


@torch.no_grad()
def mean_loss(
    model: StreamingModel,
    segments: Sequence[Segment],
    steps: int,
    loss: Loss,
    limit_s: float = LIMIT_S,
) -> float:
    """Play the sound of the tuning parts as `played_sequences` does, and return the mean loss per frame.

    The noise is the same at every call. `model` is left in evaluation mode.
    """
    model.eval()
    device, noise_source = next(model.parameters()).device, torch.Generator().manual_seed(NOISE_SEED)
    total, frames = 0.0, 0
    for segment in leading(segments, limit_s):
        for real_TCHW, fake_TCHW, given in played_sequences(model, segment, steps, noise_source):
            count = len(real_TCHW) - given
            if count:
                total += count * float(loss(fake_TCHW[None, given:].to(device), real_TCHW[None, given:].to(device)))
                frames += count
    return total / max(frames, 1)
