"""Raises the detail of stored textures until the frames composed of them are as sharp as the clip.

A texture that is bent by parts of a pixel is interpolated, which blurs it, and so does a mixture of several. Both take nearly the same share
of a band of detail in all frames. So the textures are given more of it once, and a step costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.losses.sharpness import PIXELS_A_WAVE, gradient_energy

# N textures, C colours, H W rows and columns, K bands of detail, finest first

_ROUNDS = 3
"""What is clipped to black or white is raised by less than was asked for, so it is measured again."""
_EDGE = 32
"""Pixels by which a texture is mirrored at its edges; else the transform would join opposite ones."""


def equaliser_gains(
    composed: Callable[[Tensor], Iterable[NDArray[np.uint8]]],
    textures_NCHW: Tensor,
    clip_frames: Iterable[NDArray[np.uint8]],
    most: float,
    scale: int = 1,
) -> list[float]:
    """Return the gain of each band of detail, 1 to `most`, finest first, with which composed frames come nearest to the clip's sharpness.

    `composed` makes frames RGB [H, W, 3] with textures, uint8 levels `scale` times as high and wide as a frame; `clip_frames` are those of the
    clip at the same times.
    """
    wanted_K, gains_K = gradient_energy(clip_frames), np.ones(len(PIXELS_A_WAVE))
    for _ in range(_ROUNDS):
        energy_K = gradient_energy(composed(equalised(textures_NCHW, gains_K.tolist(), scale)))
        # A band without any detail, as of a dark clip, stays as it is.
        share_K = np.where(energy_K > 0.0, wanted_K / np.maximum(energy_K, 1e-12), 1.0)
        gains_K = np.clip(gains_K * np.sqrt(share_K), 1.0, most)
    return gains_K.tolist()


def equalised(textures_NCHW: Tensor, gains: list[float], scale: int = 1) -> Tensor:
    """Return textures, uint8 levels, with their bands of detail, finest first, this much stronger: by as much at the middle of a band, between
    them by a share. What is coarser than all bands stays. A band is in pixels of the frame, which textures have `scale` times as many of."""
    edge = min(_EDGE, *(side - 1 for side in textures_NCHW.shape[-2:]))
    padded = functional.pad(textures_NCHW.float(), (edge,) * 4, mode="reflect")
    height, width = padded.shape[-2:]
    down, right = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    octaves = np.log2(np.maximum(scale * np.hypot(down, right), 1e-6))
    middles = [-np.mean(np.log2(band)) for band in PIXELS_A_WAVE]
    coarser = 2.0 * middles[-1] - middles[-2]
    curve_HW = np.interp(octaves, [coarser, *middles[::-1]], [1.0, *gains[::-1]])
    spectrum = torch.fft.rfft2(padded) * torch.from_numpy(curve_HW).to(padded)
    raised = torch.fft.irfft2(spectrum, s=(height, width))[..., edge : height - edge, edge : width - edge]
    return raised.round().clamp(0.0, 255.0).to(torch.uint8)
