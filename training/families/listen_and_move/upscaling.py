"""Start a model from a smaller one: teach at half the size, where a step costs a third, then go on at the full size.

    python -m training.families.listen_and_move.upscaling RUN CONFIG.yaml -o FOLDER
    python -m training.train CONFIG.yaml --from FOLDER --run-folder runs/NAME

RUN is the small model's run or checkpoint, CONFIG a training configuration that differs in model.image_size alone, and FOLDER
then holds the large model as it starts: it can be exported and looked at.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError, run_main
from training.core.checkpoint import Checkpoint, load_weights, read_start, teaching, write_checkpoint
from training.core.config import TrainConfig, load_train_config
from training.core.run_folder import checkpoint_folder, checkpoint_folders
from training.core.streaming import ModelConfig, StreamingModel, build_model
from training.core.strict import differing_keys
from training.families.listen_and_move.layers import ResidualBlock

NEW_SCALE = 0.1
"""Sound-conditioned scale of a new block at the start: it adds little at first, and still has a gradient."""

MAY_DIFFER = {
    "name",
    "image_size",
    "generator.prediction_levels",
    "generator.prediction_kernel",
    "generator.relief_level",
}
"""Levels and kernel may be written otherwise, for those of a larger picture mean something else; the weights must fit."""


@torch.no_grad()
def grow(small: StreamingModel, large: StreamingModel) -> int:
    """Copy all that `small` knows into `large`, made of the same stages and one or more finer ones; returns the tensors copied.

    The canvas is enlarged; a new residual block starts close to passing its input on, so the picture starts as the small
    one enlarged. Video prediction after the finest level goes to the finest one. Raises TrainingError when the two do not share
    their coarse stages, or something would be lost.
    """
    moved = _moved_predictions(small, large)
    _check_relief(small, large)
    theirs = {_renamed(name, moved): weights for name, weights in small.state_dict().items()}
    ours = large.state_dict()
    lost = sorted(theirs.keys() - ours.keys())
    if lost:
        raise TrainingError(f"Cannot grow: the large model has no '{lost[0]}'; only image_size may differ.")
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


def _moved_predictions(small: StreamingModel, large: StreamingModel) -> dict[str, str]:
    """Return where each video prediction of the small model goes in the large one, in order."""
    levels = [sorted(map(int, model.generator.predictions)) for model in (small, large)]
    if len(levels[0]) != len(levels[1]):
        raise TrainingError(
            f"Cannot grow: video prediction sits after levels {levels[0]} in the small model and {levels[1]} in the large one; "
            f"set model.generator.prediction_levels {levels[0]} in the large one."
        )
    prefix = "generator.predictions."
    return {f"{prefix}{theirs}.": f"{prefix}{ours}." for theirs, ours in zip(*levels, strict=True)}


def _renamed(name: str, moved: dict[str, str]) -> str:
    for before, after in moved.items():
        if name.startswith(before):
            return after + name.removeprefix(before)
    return name


def _check_relief(small: StreamingModel, large: StreamingModel) -> None:
    """Refuse a relief that counts its level from the finest one: the blocks behind it were taught with it before them."""
    reliefs = [model.generator.relief_level for model in (small, large)]
    if small.generator.relief is not None and reliefs[0] != reliefs[1]:
        raise TrainingError(
            f"Cannot grow: the relief sits before level {reliefs[0]} in the small model and {reliefs[1]} in the large one; "
            f"set model.generator.relief_level {reliefs[0]} in the large one."
        )


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


def check_growable(small: ModelConfig, large: ModelConfig, where: Path) -> None:
    """Raise TrainingError, naming the keys, unless `large` is `small` with a larger picture."""
    differing = [key for key in differing_keys(small.to_dict(), large.to_dict()) if key not in MAY_DIFFER]
    if differing:
        names = ", ".join(f"model.{key}" for key in differing)
        raise TrainingError(f"{where} was taught with another {names}; only model.image_size may differ.")
    if large.image_size <= small.image_size:
        raise TrainingError(
            f"model.image_size is {large.image_size} and that of {where} {small.image_size}; a larger one was expected."
        )


def grown(source: Checkpoint, config: TrainConfig) -> tuple[Checkpoint, int]:
    """Return the checkpoint that a run of `config` starts from, and the number of tensors it takes over from `source`.

    Raises TrainingError when the model of `config` is not that of `source` with a larger picture.
    """
    check_growable(source.config.model, config.model, source.folder)
    small = build_model(source.config.model)
    load_weights(small, source.generator, source.folder)
    torch.manual_seed(config.seed)
    large = build_model(config.model)
    copied = grow(small, large)
    before = (*source.started_from, teaching(source.config, source.iterations))
    return Checkpoint(config, 0, 0.0, dict(large.state_dict()), {}, started_from=before), copied


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.families.listen_and_move.upscaling", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder or checkpoint of the small model")
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="training configuration of the large model")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="a new run folder")
    arguments = parser.parse_args(words)
    if checkpoint_folders(arguments.output):
        raise TrainingError(f"{arguments.output} holds a run already; choose another place with -o.")
    source, config = read_start(arguments.run), load_train_config(arguments.config)
    checkpoint, copied = grown(source, config)
    write_checkpoint(checkpoint_folder(arguments.output, 0), checkpoint)
    sizes = f"{source.config.model.image_size} to {config.model.image_size} pixels"
    print(f"{arguments.output}: grown from {sizes}, {copied} of {len(checkpoint.generator)} tensors taken over")
    print(f"go on with: python -m training.train {arguments.config} --from {arguments.output} --run-folder runs/NAME")
    return 0


if __name__ == "__main__":
    run_main(main)
