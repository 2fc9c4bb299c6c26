"""Start a model from a smaller one: what the coarse stages have learned is copied, the canvas and other maps are enlarged."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core.streaming import StreamingModel
from training.families.family import Upscaling
from training.families.listen_and_move.layers import ResidualBlock
from training.families.listen_and_move.model import ListenAndMove

MAPS = (".canvas.", ".place.", ".relief.maps", ".warp.flows")
"""Weights with a value for each place of the frame or of one of its levels."""
NEW_SCALE = 0.1
"""Sound-conditioned scale of a new block at the start: it adds little at first, and still has a gradient."""


@torch.no_grad()
def upscale(small: StreamingModel, large: StreamingModel) -> int:
    """Copy the weights of `small` into `large`, whose frame is larger; return the number of tensors copied.

    The canvas is enlarged, and with it each map that has another size. A new residual block starts close to passing its input on, so the first frames are those of the
    small model, enlarged. Video prediction after the finest level moves to the new finest level. Raises TrainingError when the
    two do not share their coarse stages, or something would be lost.
    """
    assert isinstance(small, ListenAndMove)
    assert isinstance(large, ListenAndMove)
    moved = _moved_predictions(small, large)
    _check_relief(small, large)
    theirs = {_renamed(name, moved): weights for name, weights in small.state_dict().items()}
    ours = large.state_dict()
    lost = sorted(theirs.keys() - ours.keys())
    if lost:
        raise TrainingError(f"Cannot upscale: the large model has no '{lost[0]}'; only image_size may differ.")
    for name, weights in theirs.items():
        tensor = ours[name]
        tensor.copy_(weights if weights.shape == tensor.shape else _enlarged(name, weights, tensor))
    for level in range(small.generator.levels, large.generator.levels):
        _pass_on(large.generator.blocks[level])
        if large.generator.conditions is not None:
            linear = large.generator.conditions[level].get_submodule("linear")
            assert isinstance(linear, nn.Linear)
            linear.bias[linear.out_features // 2 :] = NEW_SCALE
    return len(theirs)


def _moved_predictions(small: ListenAndMove, large: ListenAndMove) -> dict[str, str]:
    """Return where each video prediction of the small model goes in the large one, in order."""
    levels = [sorted(map(int, model.generator.predictions)) for model in (small, large)]
    if len(levels[0]) != len(levels[1]):
        raise TrainingError(
            f"Cannot upscale: video prediction sits after levels {levels[0]} in the small model and {levels[1]} in the large one; "
            f"set model.generator.prediction_levels {levels[0]} in the large one."
        )
    prefix = "generator.predictions."
    return {f"{prefix}{theirs}.": f"{prefix}{ours}." for theirs, ours in zip(*levels, strict=True)}


def _renamed(name: str, moved: dict[str, str]) -> str:
    for before, after in moved.items():
        if name.startswith(before):
            return after + name.removeprefix(before)
    return name


def _check_relief(small: ListenAndMove, large: ListenAndMove) -> None:
    """Refuse a relief that counts its level from the finest one: the blocks behind it were trained with it before them."""
    reliefs = [model.generator.relief_level for model in (small, large)]
    if small.generator.relief is not None and reliefs[0] != reliefs[1]:
        raise TrainingError(
            f"Cannot upscale: the relief sits before level {reliefs[0]} in the small model and {reliefs[1]} in the large one; "
            f"set model.generator.relief_level {reliefs[0]} in the large one."
        )


def _enlarged(name: str, small: Tensor, large: Tensor) -> Tensor:
    if any(maps in name for maps in MAPS) and small.shape[:-2] == large.shape[:-2]:
        images = small if small.dim() == 4 else small[None]
        enlarged = functional.interpolate(images, size=large.shape[-2:], mode="bicubic", align_corners=False)
        return enlarged.view_as(large)
    raise TrainingError(
        f"Cannot upscale: '{name}' is {list(small.shape)} in the small model and {list(large.shape)} in the large one; "
        "only image_size may differ, and channels_min must be the finest width of both."
    )


def _pass_on(block: nn.Module) -> None:
    if not isinstance(block, ResidualBlock):
        raise TrainingError("Cannot upscale: only architecture 'residual' can; train the large model from the start.")
    weight = block.skip.weight
    if weight.shape[0] == weight.shape[1]:
        weight.copy_(math.sqrt(2.0) * torch.eye(weight.shape[0])[:, :, None, None])
        block.skip.bias.zero_()  # type: ignore[union-attr]


UPSCALING = Upscaling(
    copy=upscale,
    # Levels and kernel may be given in another way: their meaning depends on the image size. The weights must fit.
    may_differ=frozenset({"generator.prediction_levels", "generator.prediction_kernel", "generator.relief_level"}),
)
