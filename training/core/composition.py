"""The formula of layered models in torch, with gradients: frames from small fields and textures (engine/model/layers.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS

# N frames, S of them in which a texture is seen, K textures, C channels, H W rows and columns of pixels, h w rows and columns of a field

_SHORT = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True)
class FramePart:
    """A rectangle of a frame, in pixels."""

    top: int
    left: int
    height: int
    width: int


def compose(
    fields: Mapping[str, Tensor], textures: Sequence[Tensor], height: int, width: int, part: FramePart | None = None
) -> Tensor:
    """Return frames [N, 3, H, W] in [-1, 1] from fields [N, C, h, w] by role and textures [3, H, W] in [0, 1], of any sizes.

    With `part` only that part of the frames, as it is cut out of the whole. Nothing is clipped: a value beyond the range keeps
    its gradient. Fields of 16 bits, as autocast makes them, give float32.
    """
    # In 8 bits of mantissa places lie pixels apart.
    fields = {role: values.float() if values.dtype in _SHORT else values for role, values in fields.items()}
    first = next(iter(fields.values()))
    count, places_HW2 = len(first), _places(height, width).to(first)
    if part:
        places_HW2 = places_HW2[part.top : part.top + part.height, part.left : part.left + part.width]
        enlarged = {role: _enlarged_part(values, (height, width), part) for role, values in fields.items()}
    else:
        enlarged = {role: _enlarged(values, (height, width)) for role, values in fields.items()}
    size = places_HW2.shape[:2]
    flow_N2HW = enlarged[FLOW] if FLOW in fields else first.new_zeros(count, 2, *size)
    weights = enlarged[WEIGHTS] if WEIGHTS in fields else first.new_ones(count, 1, 1, 1)
    mixed = first.new_zeros(count, 3, *size)
    for k, texture in enumerate(textures):
        # Where a texture is not seen at all, it costs nothing.
        (seen_S,) = weights[:, k].detach().flatten(1).any(dim=1).nonzero(as_tuple=True)
        if len(seen_S) == 0:
            continue
        own = flow_N2HW[:, 2 * k : 2 * k + 2] if flow_N2HW.shape[1] > 2 else flow_N2HW
        places_SHW2 = places_HW2 + own[seen_S].permute(0, 2, 3, 1)
        warped = functional.grid_sample(
            texture.to(first).expand(len(seen_S), -1, -1, -1),
            places_SHW2,
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        mixed = mixed.index_add(0, seen_S, weights[seen_S, k : k + 1] * warped)
    if LIGHT in fields:
        mixed = enlarged[LIGHT] * mixed
    if RESIDUAL in fields:
        mixed = mixed + enlarged[RESIDUAL]
    return 2.0 * mixed - 1.0


def _enlarged(field_NChw: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(field_NChw, size=size, mode="bilinear", align_corners=False)


def _enlarged_part(field_NChw: Tensor, size: tuple[int, int], part: FramePart) -> Tensor:
    """Return what `_enlarged` has in that part. Two products of matrices, so that the whole is never made."""
    rows, columns = field_NChw.shape[-2:]
    down_Hh = _interpolation(rows, size[0], part.top, part.height).to(field_NChw)
    right_Ww = _interpolation(columns, size[1], part.left, part.width).to(field_NChw)
    return down_Hh @ (field_NChw @ right_Ww.T)


def _interpolation(old: int, new: int, first: int, count: int) -> Tensor:
    """Return the shares that `old` values in a row have in `count` of `new` ones, from number `first` on, [count, old]."""
    at = ((torch.arange(first, first + count, dtype=torch.float64) + 0.5) * old / new - 0.5).clamp(0.0, old - 1.0)
    return (1.0 - (at[:, None] - torch.arange(old)).abs()).clamp_min(0.0)


def _places(height: int, width: int) -> Tensor:
    """Return the centre of each pixel, right and down, from -1 to 1 across the frame [H, W, 2]."""
    down_H = (torch.arange(height, dtype=torch.float64) + 0.5) * (2.0 / height) - 1.0
    right_W = (torch.arange(width, dtype=torch.float64) + 0.5) * (2.0 / width) - 1.0
    return torch.stack(torch.meshgrid(right_W, down_H, indexing="xy"), dim=-1)
