"""Start a model from a smaller one: teach at half the size, where a step costs a third, then go on at the full size."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import TrainingError
from training.families.listen_and_move.layers import ResidualBlock
from training.streaming import StreamingModel

NEW_SCALE = 0.1
"""Sound-conditioned scale of a new block at the start: it adds little at first, and still has a gradient."""


@torch.no_grad()
def grow(small: StreamingModel, large: StreamingModel) -> int:
    """Copy all that `small` knows into `large`, made of the same stages and one or more finer ones; returns the tensors copied.

    The canvas is enlarged; a new residual block starts close to passing its input on, so the picture starts as the small
    one enlarged. Raises TrainingError when the two do not share their coarse stages.
    """
    theirs = small.state_dict()
    ours = large.state_dict()
    copied = 0
    for name, tensor in ours.items():
        if name not in theirs:
            continue
        fitted = theirs[name] if theirs[name].shape == tensor.shape else _enlarged(name, theirs[name], tensor)
        tensor.copy_(fitted)
        copied += 1
    for level in range(small.generator.levels, large.generator.levels):
        _pass_on(large.generator.blocks[level])
        if large.generator.conditions is not None:
            linear = large.generator.conditions[level].get_submodule("linear")
            assert isinstance(linear, nn.Linear)
            linear.bias[linear.out_features // 2 :] = NEW_SCALE
    return copied


def _enlarged(name: str, small: Tensor, large: Tensor) -> Tensor:
    if ".canvas." in name and small.shape[:-2] == large.shape[:-2]:
        pictures = small if small.dim() == 4 else small[None]
        enlarged = functional.interpolate(pictures, size=large.shape[-2:], mode="bicubic", align_corners=False)
        return enlarged.view_as(large)
    raise TrainingError(
        f"Cannot grow: '{name}' is {list(small.shape)} in the small model and {list(large.shape)} in the large one; "
        "only image_size may differ, and channels_min must be the finest width of both."
    )


def _pass_on(block: nn.Module) -> None:
    if not isinstance(block, ResidualBlock):
        raise TrainingError("Cannot grow: only architecture 'residual' can; teach the large model from the start.")
    weight = block.skip.weight
    if weight.shape[0] == weight.shape[1]:
        weight.copy_(math.sqrt(2.0) * torch.eye(weight.shape[0])[:, :, None, None])
        block.skip.bias.zero_()  # type: ignore[union-attr]
