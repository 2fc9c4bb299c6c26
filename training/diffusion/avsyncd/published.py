"""AVSyncD's published files: where they lie, what they hold, and the networks that are made of them.

The folder of weights is laid out as the original's README says, so a checkout of it with its downloads is one:

    pretrained/stable-diffusion-v1-5/{scheduler,text_encoder,tokenizer,vae}/...
    checkpoints/audio-cond_animation/avsync15_audio-cond_cfg/ckpts/checkpoint-37000/modules/unet/...
    .checkpoints/imagebind_huge.pth
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, PNDMScheduler, UNet2DConditionModel
from torch import Tensor

from training.diffusion.avsyncd.config import inflated_config
from training.diffusion.avsyncd.config import read_config as read_unet_config
from training.diffusion.avsyncd.unet import VideoUNet, added_names
from training.diffusion.imagebind_audio import ImageBindAudio, ImageBindAudioConfig, config_of, from_imagebind
from training.diffusion.stable_diffusion import (
    base_files,
    described,
    expected,
    ready,
    tensors_of,
)
from training.diffusion.state_dicts import load, read_config, read_weights, state_dict
from training.diffusion.weight_files import WeightFile

BASE = "pretrained/stable-diffusion-v1-5"
VAE = f"{BASE}/vae/diffusion_pytorch_model.bin"
TEXT = f"{BASE}/text_encoder/pytorch_model.bin"
SCHEDULER = f"{BASE}/scheduler/scheduler_config.json"
VOCABULARY = f"{BASE}/tokenizer/vocab.json"
STILL_UNET = f"{BASE}/unet/diffusion_pytorch_model.bin"
"""Stable Diffusion's own UNet, from which training begins."""
AUDIO = ".checkpoints/imagebind_huge.pth"

BASE_PLACE = (
    "huggingface.co, stable-diffusion-v1-5/stable-diffusion-v1-5, formerly runwayml (licence CreativeML OpenRAIL-M)"
)
UNET_PLACE = "the table 'Download pretrained AVSyncD' in github.com/lzhangbj/ASVA (licence MIT)"
AUDIO_PLACE = "dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth (licence CC BY-NC-SA 4.0)"

SAMPLERS: Mapping[str, Any] = {"pndm": PNDMScheduler, "dpm": DPMSolverMultistepScheduler}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One of the published models."""

    steps: int
    """Of its training."""
    width: int
    height: int
    classes: tuple[str, ...]
    """The texts it was trained with."""

    def folder(self, name: str) -> str:
        return f"checkpoints/audio-cond_animation/{name}_audio-cond_cfg/ckpts/checkpoint-{self.steps}/modules"


CHECKPOINTS: Mapping[str, Checkpoint] = {
    "avsync15": Checkpoint(
        37000,
        256,
        256,
        (
            "baby babbling crying",
            "cap gun shooting",
            "chicken crowing",
            "dog barking",
            "frog croaking",
            "hammering",
            "lions roaring",
            "machine gun shooting",
            "playing cello",
            "playing trombone",
            "playing trumpet",
            "playing violin fiddle",
            "sharpen knife",
            "striking bowling",
            "toilet flushing",
        ),
    ),
    "landscapes": Checkpoint(
        24000,
        256,
        256,
        (
            "explosion",
            "fire crackling",
            "raining",
            "splashing water",
            "squishing water",
            "thunder",
            "underwater bubbling",
            "waterfall burbling",
            "wind noise",
        ),
    ),
    "thegreatesthits": Checkpoint(16000, 256, 128, ("hitting with a stick",)),
}


def unet_file(model: str) -> str:
    """Return the place of the UNet of one of CHECKPOINTS."""
    return f"{CHECKPOINTS[model].folder(model)}/unet/diffusion_pytorch_model.safetensors"


def weight_files(unet: str) -> list[WeightFile]:
    """Return the files that rendering with a UNet needs, of one of CHECKPOINTS (`unet_file`) or of an own training."""
    return [
        WeightFile(str(Path(unet).with_name("config.json")), "shape of the UNet", UNET_PLACE),
        WeightFile(
            unet,
            "UNet",
            UNET_PLACE,
            other_names=("diffusion_pytorch_model.bin",),
            shapes=lambda file: (expected(lambda: unet_of(file)), tensors_of(file)),
        ),
        *_frozen_files(),
    ]


def training_files() -> list[WeightFile]:
    """Return the files that training from Stable Diffusion needs."""
    return [
        WeightFile(str(Path(STILL_UNET).with_name("config.json")), "shape of the UNet for stills", BASE_PLACE),
        WeightFile(
            STILL_UNET,
            "UNet for stills",
            BASE_PLACE,
            other_names=("diffusion_pytorch_model.safetensors",),
            shapes=lambda file: (expected(lambda: _still_unet_of(file)), tensors_of(file)),
        ),
        *_frozen_files(),
    ]


def _frozen_files() -> list[WeightFile]:
    audio = WeightFile(AUDIO, "audio encoder", AUDIO_PLACE, shapes=_audio_shapes)
    return [audio, *base_files(BASE, BASE_PLACE, {})]


def _audio_shapes(file: Path) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
    tensors = from_imagebind(tensors_of(file))
    return expected(lambda: ImageBindAudio(config_of(tensors))), tensors


def unet_of(file: Path) -> VideoUNet:
    """Return the UNet that the configuration beside a file describes, without its weights."""
    return VideoUNet(read_unet_config(read_config(file.with_name("config.json"))))


def _still_unet_of(file: Path) -> UNet2DConditionModel:
    return described(UNet2DConditionModel.from_config, file.with_name("config.json"))


def open_inflated(file: Path, sound_size: int, device: torch.device) -> VideoUNet:
    """Return a video UNet with Stable Diffusion's weights and fresh ones for what AVSyncD adds, in float32.

    Raises TrainingError where the file is no UNet of Stable Diffusion 1.5's kind.
    """
    unet = VideoUNet(inflated_config(read_config(file.with_name("config.json")), sound_size))
    added = set(added_names(unet))
    fresh = {name: value for name, value in unet.state_dict().items() if name in added}
    load(unet, state_dict(read_weights(file), file) | fresh, file)
    return unet.to(device=device, dtype=torch.float32)


def audio_config_of(file: Path) -> ImageBindAudioConfig:
    """Return the shape of the audio encoder in ImageBind's own file, of which the shapes alone are read."""
    return config_of(from_imagebind(tensors_of(file)))


def scheduler_of(file: Path, sampler: str) -> Any:
    """Return one of SAMPLERS with the noise schedule of a file."""
    return described(SAMPLERS[sampler].from_config, file)


def open_unet(file: Path, device: torch.device, kind: torch.dtype) -> VideoUNet:
    """Return the UNet with its weights. Raises TrainingError where they do not fit its configuration."""
    with torch.device("meta"):
        unet = unet_of(file)
    load(unet, state_dict(read_weights(file), file), file)
    return ready(unet, device, kind)


def open_audio(file: Path, device: torch.device, kind: torch.dtype) -> ImageBindAudio:
    """Return the audio encoder with its weights, of ImageBind's own file. Raises TrainingError where there is none in it."""
    tensors = from_imagebind(state_dict(read_weights(file), file))
    with torch.device("meta"):
        audio = ImageBindAudio(config_of(tensors))
    load(audio, tensors, file)
    return ready(audio, device, kind)
