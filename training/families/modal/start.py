"""How a modal model starts at its clip: textures, maps and amplitudes measured in frames, before anything is learned.

In turn: the optical flow from each frame to each texture, and its principal components as modes; which texture then explains which place
best; the light that is left to explain; and what light cannot explain. Amplitudes are in deviations that the components have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS
from training.core.composition import compose
from training.core.frame_size import FrameSize
from training.core.principal import principal_components
from training.data.flow import flow_fields, size_of_mean_side
from training.families.modal.config import UNITS

if TYPE_CHECKING:
    from training.families.modal.model import Modal

# T frames, K textures, A amplitudes, M maps of a kind, N values of a map, H W rows and columns of a frame, h w of a map

MEASURED_SIDE = 128
"""Mean side of the frames in which everything is measured."""
MOST_MEASURED = 64
"""Frames from which maps start."""
_MEDOID_SIDE = 32
_NEAREST = 2
_DECISIVE = 5.0
"""Difference of the logits of two textures whose errors differ by the mean error."""
_DARK = 0.04
"""Levels, of 1, below which light changes nothing that is seen."""
_MOST_LIGHT = 1.5


def different_frames(frames_T3HW: Tensor, count: int) -> list[int]:
    """Return the places of the frame nearest to all others, and of further ones, each farthest from those before it."""
    small = functional.adaptive_avg_pool2d(frames_T3HW, min(_MEDOID_SIDE, *frames_T3HW.shape[-2:])).flatten(1)
    apart = torch.cdist(small, small, p=1.0)
    chosen = [int(apart.sum(dim=1).argmin())]
    while len(chosen) < count:
        chosen.append(int(apart[chosen].min(dim=0).values.argmax()))
    return chosen


def measured_size(frame_size: FrameSize) -> FrameSize:
    """Return the size in which frames of this size are measured."""
    side = min(MEASURED_SIDE, round(frame_size.mean_side))
    return size_of_mean_side(side, frame_size)


def small_textures(model: Modal) -> list[Tensor]:
    """Return the textures [3, H, W] in [0, 1] at the size in which frames are measured."""
    size = measured_size(model.frame_size)
    return [_sized(levels[None] / 255.0, size)[0] for levels in model.texture_levels]


@torch.no_grad()
def measured_start(model: Modal, frames_T3HW: Tensor) -> None:
    """Start the maps of a model, which has its textures, at what moves in the frames, in [-1, 1] and of any size."""
    chosen = torch.linspace(0, len(frames_T3HW) - 1, min(MOST_MEASURED, len(frames_T3HW))).round().long()
    _measure(model, _sized(frames_T3HW[chosen], measured_size(model.frame_size)), starts=True)


@torch.no_grad()
def measured_amplitudes(model: Modal, frames_T3HW: Tensor) -> Tensor:
    """Return the amplitudes [T, A] with which the model's maps come nearest to frames in [-1, 1] of the measured size."""
    return _measure(model, frames_T3HW, starts=False)


def _measure(model: Modal, frames_T3HW: Tensor, *, starts: bool) -> Tensor:
    """Measure the amplitudes [T, A]; with `starts`, let the maps start at what they are measured in."""
    frames = 0.5 * (frames_T3HW + 1.0)
    textures, shapes = small_textures(model), model.field_shapes()
    found = {role: frames.new_zeros(len(frames), count) for role, count in model.counts.items()}

    def measure(role: str, values: Tensor) -> None:
        maps = model.maps[role]
        values_TN = (values / UNITS[role]).flatten(1)
        if starts:
            maps.zero_()
            components = principal_components(values_TN, len(maps))
            maps[: len(components)] = components.unflatten(1, maps.shape[1:])
        found[role] = _projected(values_TN, maps.flatten(1))

    def composed(*roles: str) -> Tensor:
        """Return what the amplitudes so far make of the textures, in [0, 1]; the other roles take no part."""
        amplitudes = torch.cat(list(found.values()), dim=1)
        fields = {role: values[:, 0] for role, values in model.fields(amplitudes[:, None]).items()}
        return 0.5 * (compose({role: fields[role] for role in roles}, textures, *frames.shape[-2:]) + 1.0)

    flows = _flows(textures, frames, FrameSize(*shapes[FLOW][1:]))
    warped = [
        0.5 * (compose({FLOW: flow}, [t], *frames.shape[-2:]) + 1.0) for flow, t in zip(flows, textures, strict=True)
    ]
    errors = torch.stack(
        [_sized((one - frames).abs().mean(dim=1, keepdim=True), shapes[WEIGHTS][1:])[:, 0] for one in warped], 1
    )
    logits_TKhw = -_DECISIVE * errors / errors.mean().clamp_min(1e-6)
    # A flow to a frame that shows something else says nothing; where its texture is not seen, it needs none.
    seen_TK = _seen(errors)
    measure(FLOW, torch.cat([seen_TK[:, k, None, None, None] * flow for k, flow in enumerate(flows)], dim=1))
    logits_TKhw = logits_TKhw - logits_TKhw.mean(dim=1, keepdim=True)
    if starts:
        model.usual_shares.copy_(logits_TKhw.mean(dim=0))
    measure(WEIGHTS, logits_TKhw - model.usual_shares)
    if LIGHT in shapes:
        measure(LIGHT, _light(frames, composed(FLOW, WEIGHTS), shapes[LIGHT]))
    if RESIDUAL in shapes:
        explained = composed(*(role for role in shapes if role != RESIDUAL))
        measure(RESIDUAL, _sized(frames - explained, shapes[RESIDUAL][1:]))
    return torch.cat(list(found.values()), dim=1)


def _flows(textures: list[Tensor], frames: Tensor, size: FrameSize) -> list[Tensor]:
    """Return the flow of frames [T, 3, H, W] to each texture, [T, 2, h, w]; none to textures that are farther than two others."""
    pooled = functional.adaptive_avg_pool2d(torch.cat([torch.stack(textures), frames]), _MEDOID_SIDE).flatten(1)
    apart_TK = torch.cdist(pooled[len(textures) :], pooled[: len(textures)], p=1.0)
    nearest_TN = apart_TK.topk(min(_NEAREST, len(textures)), largest=False).indices
    flows = []
    for k, texture in enumerate(textures):
        near_T = (nearest_TN == k).any(dim=1)
        flow = frames.new_zeros(len(frames), 2, *size)
        if bool(near_T.any()):
            flow[near_T] = flow_fields(2.0 * texture - 1.0, 2.0 * frames[near_T] - 1.0, size).to(frames)
        flows.append(flow)
    return flows


def _seen(errors_TKhw: Tensor) -> Tensor:
    """Return how much of each texture is seen in each frame, 1 for the one that explains it best, [T, K]."""
    errors_TK = errors_TKhw.mean(dim=(2, 3))
    best_T1 = errors_TK.min(dim=1, keepdim=True).values
    return torch.exp(-_DECISIVE * (errors_TK - best_T1) / errors_TK.mean().clamp_min(1e-6))


def _light(frames: Tensor, explained: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the logarithm of the light that is missing, [T, 3, h, w]."""
    real, ours = _sized(frames, shape[1:]), _sized(explained.clamp(0.0, 1.0), shape[1:])
    return torch.log((real + _DARK) / (ours + _DARK)).clamp(-_MOST_LIGHT, _MOST_LIGHT)


def _projected(values_TN: Tensor, maps_MN: Tensor) -> Tensor:
    """Return how much of each map values have, by least squares, [T, M]; none of an empty map."""
    products_MM = maps_MN @ maps_MN.T
    slightly = 1e-6 * products_MM.diagonal().max().clamp_min(1e-12)
    products_MM = products_MM + slightly * torch.eye(len(maps_MN), device=maps_MN.device)
    return torch.linalg.solve(products_MM, maps_MN @ values_TN.T).T


def _sized(values_NChw: Tensor, size: tuple[int, ...]) -> Tensor:
    return functional.interpolate(values_NChw, size=tuple(size), mode="bilinear", antialias=True)
