"""Weights of the original Sound2Sight code, by the names of this project's tensors.

Its checkpoints are pickles of whole modules, which run code when they are loaded, so they are never read here. Where the original
runs, `CONVERSION` makes a file of weights alone of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from engine.core.errors import TrainingError, nearest_name
from training.families.model_config import ModelConfig
from training.families.sound2sight.model import Sound2Sight
from training.families.sound2sight.sound_coding import PATCHES

ATTENTIONS = {
    "sound_attention": "audio_rnn",
    "frame_attention": "video_rnn_prior",
    "target_attention": "video_rnn_posterior",
}
LAYER = "transformer_encoder.layers.0"
IN_ATTENTION = {
    "embed": "embed.",
    "project": f"{LAYER}.self_attn.in_proj_",
    "mix": f"{LAYER}.self_attn.out_proj.",
    "first_norm": f"{LAYER}.norm1.",
    "second_norm": f"{LAYER}.norm2.",
    "widen": f"{LAYER}.linear1.",
    "narrow": f"{LAYER}.linear2.",
    "output": "output_trans.0.",
}
NOT_READ = re.compile(r"disc|\.num_batches_tracked$|\.pe$|\.encoder_layer\.")
"""What there is beside the generator: discriminators, counters, positions, and the layer that the transformers were copied from."""
CONVERSION = (
    "in the original's environment: saved = torch.load('model.pth', weights_only=False); torch.save({f'{m}.{n}': v for m in saved if "
    "hasattr(saved[m], 'state_dict') for n, v in saved[m].state_dict().items()}, 'weights.pth')"
)


def original_name(ours: str, weights: Mapping[str, Tensor]) -> str:
    """Return the name that one of our tensors has there. Levels of the encoders are counted as in `weights`."""
    part, *path = ours.removeprefix("generator.").split(".")
    kind = path[-1]
    match part:
        case "encoder" | "sound_encoder":
            module = "encoder" if part == "encoder" else "audio_enc"
            levels = _levels(module, "c", weights)
            level = levels[-1] if path[0] == "code" else levels[int(path[1])]
            return f"{module}.{level}.{_in_block(module, level, path[-2], weights)}.{kind}"
        case "decoder":
            levels = _levels("decoder", "upc", weights)
            level = {"seed": levels[0], "frame": levels[-1]}.get(path[0]) or levels[1 + int(path[1])]
            return f"decoder.{level}.{_in_block('decoder', level, path[-2] if len(path) > 2 else '0', weights)}.{kind}"
        case "sound_attention" | "frame_attention" | "target_attention":
            return f"{ATTENTIONS[part]}.{IN_ATTENTION[path[0]]}{kind}"
        case "prior" | "posterior" | "predictor":
            return f"{'frame_predictor' if part == 'predictor' else part}.{_in_lstm(path)}"
    return ours


def _levels(module: str, letter: str, weights: Mapping[str, Tensor]) -> list[str]:
    """Return the names of a module's levels in their order: c2, c3, c4, c5."""
    found = {name.split(".")[1] for name in weights if re.match(rf"{module}\.{letter}\d+\.", name)}
    return sorted(found, key=lambda level: int(level.removeprefix(letter))) or [f"{letter}1"]


def _in_block(module: str, level: str, number: str, weights: Mapping[str, Tensor]) -> str:
    """Return where a block's convolution (0) or norm (1) stands: most blocks have a Sequential called main."""
    inside = f"main.{number}"
    return inside if any(name.startswith(f"{module}.{level}.{inside}.") for name in weights) else number


def _in_lstm(path: list[str]) -> str:
    match path:
        case ["layers", "embed", kind]:
            return f"embed.{kind}"
        case ["layers", "cells", layer, kind]:
            return f"lstm.{layer}.{kind}"
        case ["mean", kind]:
            return f"mu_net.{kind}"
        case ["log_variance", kind]:
            return f"logvar_net.{kind}"
    return f"output.0.{path[-1]}"


def convert(weights: Mapping[str, Tensor], config: ModelConfig) -> Sound2Sight:
    """Build the model of `config` with the original's weights.

    Raises TrainingError, naming the tensor, when one is missing, left over or of another shape than the configuration's.
    """
    if config.generator.sound not in PATCHES:
        raise TrainingError(
            f"model.generator.sound is '{config.generator.sound}'; the original has patches of the spectrogram: set it to stft23x21 or stft45x17."
        )
    model = Sound2Sight(config)
    left = {name for name in weights if not NOT_READ.search(name)}
    ours: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if not name.startswith("generator.") or name.endswith("num_batches_tracked"):
            ours[name] = tensor
            continue
        theirs = original_name(name, weights)
        if theirs not in weights:
            raise TrainingError(
                f"The weights lack '{theirs}', which this configuration has.{nearest_name(theirs, left)} Check image_size, sound and "
                f"the numbers of layers. A checkpoint of the original becomes a file of weights {CONVERSION}."
            )
        left.discard(theirs)
        if weights[theirs].shape != tensor.shape:
            raise TrainingError(
                f"'{theirs}' is {list(weights[theirs].shape)}; this configuration expects {list(tensor.shape)}. Check image_size, "
                "colours, channels, code_size, latent_size, hidden_size, feedforward, sound and predictor_hears."
            )
        ours[name] = weights[theirs].to(tensor)
    if left:
        raise TrainingError(
            f"The weights hold '{min(left)}' ({len(left)} such tensors), which this configuration does not have."
        )
    model.load_state_dict(ours)
    return model.eval()
