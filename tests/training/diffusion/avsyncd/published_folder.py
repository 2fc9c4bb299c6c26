"""A folder of weights as AVSyncD's README lays it out, of small networks with random weights."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.avsyncd_cases import give_weights
from tests.training.diffusion.test_imagebind_audio import imagebind_file
from training.diffusion.avsyncd.config import UNetConfig, written_config
from training.diffusion.avsyncd.published import AUDIO, SCHEDULER, STILL_UNET, TEXT, VAE, VOCABULARY, unet_file
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.imagebind_audio import ImageBindAudio, ImageBindAudioConfig

SHAPE = UNetConfig(channels=(8, 16), layers=1, heads=2, groups=4, text_size=16, sound_size=32)
SOUND_SHAPE = ImageBindAudioConfig(size=32, layers=1, heads=1, embedding_size=8)
WORDS = ("<|startoftext|>", "<|endoftext|>")


def write_folder(folder: Path, model: str = "avsync15") -> Path:
    """Write all files of one model, and return the folder."""
    unet = VideoUNet(SHAPE)
    give_weights(unet)
    write_config(folder / unet_file(model), written_config(SHAPE))
    save_file(tensors(unet), folder / unet_file(model))
    audio = ImageBindAudio(SOUND_SHAPE)
    give_weights(audio)
    place(folder, AUDIO)
    torch.save(imagebind_file(audio), folder / AUDIO)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
    )
    give_weights(vae)
    write_config(folder / VAE, dict(vae.config))
    torch.save(vae.state_dict(), folder / VAE)
    write_text_encoder(folder)
    schedule = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    place(folder, SCHEDULER).write_text(json.dumps(dict(schedule.config)))
    return folder


def write_still_unet(folder: Path) -> UNet2DConditionModel:
    """Add Stable Diffusion's own UNet of the same sizes, from which training begins."""
    still = UNet2DConditionModel(
        block_out_channels=SHAPE.channels,
        layers_per_block=SHAPE.layers,
        attention_head_dim=SHAPE.heads,
        norm_num_groups=SHAPE.groups,
        cross_attention_dim=SHAPE.text_size,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    give_weights(still)
    write_config(folder / STILL_UNET, dict(still.config))
    torch.save(still.state_dict(), folder / STILL_UNET)
    return still


def write_text_encoder(folder: Path) -> None:
    """CLIP's text encoder and words, of letters alone."""
    letters = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase), *WORDS]
    shape = CLIPTextConfig(
        vocab_size=len(letters),
        hidden_size=SHAPE.text_size,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=len(letters) - 2,
        eos_token_id=len(letters) - 1,
        pad_token_id=len(letters) - 1,
    )
    encoder = CLIPTextModel(shape)
    give_weights(encoder)
    write_config(folder / TEXT, shape.to_dict())
    # With the prefix and the row of positions that published files have.
    state = {f"text_model.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({**state, "text_model.embeddings.position_ids": torch.arange(77)[None]}, folder / TEXT)
    place(folder, VOCABULARY).write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
    tokenizer = (folder / VOCABULARY).parent
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    names = {f"{kind}_token": WORDS[kind != "bos"] for kind in ("bos", "eos", "unk", "pad")}
    described = {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", **names}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(described))


def place(folder: Path, path: str) -> Path:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    return folder / path


def write_config(weights: Path, values: dict[str, Any]) -> None:
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.with_name("config.json").write_text(json.dumps(values, default=str))


def tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.contiguous() for name, value in module.state_dict().items()}
