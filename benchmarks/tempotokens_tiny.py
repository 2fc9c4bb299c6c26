"""A folder of tiny random weights in the layout of TempoTokens' published ones: the command runs end to end without them.

    python -m benchmarks.tempotokens_tiny FOLDER

What is rendered with it is coloured noise that changes with the sound.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.core.errors import run_main
from training.diffusion import stable_diffusion
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig

BEATS = {
    "embed_dim": 16,
    "encoder_layers": 2,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 48,
    "encoder_attention_heads": 4,
    "conv_pos": 16,
    "conv_pos_groups": 4,
    "num_buckets": 32,
    "max_distance": 40,
    "input_patch_size": 16,
    "conv_bias": False,
    "deep_norm": True,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
    "layer_norm_first": False,
    "activation_fn": "gelu",
    # What only the fine-tuned labels need.
    "finetuned_model": True,
    "predictor_class": 7,
}
WIDTH = 32
UNET = {
    "_class_name": "UNet3DConditionModel",
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D"],
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
    "norm_num_groups": 32,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 8,
}
VAE = {
    "_class_name": "AutoencoderKL",
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [8, 8, 16, 16],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "scaling_factor": 0.18215,
}
TEXT = {
    "architectures": ["CLIPTextModel"],
    "vocab_size": 520,
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
    "hidden_act": "gelu",
    "projection_dim": WIDTH,
    "bos_token_id": 518,
    "eos_token_id": 519,
    "pad_token_id": 0,
}
SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
BYTES_OF_WORDS = [*range(33, 127), *range(161, 173), *range(174, 256)]
"""Bytes that stand for themselves in CLIP's words; the others come after them."""
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def draw_weights(module: nn.Module, seed: int) -> nn.Module:
    """Give a module random weights that neither explode nor vanish; they depend on names, shapes and the seed alone."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(module.state_dict().items()):
            if not value.is_floating_point():
                continue
            drawn = torch.randn(value.shape, generator=random)
            if value.ndim > 1 and not name.endswith(("weight_g", "grep_a")):
                value.copy_(drawn / value[0].numel() ** 0.5)
            else:
                value.copy_(0.1 * drawn + (0.0 if name.endswith("bias") else 1.0))
    return module.eval()


def words_of_clip() -> list[str]:
    """Return the words of a text that has none but single letters: 512 letters, within a word and at its end, begin and end."""
    letters = [chr(byte) for byte in BYTES_OF_WORDS]
    letters += [chr(256 + number) for number in range(256 - len(letters))]
    return [*letters, *(f"{letter}</w>" for letter in letters)]


def write_tokenizer(folder: Path, size: int) -> None:
    """Write words of CLIP without any merges: `size` of them, the last two begin and end."""
    folder.mkdir(parents=True, exist_ok=True)
    words = words_of_clip()
    words += [f"unused{number}</w>" for number in range(size - 2 - len(words))]
    vocabulary = {word: number for number, word in enumerate([*words, BEGIN, END])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    settings = {
        "bos_token": BEGIN,
        "eos_token": END,
        "unk_token": END,
        "pad_token": "!",
        "model_max_length": 77,
        "do_lower_case": True,
        "tokenizer_class": "CLIPTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _write(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _save(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, file)


def write_words(folder: Path) -> None:
    """Write what comes before and after the networks: a random text encoder, its words, and the noise schedule."""
    base = folder / published.BASE
    text = draw_weights(stable_diffusion.text_encoder_of(_write(base / "text_encoder", TEXT)), 3)
    write_network(folder / published.TEXT, text, stable_diffusion.TEXT_PREFIX)
    write_tokenizer(base / "tokenizer", TEXT["vocab_size"])
    (base / "scheduler").mkdir(exist_ok=True)
    (folder / published.SCHEDULER).write_text(json.dumps(SCHEDULER))


def write_network(file: Path, network: nn.Module, prefix: str = "") -> None:
    """Write weights in float16, as the text-to-video model is published."""
    _save(file, {prefix + name: value.half() for name, value in network.state_dict().items()})


def write_beats(folder: Path, beats: Beats, config: dict[str, Any]) -> None:
    """Write an audio encoder with its configuration, and labels that nobody reads."""
    labels = {"predictor.weight": torch.zeros(7, WIDTH), "predictor.bias": torch.zeros(7)}
    _save(folder / published.BEATS_FILE, {"cfg": config, "model": {**beats.state_dict(), **labels}})


def write_tiny_weights(folder: Path, mapper: str = "vggsound") -> None:
    """Write all files that TempoTokens needs."""
    base = folder / published.BASE
    unet = draw_weights(published.unet_of(_write(base / "unet", UNET)), 1)
    vae = draw_weights(stable_diffusion.vae_of(_write(base / "vae", VAE)), 2)
    write_network(folder / published.UNET, unet)
    write_network(folder / published.VAE, vae)
    write_words(folder)
    beats = draw_weights(Beats(BeatsConfig.of_file(BEATS)), 4)
    write_beats(folder, beats, BEATS)
    shape = MapperConfig(input_size=beats.config.feature_size, hidden_size=24, output_size=WIDTH)
    _save(folder / mapper / published.MAPPER_FILE, draw_weights(AudioMapper(shape), 5).state_dict())


def main() -> int:
    parser = argparse.ArgumentParser(description="Write a folder of tiny random weights.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    write_tiny_weights(folder)
    print(f"{folder}: tiny weights of TempoTokens")
    return 0


if __name__ == "__main__":
    run_main(main)
