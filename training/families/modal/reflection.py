"""What a moving surface, such as water, reflects: a learned texture that is looked up where the surface's slopes point.

A bent mirror shows each place of its surroundings where its slope fits, so a frame of it is no bent copy of another one. But the slopes of
a surface that swings are a sum of its modes, each times an amplitude, and the surroundings stay the same: frame(p) = surroundings(calm(p) +
Σ amplitude · slope(p)), which is the engine's formula with a texture that no frame of the clip shows (a "lit sphere": Sloan, Martin,
Gooch, Gooch, "The Lit Sphere", 2001). A second learned texture holds what stands still: the rim, the floor.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.frame_size import FrameSize

# B batch, T steps, M modes, H W rows and columns of the frame, h w of a field

CALM = 0.3
"""So much of the surroundings a calm surface shows, as the learning starts."""
_SLOPE_UNIT, _SLOPE_START = 0.25, 0.08
_START_SIDE = 6
_FLOW_PER_KNOT = 2
"""A surface is smooth, and what it reflects tears where it is not: slopes have so many times fewer knots along a side than the field."""


class Reflection(nn.Module):
    """The two learned textures, and where the slopes of a mode point."""

    def __init__(
        self, frame_size: FrameSize, side: int, modes: int, flow_size: FrameSize, weight_size: FrameSize
    ) -> None:
        super().__init__()
        self.still = nn.Parameter(torch.zeros(3, *frame_size))
        """In [0, 1], as the other one."""
        self.surroundings = nn.Parameter(torch.zeros(3, side, side))
        places = torch.meshgrid(*(torch.linspace(-1.0, 1.0, count) for count in flow_size), indexing="ij")
        # The engine adds the place in the frame.
        self.calm = nn.Parameter((CALM - 1.0) * torch.stack([places[1], places[0]]))
        self._flow_size = tuple(flow_size)
        knots = [max(2, side // _FLOW_PER_KNOT) for side in flow_size]
        rough = torch.randn(modes, 2, _START_SIDE, _START_SIDE)
        self.slopes = nn.Parameter(_SLOPE_START * functional.interpolate(rough, size=knots, mode="bicubic"))
        self.gloss = nn.Parameter(torch.zeros(1, *weight_size))
        """How much is reflected where; as a logit."""

    @property
    def textures(self) -> list[Tensor]:
        """The textures in [0, 1]: what stands still, then the surroundings."""
        return [self.still.clamp(0.0, 1.0), self.surroundings.clamp(0.0, 1.0)]

    @torch.no_grad()
    def set_texture(self, number: int, values_3HW: Tensor) -> None:
        """Put values in [0, 1] in the place of a texture."""
        (self.still, self.surroundings)[number].copy_(values_3HW)

    def flow(self, amplitudes_BTM: Tensor) -> Tensor:
        """Return how far each place of the frame is from what it reflects, in the engine's units, [B, T, 2, h, w]."""
        slopes = functional.interpolate(self.slopes, size=self._flow_size, mode="bicubic")
        flow = (amplitudes_BTM @ slopes.flatten(1)).unflatten(-1, slopes.shape[1:])
        return self.calm + _SLOPE_UNIT * flow

    @property
    def share(self) -> Tensor:
        """The weight of the surroundings [1, h, w]."""
        return torch.sigmoid(self.gloss)

    @torch.no_grad()
    def clamp(self) -> None:
        """Bring textures back to [0, 1], where they keep their gradient."""
        self.still.clamp_(0.0, 1.0)
        self.surroundings.clamp_(0.0, 1.0)
