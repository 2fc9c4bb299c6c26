"""Mirror and colours of every lane, drawn when it starts anew and kept until it starts anew again.

The state that a lane carries holds what was seen before, so a change half way would be a jump that no sound explains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.core.random_state import RandomState
from training.data.config import AugmentationConfig

# B lanes of this process, L lanes of all processes, T frames, C colours, H W rows and columns

DRAWS = 5  # flip, brightness, contrast, saturation, hue
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
TO_YIQ = (LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))  # the axes in which hue is an angle


class StreamAugmentation:
    """Off, and nothing is drawn, unless `flip` or `colour_jitter` is configured."""

    def __init__(self, config: AugmentationConfig, chance: RandomState) -> None:
        self.config, self.chance = config, chance
        self.active = config.flip > 0 or any(config.colour_jitter)
        self.drawn_L5 = torch.zeros(chance.lanes, DRAWS)

    def renew(self, fresh_L: Sequence[bool]) -> None:
        """Draw anew for the lanes that start anew."""
        if self.active and any(fresh_L):
            drawn_L5 = torch.rand(self.chance.lanes, DRAWS, generator=self.chance.generator)
            self.drawn_L5 = torch.where(torch.tensor(fresh_L)[:, None], drawn_L5, self.drawn_L5)

    def applied(self, real_BTCHW: Tensor) -> Tensor:
        """Return the pictures [B, T, 3, H, W] in [-1, 1] as this process's lanes see them."""
        if not self.active:
            return real_BTCHW
        drawn_B5 = self.drawn_L5[self.chance.own]
        flipped_B = drawn_B5[:, 0] < self.config.flip
        seen = torch.where(flipped_B.view(-1, 1, 1, 1, 1), real_BTCHW.flip(-1), real_BTCHW)
        if not any(self.config.colour_jitter):
            return seen
        changes = [colour_change(self.config.colour_jitter, drawn) for drawn in drawn_B5[:, 1:]]
        matrices_BCC, offsets_B = torch.stack([m for m, _ in changes]), torch.tensor([o for _, o in changes])
        coloured = torch.einsum("bij,btjhw->btihw", matrices_BCC, seen) + offsets_B.view(-1, 1, 1, 1, 1)
        return coloured.clamp(-1.0, 1.0)

    def tensors(self) -> dict[str, Tensor]:
        """Return what was drawn, for all lanes; nothing when off."""
        return {"look": self.drawn_L5} if self.active else {}

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Tell whether `restore` has what it needs: lanes that carry a state need the look that it was made with."""
        look = tensors.get("look")
        return look is None if not self.active else look is not None and look.shape == self.drawn_L5.shape

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on with the looks that `tensors` returned."""
        if self.active:
            self.drawn_L5 = tensors["look"].clone()


def colour_change(largest: tuple[float, float, float, float], drawn_4: Tensor) -> tuple[Tensor, float]:
    """Return the matrix [3, 3] and the offset that change RGB in [-1, 1], for four numbers in [0, 1); 0.5 changes nothing.

    Brightness scales about black, contrast about mid grey, saturation about the luma, and hue turns the plane of I and Q.
    """
    brightness, contrast, saturation, turn = (
        size * (2.0 * float(value) - 1.0) for size, value in zip(largest, drawn_4, strict=True)
    )
    brightness, contrast, saturation = 1.0 + brightness, 1.0 + contrast, 1.0 + saturation
    angle, to_yiq = 2.0 * math.pi * turn, torch.tensor(TO_YIQ)
    turned = torch.eye(3)
    turned[1, 1] = turned[2, 2] = math.cos(angle)
    turned[1, 2], turned[2, 1] = -math.sin(angle), math.sin(angle)
    hue = torch.linalg.solve(to_yiq, turned @ to_yiq)
    grey = torch.tensor(LUMA).expand(3, 3)
    saturated = saturation * torch.eye(3) + (1.0 - saturation) * grey
    return brightness * contrast * (hue @ saturated), contrast * (brightness - 1.0)
