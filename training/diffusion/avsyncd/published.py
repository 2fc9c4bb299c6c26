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
from diffusers import DPMSolverMultistepScheduler, PNDMScheduler
from torch import Tensor

from training.diffusion.avsyncd.config import read_config as read_unet_config
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.imagebind_audio import ImageBindAudio, ImageBindAudioConfig, config_of, from_imagebind
from training.diffusion.stable_diffusion import (
    NOT_OF_THE_TEXT_ENCODER,
    described,
    expected,
    ready,
    tensors_of,
    text_encoder_of,
    vae_of,
)
from training.diffusion.state_dicts import load, read_config, read_weights, state_dict, with_current_names
from training.diffusion.weight_files import WeightFile

BASE = "pretrained/stable-diffusion-v1-5"
VAE = f"{BASE}/vae/diffusion_pytorch_model.bin"
TEXT = f"{BASE}/text_encoder/pytorch_model.bin"
SCHEDULER = f"{BASE}/scheduler/scheduler_config.json"
VOCABULARY = f"{BASE}/tokenizer/vocab.json"
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


def weight_files(model: str) -> list[WeightFile]:
    """Return the files that one of CHECKPOINTS needs."""
    unet = unet_file(model)
    configs = {
        SCHEDULER: "noise schedule",
        f"{BASE}/vae/config.json": "shape of the autoencoder",
        f"{BASE}/text_encoder/config.json": "shape of the text encoder",
        VOCABULARY: "words",
        f"{BASE}/tokenizer/merges.txt": "words",
        f"{BASE}/tokenizer/tokenizer_config.json": "words",
    }
    return [
        WeightFile(str(Path(unet).with_name("config.json")), "shape of the UNet", UNET_PLACE),
        WeightFile(
            unet,
            "UNet",
            UNET_PLACE,
            other_names=("diffusion_pytorch_model.bin",),
            shapes=lambda file: (expected(lambda: unet_of(file)), tensors_of(file)),
        ),
        WeightFile(AUDIO, "audio encoder", AUDIO_PLACE, shapes=_audio_shapes),
        *(WeightFile(path, holds, BASE_PLACE) for path, holds in configs.items()),
        WeightFile(
            VAE,
            "autoencoder",
            BASE_PLACE,
            other_names=("diffusion_pytorch_model.safetensors",),
            shapes=lambda file: (expected(lambda: vae_of(file.parent)), with_current_names(tensors_of(file))),
        ),
        WeightFile(
            TEXT,
            "text encoder",
            BASE_PLACE,
            other_names=("model.safetensors",),
            shapes=lambda file: (
                expected(lambda: text_encoder_of(file.parent)),
                tensors_of(file, NOT_OF_THE_TEXT_ENCODER),
            ),
        ),
    ]


def _audio_shapes(file: Path) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
    tensors = from_imagebind(tensors_of(file))
    return expected(lambda: ImageBindAudio(config_of(tensors))), tensors


def unet_of(file: Path) -> VideoUNet:
    """Return the UNet that the configuration beside a file describes, without its weights."""
    return VideoUNet(read_unet_config(read_config(file.with_name("config.json"))))


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
