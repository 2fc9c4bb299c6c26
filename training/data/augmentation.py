"""Mirror and colours of every stream: drawn when the stream restarts, then kept until it restarts again.

A stream carries the model's state from sequence to sequence. A change in between would be a jump that no sound explains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.core.random_state import RandomState
from training.data.config import AugmentationConfig

# B streams of this process, L streams of all processes, T frames, C colours, H W rows and columns

DRAWS = 5  # flip, brightness, contrast, saturation, hue
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
TO_YIQ = (LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))  # in these axes hue is an angle
CHECKPOINT_KEY = "look"


class StreamAugmentation:
    """Mirrors and recolours the frames of a stream; inactive unless `flip` or `colour_jitter` is configured."""

    def __init__(self, config: AugmentationConfig, random_state: RandomState) -> None:
        self.config, self.random_state = config, random_state
        self.active = config.flip > 0 or any(config.colour_jitter)
        self.drawn_L5 = torch.zeros(random_state.streams, DRAWS)

    def redraw(self, restarted_L: Sequence[bool]) -> None:
        """Draw new values for the streams that restart."""
        if self.active and any(restarted_L):
            drawn_L5 = torch.rand(self.random_state.streams, DRAWS, generator=self.random_state.generator)
            self.drawn_L5 = torch.where(torch.tensor(restarted_L)[:, None], drawn_L5, self.drawn_L5)

    def apply(self, real_BTCHW: Tensor) -> Tensor:
        """Return the frames [B, T, 3, H, W] in [-1, 1], augmented for each stream of this process."""
        if not self.active:
            return real_BTCHW
        drawn_B5 = self.drawn_L5[self.random_state.own]
        flipped_B = drawn_B5[:, 0] < self.config.flip
        mirrored = torch.where(flipped_B.view(-1, 1, 1, 1, 1), real_BTCHW.flip(-1), real_BTCHW)
        if not any(self.config.colour_jitter):
            return mirrored
        changes = [colour_change(self.config.colour_jitter, drawn) for drawn in drawn_B5[:, 1:]]
        matrices_BCC, offsets_B = torch.stack([m for m, _ in changes]), torch.tensor([o for _, o in changes])
        coloured = torch.einsum("bij,btjhw->btihw", matrices_BCC, mirrored) + offsets_B.view(-1, 1, 1, 1, 1)
        return coloured.clamp(-1.0, 1.0)

    def tensors(self) -> dict[str, Tensor]:
        """Return the values drawn for all streams, for a checkpoint; nothing when inactive."""
        return {CHECKPOINT_KEY: self.drawn_L5} if self.active else {}

    def can_restore(self, tensors: Mapping[str, Tensor]) -> bool:
        """Tell whether `restore` finds what it needs: a carried state belongs to the augmentation it was made with."""
        drawn = tensors.get(CHECKPOINT_KEY)
        return drawn is None if not self.active else drawn is not None and drawn.shape == self.drawn_L5.shape

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue with the values that `tensors` returned."""
        if self.active:
            self.drawn_L5 = tensors[CHECKPOINT_KEY].clone()


def colour_change(largest: tuple[float, float, float, float], drawn_4: Tensor) -> tuple[Tensor, float]:
    """Return the matrix [3, 3] and the offset that change RGB in [-1, 1], for four numbers in [0, 1); 0.5 changes nothing.

    Brightness scales about black, contrast about mid grey, saturation about the luma. Hue rotates the plane of I and Q.
    """
    brightness, contrast, saturation, rotation = (
        size * (2.0 * float(value) - 1.0) for size, value in zip(largest, drawn_4, strict=True)
    )
    brightness, contrast, saturation = 1.0 + brightness, 1.0 + contrast, 1.0 + saturation
    angle, to_yiq = 2.0 * math.pi * rotation, torch.tensor(TO_YIQ)
    rotated = torch.eye(3)
    rotated[1, 1] = rotated[2, 2] = math.cos(angle)
    rotated[1, 2], rotated[2, 1] = -math.sin(angle), math.sin(angle)
    hue = torch.linalg.solve(to_yiq, rotated @ to_yiq)
    grey = torch.tensor(LUMA).expand(3, 3)
    saturated = saturation * torch.eye(3) + (1.0 - saturation) * grey
    return brightness * contrast * (hue @ saturated), contrast * (brightness - 1.0)
