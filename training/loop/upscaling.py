"""Checkpoint upscaling: start a model from the weights of one with a smaller frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.core.errors import TrainingError
from training.core.strict import differing_keys
from training.families.family import build_model, upscaling_of
from training.families.model_config import ModelConfig
from training.loop.checkpoint import Checkpoint, ancestry, load_weights
from training.loop.config import TrainConfig

SAME_SHAPE = 0.05
"""Sides are multiples of 8, so small and large frames of one clip have nearly, not quite, the same shape."""


def may_differ(config: ModelConfig) -> frozenset[str]:
    """Return the dotted keys in which the configurations of a small and a large model may differ."""
    return upscaling_of(config).may_differ | {"name", "image_size"}


def is_larger(large: ModelConfig, small: ModelConfig) -> bool:
    """Tell whether the frame of `large` has more pixels than that of `small` and nearly its shape."""
    more, fewer = large.frame_size, small.frame_size
    return more.mean_side > fewer.mean_side and abs(math.log(more.shape / fewer.shape)) < SAME_SHAPE


def check_upscalable(small: ModelConfig, large: ModelConfig, where: Path) -> None:
    """Raise TrainingError, naming the keys, unless `large` is `small` with a larger frame."""
    allowed = may_differ(small)
    differing = [key for key in differing_keys(small.to_dict(), large.to_dict()) if key not in allowed]
    if differing:
        names = ", ".join(f"model.{key}" for key in differing)
        raise TrainingError(f"{where} was trained with another {names}; only model.image_size may differ.")
    if not is_larger(large, small):
        raise TrainingError(
            f"model.image_size is {large.image_size} and that of {where} {small.image_size}; a larger one of the same shape was expected."
        )


def upscaled_weights(source: Checkpoint, large: ModelConfig) -> tuple[Mapping[str, Tensor], int]:
    """Return the weights of a large model, upscaled from those of `source`, and the number of tensors copied.

    Raises TrainingError when they do not fit.
    """
    small_model = build_model(source.config.model)
    large_model = build_model(large)
    load_weights(small_model, source.generator, source.folder)
    copied = upscaling_of(large).copy(small_model, large_model)
    return large_model.state_dict(), copied


def upscaled(source: Checkpoint, config: TrainConfig) -> tuple[Checkpoint, int]:
    """Return the checkpoint that a run of `config` starts from, and the number of tensors copied from `source`.

    Raises TrainingError when the model of `config` is not that of `source` with a larger frame.
    """
    check_upscalable(source.config.model, config.model, source.folder)
    small = build_model(source.config.model)
    load_weights(small, source.generator, source.folder)
    torch.manual_seed(config.seed)
    large = build_model(config.model)
    copied = upscaling_of(config.model).copy(small, large)
    checkpoint = Checkpoint(config, 0, 0.0, dict(large.state_dict()), {}, started_from=ancestry(source))
    return checkpoint, copied
