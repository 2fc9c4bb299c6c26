"""The formula of layered models in torch, with gradients: frames from small fields and textures (engine/model/layers.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS

# N frames, K textures, C channels, H W rows and columns of pixels, h w rows and columns of a field

_SHORT = (torch.bfloat16, torch.float16)


def compose(fields: Mapping[str, Tensor], textures: Sequence[Tensor], height: int, width: int) -> Tensor:
    """Return frames [N, 3, H, W] in [-1, 1] from fields [N, C, h, w] by role and textures [3, H, W] in [0, 1], of any sizes.

    Nothing is clipped: a value beyond the range keeps its gradient. Fields of 16 bits, as autocast makes them, give float32.
    """
    # In 8 bits of mantissa places lie pixels apart.
    fields = {role: values.float() if values.dtype in _SHORT else values for role, values in fields.items()}
    size = (height, width)
    first = next(iter(fields.values()))
    count = len(first)
    places_HW2 = _places(height, width).to(first)
    flow_N2HW = _enlarged(fields[FLOW], size) if FLOW in fields else first.new_zeros(count, 2, *size)
    weights = _enlarged(fields[WEIGHTS], size) if WEIGHTS in fields else first.new_ones(count, 1, 1, 1)
    mixed = first.new_zeros(count, 3, height, width)
    for k, texture in enumerate(textures):
        own = flow_N2HW[:, 2 * k : 2 * k + 2] if flow_N2HW.shape[1] > 2 else flow_N2HW
        places_NHW2 = places_HW2 + own.permute(0, 2, 3, 1)
        warped = functional.grid_sample(
            texture.to(first).expand(count, -1, -1, -1),
            places_NHW2,
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        mixed = mixed + weights[:, k : k + 1] * warped
    if LIGHT in fields:
        mixed = _enlarged(fields[LIGHT], size) * mixed
    if RESIDUAL in fields:
        mixed = mixed + _enlarged(fields[RESIDUAL], size)
    return 2.0 * mixed - 1.0


def _enlarged(field_NChw: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(field_NChw, size=size, mode="bilinear", align_corners=False)


def _places(height: int, width: int) -> Tensor:
    """Return the centre of each pixel, right and down, from -1 to 1 across the frame [H, W, 2]."""
    down_H = (torch.arange(height, dtype=torch.float64) + 0.5) * (2.0 / height) - 1.0
    right_W = (torch.arange(width, dtype=torch.float64) + 0.5) * (2.0 / width) - 1.0
    return torch.stack(torch.meshgrid(right_W, down_H, indexing="xy"), dim=-1)
