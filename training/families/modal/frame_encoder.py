"""The first lesson of a modal model: its maps, and which amplitudes the clip's own frames have.

A small network reads the amplitudes of a frame from the frame itself, and the engine's formula composes the frame again: what they
have to learn is the frame alone, without the sound. Frames that look alike get amplitudes that are alike, so the sound can learn to give them;
amplitudes that are searched for each frame apart jump from one explanation of it to another. The network begins at amplitudes that were
measured (start.py), since a flow that is off by more than a line's width has no slope toward the right one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.composition import compose
from training.core.frame_size import FrameSize
from training.data.flow import size_of_mean_side
from training.families.modal.model import Modal
from training.families.modal.start import small_textures
from training.losses.losses import detail_loss, motion_loss

# N frames, P pairs of consecutive frames, A amplitudes, H W rows and columns of a measured frame

_SIDE, _HIDDEN = 24, 256
_PAIRS = 4
_MAP_RATE, _ENCODER_RATE, _WARM_UP_RATE = 0.005, 0.002, 0.002
_WARM_UP_ITERATIONS, _WARM_UP_NOISE, _WEIGHT_DECAY = 150, 0.01, 0.1
_DETAIL = 0.5
_LEAST_AMPLITUDES = 1e-3
"""Weight of the amplitudes' squares in the loss: of two explanations of a frame the smaller one is meant."""


class FrameEncoder(nn.Module):
    """Frames in [-1, 1] -> amplitudes."""

    def __init__(self, frames_N3HW: Tensor, amplitudes: int) -> None:
        """Take the brightness and contrast of frames as usual."""
        super().__init__()
        size = size_of_mean_side(_SIDE, FrameSize(*frames_N3HW.shape[-2:]))
        self._size = tuple(min(own, given) for own, given in zip(size, frames_N3HW.shape[-2:], strict=True))
        small = self.small(frames_N3HW)
        self._mean, self._deviation = small.mean(), small.std().clamp_min(1e-3)
        self.layers = nn.Sequential(
            nn.Linear(small[0].numel(), _HIDDEN), nn.LeakyReLU(0.2), nn.Linear(_HIDDEN, amplitudes)
        ).to(frames_N3HW.device)

    def forward(self, frames_N3HW: Tensor) -> Tensor:
        """Return the amplitudes [N, A]."""
        return self.of_small(self.small(frames_N3HW))

    def of_small(self, small_N3hw: Tensor) -> Tensor:
        """Return the same of frames that `small` has shrunk."""
        return self.layers(((small_N3hw - self._mean) / self._deviation).flatten(1))

    def of_pairs(self, frames_P23HW: Tensor) -> Tensor:
        """Return the amplitudes [P, 2, A]."""
        return self(frames_P23HW.flatten(0, 1)).unflatten(0, frames_P23HW.shape[:2])

    def small(self, frames_N3HW: Tensor) -> Tensor:
        """Return frames in the size that is read."""
        return functional.interpolate(frames_N3HW, size=self._size, mode="area")


def warmed_up_encoder(
    frames_N3HW: Tensor,
    amplitudes_NA: Tensor,
    generator: torch.Generator,
    is_stopping: Callable[[], bool] = lambda: False,
) -> FrameEncoder:
    """Return an encoder that gives nearly the measured amplitudes of some frames."""
    encoder = FrameEncoder(frames_N3HW, amplitudes_NA.shape[1])
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=_WARM_UP_RATE, weight_decay=_WEIGHT_DECAY)
    small = encoder.small(frames_N3HW)
    for _ in range(_WARM_UP_ITERATIONS):
        if is_stopping():
            break
        noise = torch.randn(small.shape, generator=generator).to(small)
        loss = functional.mse_loss(encoder.of_small(small + _WARM_UP_NOISE * noise), amplitudes_NA)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return encoder


def learn_maps(
    model: Modal,
    encoder: FrameEncoder,
    some_pairs: Callable[[int], Tensor],
    iterations: int,
    is_stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Learn the maps of a model, with the encoder. `some_pairs` gives so many pairs [P, 2, 3, H, W] of the measured size, by chance."""
    maps = [*model.maps.parameters(), model.usual_shares]
    optimiser = torch.optim.Adam(
        [{"params": maps, "lr": _MAP_RATE}, {"params": [*encoder.parameters()], "lr": _ENCODER_RATE}], betas=(0.9, 0.99)
    )
    textures = small_textures(model)
    for iteration in range(iterations):
        if is_stopping():
            break
        for group, rate in zip(optimiser.param_groups, (_MAP_RATE, _ENCODER_RATE), strict=True):
            group["lr"] = rate * falling(iteration, iterations)
        real = some_pairs(_PAIRS)
        amplitudes = encoder.of_pairs(real)
        flat = {role: values.flatten(0, 1) for role, values in model.fields(amplitudes).items()}
        fake = compose(flat, textures, *real.shape[-2:]).unflatten(0, real.shape[:2])
        loss = functional.l1_loss(fake, real) + motion_loss(fake, real) + _DETAIL * detail_loss(fake, real)
        loss = loss + _LEAST_AMPLITUDES * amplitudes.square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()


def falling(iteration: int, iterations: int) -> float:
    """Return a share of the learning rate that falls from 1 to a twentieth."""
    return 1.0 - 0.95 * iteration / max(iterations, 1)
