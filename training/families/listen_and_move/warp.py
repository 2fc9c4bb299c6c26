"""The canvas bent by the sound: a few learned flow fields, mixed, so that what moves stays sharp where addition would blur it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.frame_size import FrameSize
from training.core.principal import principal_components
from training.data.flow import flow_fields, size_of_mean_side

# N frames, T frames of a clip, C colours, H W rows and columns, R flow fields, h w their rows and columns,
# I generator inputs

FLOW_SIDE = 32
"""Mean side of the flow fields, whatever the number of pixels, so that a model can be upscaled."""
HIDDEN = 128


class Warp(nn.Module):
    """Generator inputs [N, I] and a frame [1 or N, C, H, W] -> the frame bent by a mixture of R flow fields, [N, C, H, W].

    Flow is in units of half the frame's width and half its height; a place of the result shows the place of the frame that its flow leads to.
    """

    def __init__(self, size: FrameSize, rank: int, inputs: int) -> None:
        super().__init__()
        self.flows = nn.Parameter(torch.zeros(rank, 2, *size_of_mean_side(FLOW_SIDE, size)))
        self.mix = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, rank))
        rows, columns = ((torch.arange(side) + 0.5) * (2.0 / side) - 1.0 for side in size)
        places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        self.register_buffer("place_HW2", places, persistent=False)

    def forward(self, input_NI: Tensor, frame_NCHW: Tensor) -> Tensor:
        """Bend the frame; what the flow fetches from outside is the nearest edge."""
        flow_N2hw = (self.mix(input_NI) @ self.flows.flatten(1)).unflatten(1, self.flows.shape[1:])
        flow_N2HW = functional.interpolate(flow_N2hw, size=frame_NCHW.shape[-2:], mode="bilinear", align_corners=False)
        places_NHW2 = self.place_HW2 + flow_N2HW.permute(0, 2, 3, 1)
        frame_NCHW = frame_NCHW.expand(len(places_NHW2), -1, -1, -1)
        return functional.grid_sample(
            frame_NCHW, places_NHW2, mode="bilinear", padding_mode="border", align_corners=False
        )

    @torch.no_grad()
    def start_from(self, frames_T3HW: Tensor) -> Tensor:
        """Start at the principal components of a clip's own flow; returns the frame [3, H, W] from which it was measured.

        Frames are in [-1, 1]. The flow is `dense_flow`, from the frame that is nearest to all others to every frame.
        """
        key_3HW = key_frame(frames_T3HW)
        moving = flow_fields(key_3HW, frames_T3HW, FrameSize(*self.flows.shape[-2:])).flatten(1)
        components = principal_components(moving, len(self.flows))
        self.flows[: len(components)] = components.unflatten(1, self.flows.shape[1:])
        return key_3HW


def key_frame(frames_T3HW: Tensor) -> Tensor:
    """Return the frame [3, H, W] whose summed difference from all others is least."""
    small = functional.adaptive_avg_pool2d(frames_T3HW, FLOW_SIDE).flatten(1)
    return frames_T3HW[int(torch.cdist(small, small, p=1.0).sum(dim=1).argmin())]
