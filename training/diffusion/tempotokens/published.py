"""TempoTokens' published files: where they lie, what they hold, and the networks that are made of them.

The folder of weights holds what the original's README puts into `models`, and beside it the text-to-video model that it stands on:

    zeroscope_v2_576w/{scheduler,text_encoder,tokenizer,unet,vae}/...
    BEATs/BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt
    vggsound/learned_embeds.pth   (or landscape, audioset_drum)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet3DConditionModel
from torch import Tensor

from engine.core.errors import TrainingError, nearest_name
from engine.core.structured import shortened
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.stable_diffusion import (
    base_files,
    described,
    expected,
    ready,
    tensors_of,
    text_config,
)
from training.diffusion.state_dicts import load, read_weights, state_dict
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.weight_files import WeightFile

BASE = "zeroscope_v2_576w"
UNET = f"{BASE}/unet/diffusion_pytorch_model.bin"
VAE = f"{BASE}/vae/diffusion_pytorch_model.bin"
TEXT = f"{BASE}/text_encoder/pytorch_model.bin"
SCHEDULER = f"{BASE}/scheduler/scheduler_config.json"
VOCABULARY = f"{BASE}/tokenizer/vocab.json"
BEATS_FILE = "BEATs/BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"
MAPPER_FILE = "learned_embeds.pth"
MAPPERS = ("vggsound", "landscape", "audioset_drum")
"""What the published mappers were trained on."""

BASE_PLACE = "huggingface.co/cerspense/zeroscope_v2_576w (licence CC BY-NC 4.0)"
BEATS_PLACE = (
    "the link in github.com/microsoft/unilm, folder beats: 'Fine-tuned BEATs_iter3+ (AS2M) (cpt2)' (licence MIT)"
)
MAPPER_PLACE = "the link under 'Pre-trained weights' in github.com/guyyariv/TempoTokens (licence MIT)"

CHECKSUMS = {
    "vae/diffusion_pytorch_model.safetensors": "3e4c08995484ee61270175e9e7a072b66a6e4eeb5f0c266667fe1f45b90daf9a",
    "text_encoder/pytorch_model.bin": "76877281ed10a4a71f6c2aa0edd286a9e5e23a852a05d13fb05965b464a305bb",
}
"""Of the base, beside the UNet's."""

Pair = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
"""Tensors that are expected and those in a file."""

NOT_OF_THE_ENCODER = r"^predictor\."
"""The labels of the fine-tuned BEATs."""


def weight_files(mapper: str, with_sound: bool = True) -> list[WeightFile]:
    """Return the files that one of the mappers needs; without sound, the text-to-video model alone."""
    base = [
        WeightFile(f"{BASE}/unet/config.json", "shape of the UNet", BASE_PLACE),
        WeightFile(
            UNET,
            "UNet",
            BASE_PLACE,
            2_823_110_385,
            {"diffusion_pytorch_model.bin": "42b51ea486109b7479366e01aae7e267a81bb750c13eb5c6b765a3d5bc7987c9"},
            ("diffusion_pytorch_model.safetensors",),
            lambda file: (expected(lambda: unet_of(file.parent)), tensors_of(file)),
        ),
        *base_files(BASE, BASE_PLACE, CHECKSUMS),
    ]
    if not with_sound:
        return base
    return [
        *base,
        WeightFile(BEATS_FILE, "audio encoder", BEATS_PLACE, shapes=_beats_shapes),
        WeightFile(
            f"{mapper}/{MAPPER_FILE}",
            "mapper",
            MAPPER_PLACE,
            other_names=("learned_embeds.safetensors",),
            shapes=_mapper_shapes,
        ),
    ]


def check_mapper(name: str, folder: Path) -> None:
    """Raise TrainingError for a mapper of one's own that a folder of weights does not hold; published ones are among its files."""
    own = sorted({place.parent.name for place in folder.glob("*/learned_embeds.*")})
    if name in (*MAPPERS, *own) or not folder.is_dir():
        return
    raise TrainingError(
        f"--mapper is '{shortened(name)}', and {folder} holds no such mapper.{nearest_name(name, (*MAPPERS, *own))} It holds "
        f"{', '.join(own) or 'none'}; published are {', '.join(MAPPERS)}."
    )


def training_files() -> list[WeightFile]:
    """Return the files that training a mapper needs: all but mappers."""
    return [file for file in weight_files(MAPPERS[0]) if not file.path.endswith(MAPPER_FILE)]


def _beats_shapes(file: Path) -> Pair:
    content = _beats_content(file, "meta")
    return expected(lambda: Beats(content[0])), content[1]


def beats_of(file: Path) -> Beats:
    """Return the audio encoder on the meta device. Raises TrainingError where the file is of another kind."""
    config, _ = _beats_content(file, "meta")
    with torch.device("meta"):
        return Beats(config)


def _mapper_shapes(file: Path) -> Pair:
    tensors = tensors_of(file)
    return expected(lambda: AudioMapper(_mapper_config(tensors, file))), tensors


def unet_from(values: Mapping[str, Any]) -> UNet3DConditionModel:
    """Return the UNet of a configuration, without its weights."""
    return UNet3DConditionModel.from_config(dict(values))


def scheduler_from(values: Mapping[str, Any]) -> DPMSolverMultistepScheduler:
    """Return DPM-Solver++ with a noise schedule; it is read as DDPM's first, as the original does."""
    return DPMSolverMultistepScheduler.from_config(DDPMScheduler.from_config(dict(values)).config)


def unet_of(folder: Path) -> UNet3DConditionModel:
    """Return the UNet that a folder's configuration describes, without its weights. Raises TrainingError, as those below."""
    return described(unet_from, folder / "config.json")


def check_together(unet: UNet3DConditionModel, text_encoder: Path) -> None:
    """Raise TrainingError for a UNet that does not read what the text encoder of a file gives."""
    width = described(text_config, text_encoder.with_name("config.json")).hidden_size
    if unet.config.cross_attention_dim != width:
        raise TrainingError(
            f"The UNet reads words of {unet.config.cross_attention_dim} numbers and the text encoder gives {width}; two of one "
            "text-to-video model were expected."
        )


def scheduler_of(file: Path) -> DPMSolverMultistepScheduler:
    """Return the scheduler of a file."""
    return described(scheduler_from, file)


def open_unet(file: Path, device: torch.device, kind: torch.dtype) -> UNet3DConditionModel:
    """Return the UNet with its weights. Raises TrainingError where they do not fit its configuration."""
    with torch.device("meta"):
        unet = unet_of(file.parent)
    load(unet, state_dict(read_weights(file), file), file)
    return ready(unet, device, kind)


def open_beats(file: Path, device: torch.device, kind: torch.dtype = torch.float32) -> Beats:
    """Return the audio encoder. Raises TrainingError where the file is of another kind."""
    config, state = _beats_content(file, "cpu")
    beats = Beats(config)
    load(beats, state, file)
    return ready(beats, device, kind)


def open_mapper(file: Path, device: torch.device, kind: torch.dtype = torch.float32) -> AudioMapper:
    """Return the mapper. Raises TrainingError where the file is of another kind."""
    state = state_dict(read_weights(file), file)
    mapper = AudioMapper(_mapper_config(state, file))
    load(mapper, state, file)
    return ready(mapper, device, kind)


def _beats_content(file: Path, device: str) -> tuple[BeatsConfig, dict[str, Tensor]]:
    content = read_weights(file, device)
    if not isinstance(content, dict) or not {"cfg", "model"} <= set(content) or not isinstance(content["cfg"], dict):
        raise TrainingError(
            f"{file} holds no configuration 'cfg' and weights 'model'; BEATs as published was expected: {BEATS_PLACE}."
        )
    try:
        config = BeatsConfig.of_file(content["cfg"])
    except TrainingError as error:
        raise TrainingError(f"{file}: {error}") from error
    return config, state_dict(content["model"], file, NOT_OF_THE_ENCODER)


def _mapper_config(state: Mapping[str, Tensor], file: Path) -> MapperConfig:
    """Return the shape of a mapper, which its file does not say, from that of its weights."""
    first, last = state.get("fc1.weight"), state.get("fc4.weight")
    if first is None or last is None or first.ndim != 2 or last.ndim != 2:
        raise TrainingError(f"{file} lacks 'fc1.weight' or 'fc4.weight'; a mapper of TempoTokens was expected.")
    return MapperConfig(input_size=first.shape[1], hidden_size=first.shape[0], output_size=last.shape[0])
