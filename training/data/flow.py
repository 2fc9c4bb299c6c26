"""Dense optical flow between two frames of a clip."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.core.frame_size import FrameSize

# T frames, H W rows and columns, h w rows and columns of a flow field

MEASURED_SIDE = 128
"""Mean side of the frames in which a clip's own flow is measured."""

SMOOTHNESS = 2.0
"""Standard deviation of the smoothing, in pixels."""


def dense_flow(key_HW: NDArray[np.uint8], frame_HW: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return for every place of a frame its place in the key frame, as smoothed offsets right and down in pixels, [H, W, 2].

    The method is Farneback's (Two-Frame Motion Estimation Based on Polynomial Expansion, 2003).
    """
    start = np.zeros((*frame_HW.shape, 2), np.float32)
    flow_HW2 = cv2.calcOpticalFlowFarneback(frame_HW, key_HW, start, 0.5, 4, 21, 5, 7, 1.5, 0)
    return np.asarray(cv2.GaussianBlur(flow_HW2, (0, 0), SMOOTHNESS), dtype=np.float32)


def flow_fields(key_3HW: Tensor, frames_T3HW: Tensor, fields: FrameSize) -> Tensor:
    """Return the flow from every frame to the key frame, in units of half the frame's width and half its height, [T, 2, h, w].

    Frames are in [-1, 1]; `fields` has the rows and columns of the result.
    """
    (key_HW,) = _grey(key_3HW[None])
    return torch.stack([_flow_field(key_HW, frame_HW, fields) for frame_HW in _grey(frames_T3HW)])


def size_of_mean_side(side: int, shaped_as: FrameSize) -> FrameSize:
    """Return the size of this shape with about `side`² places."""
    stretch = float(shaped_as.shape) ** 0.5
    return FrameSize(max(1, round(side / stretch)), max(1, round(side * stretch)))


def _grey(frames_T3HW: Tensor) -> NDArray[np.uint8]:
    """Return frames [T, H, W] as the flow is measured in, 0 … 255."""
    size = size_of_mean_side(MEASURED_SIDE, FrameSize(*frames_T3HW.shape[-2:]))
    sized = functional.interpolate(frames_T3HW, size=size, mode="bilinear", antialias=True, align_corners=False)
    return np.asarray(((sized.mean(dim=1) + 1.0) * 127.5).clamp(0.0, 255.0).byte().cpu().numpy())


def _flow_field(key_HW: NDArray[np.uint8], frame_HW: NDArray[np.uint8], fields: FrameSize) -> Tensor:
    small = cv2.resize(dense_flow(key_HW, frame_HW), fields[::-1], interpolation=cv2.INTER_AREA)
    half_sides = torch.tensor(frame_HW.shape[::-1]) / 2.0
    return torch.from_numpy(np.asarray(small, dtype=np.float32)).permute(2, 0, 1) / half_sides[:, None, None]
