"""The still that a clip begins with: the middle of it, in the shape that the model was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from engine.media.frame_reader import FrameReader

# H W rows and columns


def read_still(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """Return the first frame of a file, upright, as `fitted` [height, width, 3]. Raises MediaError for a file without one."""
    return fitted(next(iter(FrameReader(path).frames())).shown.pixels_HWC(), width, height)


def fitted(pixels_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the middle of a still at another size: cut to its shape, then resized bilinearly with antialiasing, as the original does."""
    rows, columns = pixels_HWC.shape[:2]
    if height * columns >= width * rows:
        kept = min(columns, max(1, rows * width // height))
        pixels_HWC = pixels_HWC[:, (columns - kept) // 2 :][:, :kept]
    else:
        kept = min(rows, max(1, columns * height // width))
        pixels_HWC = pixels_HWC[(rows - kept) // 2 :][:kept]
    values = torch.from_numpy(np.ascontiguousarray(pixels_HWC)).permute(2, 0, 1)[None].float()
    resized = functional.interpolate(values, (height, width), mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
