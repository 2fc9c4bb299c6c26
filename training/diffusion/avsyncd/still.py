"""The still that a clip begins with: the middle of it, in the shape that the model was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from engine.core.errors import MediaError
from engine.media.frame_reader import FrameReader

# H W rows and columns


def read_still(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """Return the first frame of a file, upright, as `fitted` [height, width, 3]. Raises MediaError for a file without one."""
    if not path.is_file():
        raise MediaError(f"There is no file {path}; give --image a photograph, as JPEG or PNG.")
    try:
        first = next(iter(FrameReader(path).frames()), None)
    except MediaError as error:
        # Its own sentence expects a video with sound.
        raise MediaError(f"{path} is no image that can be read; give --image a photograph, as JPEG or PNG.") from error
    if first is None:
        raise MediaError(f"{path} holds no frame; give --image a photograph, as JPEG or PNG.")
    return fitted(first.shown.pixels_HWC(), width, height)


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
