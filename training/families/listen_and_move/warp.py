"""The canvas bent by the sound: a few learned flow fields, mixed, so that what moves stays sharp where addition would blur it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.core.frame_size import FrameSize
from training.data.flow import dense_flow

# N frames, T frames of a clip, C colours, H W rows and columns, R flow fields, h w their rows and columns,
# I generator inputs

FLOW_SIDE = 32
"""Mean side of the flow fields, whatever the number of pixels, so that a model can be upscaled."""
MEASURED_SIDE = 128
"""Mean side of the frames in which the clip's own flow is measured."""
HIDDEN = 128


class Warp(nn.Module):
    """Generator inputs [N, I] and a frame [1 or N, C, H, W] -> the frame bent by a mixture of R flow fields, [N, C, H, W].

    Flow is in units of half the frame's width and half its height; a place of the result shows the place of the frame that its flow leads to.
    """

    def __init__(self, size: FrameSize, rank: int, inputs: int) -> None:
        super().__init__()
        self.flows = nn.Parameter(torch.zeros(rank, 2, *_of_mean_side(FLOW_SIDE, size)))
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
        grey_THW = _grey(frames_T3HW)
        key_HW = _grey(key_3HW[None])[0]
        fields = FrameSize(*self.flows.shape[-2:])
        flows_T2hw = torch.stack([_flow_field(key_HW, frame_HW, fields) for frame_HW in grey_THW])
        moving = flows_T2hw.flatten(1)
        _, strength, components = torch.pca_lowrank(moving, q=min(len(self.flows) + 8, len(moving)), center=False)
        count = min(len(self.flows), components.shape[1])
        deviation = strength / len(moving) ** 0.5
        self.flows[:count] = (components.T * deviation[:, None])[:count].unflatten(1, self.flows.shape[1:])
        return key_3HW


def key_frame(frames_T3HW: Tensor) -> Tensor:
    """Return the frame [3, H, W] whose summed difference from all others is least."""
    small = functional.adaptive_avg_pool2d(frames_T3HW, FLOW_SIDE).flatten(1)
    return frames_T3HW[int(torch.cdist(small, small, p=1.0).sum(dim=1).argmin())]


def _grey(frames_T3HW: Tensor) -> NDArray[np.uint8]:
    """Return frames [T, H, W] as the flow is measured in, 0 … 255."""
    size = _of_mean_side(MEASURED_SIDE, FrameSize(*frames_T3HW.shape[-2:]))
    sized = functional.interpolate(frames_T3HW, size=size, mode="bilinear", antialias=True, align_corners=False)
    return np.asarray(((sized.mean(dim=1) + 1.0) * 127.5).clamp(0.0, 255.0).byte().cpu().numpy())


def _flow_field(key_HW: NDArray[np.uint8], frame_HW: NDArray[np.uint8], fields: FrameSize) -> Tensor:
    """Return the flow [2, h, w] in units of half the frame's width and half its height."""
    measured = FrameSize(*frame_HW.shape)
    small = cv2.resize(dense_flow(key_HW, frame_HW), fields[::-1], interpolation=cv2.INTER_AREA)
    half_sides = torch.tensor([measured.width / 2.0, measured.height / 2.0])
    return torch.from_numpy(np.asarray(small, dtype=np.float32)).permute(2, 0, 1) / half_sides[:, None, None]


def _of_mean_side(side: int, shaped_as: FrameSize) -> FrameSize:
    """Return the size of this shape with about `side`² places."""
    stretch = float(shaped_as.shape) ** 0.5
    return FrameSize(max(1, round(side / stretch)), max(1, round(side * stretch)))
