"""Weights of the original Listen and Move code, by the names of this project's tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.core.errors import TrainingError, nearest_name
from training.families.listen_and_move.model import ListenAndMove
from training.families.model_config import ModelConfig


def reference_names(config: ModelConfig, ours: str) -> list[str]:
    """Name the original's tensors that one of our tensors consists of; more than one are joined along the outputs.

    The original keeps update and reset gates apart; here they are one convolution.
    """
    head, *path = ours.removeprefix("generator.").split(".")
    match head:
        case "motion" if path[0] == "encoder":
            return [f"motion.sound_encoder.0.{path[1]}"]
        case "motion":
            return [f"motion.layers.{path[1]}.{path[2]}"]
        case "seed":
            return [f"generator.format_layer.1.module.{_noisy_conv(path)}"]
        case "blocks" if config.generator.architecture == "residual":
            return [f"generator.layers.{path[0]}.{_residual(path[1:])}"]
        case "blocks":
            half = ("first", "second").index(path[1])
            return [f"generator.layers.{path[0]}.{half}.module.{_noisy_conv(path[2:])}"]
        case "conditions":
            return [f"generator.conditions.{path[0]}.0.{path[2]}"]
        case "to_rgb":
            index = f"{path[0]}.0" if config.generator.architecture == "skip" else "0"
            return [f"generator.toRGB.{index}.conv.{path[1]}"]
        case "predictions":
            return [f"generator.vp_layers.{path[0]}.{name}" for name in _prediction(path[1:])]
    raise TrainingError(f"The original has no '{ours}'; import with a configuration without place maps and canvas.")


def _noisy_conv(path: list[str], first_index: int = 0) -> str:
    """conv.weight -> 0.conv.weight; grain -> 1.weight; norm.bias -> 2.module.bias."""
    match path[0]:
        case "conv":
            return f"{first_index}.conv.{path[1]}"
        case "grain":
            return f"{first_index + 1}.weight"
    return f"{first_index + 2}.module.{path[1]}"


def _residual(path: list[str]) -> str:
    if path[0] == "skip":
        return f"residual.conv.{path[1]}"
    return f"block.{_noisy_conv(path[1:], 0 if path[0] == 'first' else 4)}"


def _prediction(path: list[str]) -> list[str]:
    if path[0] == "blend":
        return [f"pmd_weighting.conv.{path[1]}"]
    _, cell, gates, *rest = path
    flow = ("centre", "vertical", "horizontal").index(cell)
    tail = f"conv.{rest[0]}" if cell == "centre" else "bias" if rest[0] == "bias" else f"convs.{rest[1]}.weight"
    originals = ("update", "reset") if gates == "gates" else ("output",)
    return [f"flows.{flow}.{gate}.{tail}" for gate in originals]


def convert(weights: Mapping[str, Tensor], config: ModelConfig) -> ListenAndMove:
    """Build the model of `config` with the original's weights.

    Raises TrainingError, naming the tensor, when one is missing, left over or of another shape than the configuration's.
    """
    model = ListenAndMove(config)
    left = set(weights)
    ours: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            ours[name] = tensor
            continue
        theirs = reference_names(config, name)
        for original in theirs:
            if original not in weights:
                raise TrainingError(
                    f"The weights lack '{original}', which this configuration has.{nearest_name(original, left)} "
                    "Check sound_route, motion_layers, architecture and prediction."
                )
        left -= set(theirs)
        joined = torch.cat([_turned(name, weights[original]) for original in theirs])
        if joined.shape != tensor.shape:
            raise TrainingError(
                f"'{theirs[0]}' is {list(joined.shape)}; this configuration expects {list(tensor.shape)}. "
                "Check image_size, mel_bands, channels_base and double_finest."
            )
        ours[name] = joined.to(tensor)
    left = {name for name in left if not name.endswith("num_batches_tracked")}
    if left:
        raise TrainingError(
            f"The weights hold '{min(left)}' ({len(left)} such tensors), which this configuration does not have."
        )
    model.load_state_dict(ours)
    return model.eval()


def _turned(ours: str, weight: Tensor) -> Tensor:
    """Lay a tensor of the original the way ours lies.

    Its directional biases have four axes, its horizontal rows stand upright, and with 3-D convolutions its 1 × 1 ones are
    1 × 1 × 1.
    """
    if ".cells." in ours and ours.endswith("bias"):
        return weight.flatten()
    if weight.dim() == 5 and weight.shape[2:] == (1, 1, 1):
        return weight[:, :, 0]
    return weight.transpose(2, 3) if ".horizontal." in ours and weight.dim() == 4 else weight
