"""TempoTokens' published files: where they lie, what they hold, and the networks that are made of them.

The folder of weights holds what the original's README puts into `models`, and beside it the text-to-video model that it stands on:

    zeroscope_v2_576w/{scheduler,text_encoder,tokenizer,unet,vae}/...
    BEATs/BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt
    vggsound/learned_embeds.pth   (or landscape, audioset_drum)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, DDPMScheduler, DPMSolverMultistepScheduler, UNet3DConditionModel
from diffusers.utils import logging as diffusers_logging
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from engine.core.errors import TrainingError
from engine.core.small_files import read_text
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.state_dicts import (
    MOST_CONFIG_BYTES,
    load,
    read_config,
    read_weights,
    state_dict,
    with_current_names,
)
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.weight_files import WeightFile

# Their hints are for programmers; what a user should know is told by this project.
diffusers_logging.set_verbosity_error()
transformers_logging.set_verbosity_error()

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

Made = TypeVar("Made")
Opener = Callable[[Path, torch.device, torch.dtype], Any]
"""Of a network with its weights."""
Pair = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
"""Tensors that are expected and those in a file."""

NOT_OF_THE_ENCODER = r"^predictor\."
"""The labels of the fine-tuned BEATs."""
NOT_OF_THE_TEXT_ENCODER = r"\.position_ids$"
"""A row of numbers that older versions of the library saved."""
TEXT_PREFIX = "text_model."
"""Before all names of the text encoder in published files; the library of today has none."""


def weight_files(mapper: str, with_sound: bool = True) -> list[WeightFile]:
    """Return the files that one of the mappers needs; without sound, the text-to-video model alone."""
    configs = {
        SCHEDULER: "noise schedule",
        f"{BASE}/unet/config.json": "shape of the UNet",
        f"{BASE}/vae/config.json": "shape of the autoencoder",
        f"{BASE}/text_encoder/config.json": "shape of the text encoder",
        VOCABULARY: "words",
        f"{BASE}/tokenizer/merges.txt": "words",
        f"{BASE}/tokenizer/tokenizer_config.json": "words",
    }
    base = [
        *(WeightFile(path, holds, BASE_PLACE) for path, holds in configs.items()),
        WeightFile(
            UNET,
            "UNet",
            BASE_PLACE,
            2_823_110_385,
            {"diffusion_pytorch_model.bin": "42b51ea486109b7479366e01aae7e267a81bb750c13eb5c6b765a3d5bc7987c9"},
            ("diffusion_pytorch_model.safetensors",),
            lambda file: (_expected(lambda: unet_of(file.parent)), _tensors(file)),
        ),
        WeightFile(
            VAE,
            "autoencoder",
            BASE_PLACE,
            None,
            {"diffusion_pytorch_model.safetensors": "3e4c08995484ee61270175e9e7a072b66a6e4eeb5f0c266667fe1f45b90daf9a"},
            ("diffusion_pytorch_model.safetensors",),
            lambda file: (_expected(lambda: vae_of(file.parent)), with_current_names(_tensors(file))),
        ),
        WeightFile(
            TEXT,
            "text encoder",
            BASE_PLACE,
            None,
            {"pytorch_model.bin": "76877281ed10a4a71f6c2aa0edd286a9e5e23a852a05d13fb05965b464a305bb"},
            ("model.safetensors",),
            lambda file: (
                _expected(lambda: text_encoder_of(file.parent)),
                _text_tensors(read_weights(file, "meta"), file),
            ),
        ),
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


def training_files() -> list[WeightFile]:
    """Return the files that training a mapper needs: all but mappers."""
    return [file for file in weight_files(MAPPERS[0]) if not file.path.endswith(MAPPER_FILE)]


def _tensors(file: Path, ignored: str = r"(?!)") -> dict[str, Tensor]:
    return state_dict(read_weights(file, "meta"), file, ignored)


def _text_tensors(content: Any, file: Path) -> dict[str, Tensor]:
    tensors = state_dict(content, file, NOT_OF_THE_TEXT_ENCODER)
    return {name.removeprefix(TEXT_PREFIX): value for name, value in tensors.items()}


def _expected(make: Callable[[], nn.Module]) -> Mapping[str, Tensor]:
    with torch.device("meta"):
        return make().state_dict()


def _beats_shapes(file: Path) -> Pair:
    content = _beats_content(file, "meta")
    return _expected(lambda: Beats(content[0])), content[1]


def _mapper_shapes(file: Path) -> Pair:
    tensors = _tensors(file)
    return _expected(lambda: AudioMapper(_mapper_config(tensors, file))), tensors


def _shaped(make: Callable[[dict[str, Any]], Made], file: Path) -> Made:
    """Return what a library makes of a configuration file. Raises TrainingError where it makes nothing of it."""
    values = read_config(file)
    try:
        return make(values)
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError) as error:
        raise TrainingError(f"{file} does not describe what was expected ({error}); fetch it again.") from error


def unet_from(values: Mapping[str, Any]) -> UNet3DConditionModel:
    """Return the UNet of a configuration, without its weights."""
    return UNet3DConditionModel.from_config(dict(values))


def vae_from(values: Mapping[str, Any]) -> AutoencoderKL:
    """Return the autoencoder, likewise."""
    return AutoencoderKL.from_config(dict(values))


def text_config(values: Mapping[str, Any]) -> CLIPTextConfig:
    """Return a configuration as the library has it; attention is computed as the original computes it, to the last digit."""
    return CLIPTextConfig.from_dict({**values, "attn_implementation": "eager"})


def text_encoder_from(values: Mapping[str, Any]) -> CLIPTextModel:
    """Return the text encoder of a configuration, without its weights."""
    return CLIPTextModel(text_config(values))


def scheduler_from(values: Mapping[str, Any]) -> DPMSolverMultistepScheduler:
    """Return DPM-Solver++ with a noise schedule; it is read as DDPM's first, as the original does."""
    return DPMSolverMultistepScheduler.from_config(DDPMScheduler.from_config(dict(values)).config)


def unet_of(folder: Path) -> UNet3DConditionModel:
    """Return the UNet that a folder's configuration describes, without its weights. Raises TrainingError, as those below."""
    return _shaped(unet_from, folder / "config.json")


def vae_of(folder: Path) -> AutoencoderKL:
    """Return the autoencoder, likewise."""
    return _shaped(vae_from, folder / "config.json")


def text_encoder_of(folder: Path) -> CLIPTextModel:
    """Return the text encoder, likewise."""
    return _shaped(text_encoder_from, folder / "config.json")


def scheduler_of(file: Path) -> DPMSolverMultistepScheduler:
    """Return the scheduler of a file."""
    return _shaped(scheduler_from, file)


def tokenizer_of(folder: Path) -> CLIPTokenizer:
    """Return the words of the text encoder. Raises TrainingError for files that are missing or damaged."""
    _check_words(folder / "vocab.json", folder / "merges.txt")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"{folder} holds no words of CLIP ({error}); fetch its files again.") from error


def _check_words(vocabulary: Path, merges: Path) -> None:
    """Refuse what the library would refuse with an exception of no kind."""
    words = read_config(vocabulary)
    if not all(isinstance(number, int) for number in words.values()):
        raise TrainingError(f"{vocabulary} holds no words of CLIP, which are numbered; fetch it again.")
    try:
        lines = read_text(merges, MOST_CONFIG_BYTES).splitlines()
    except OSError as error:
        raise TrainingError(
            f"Cannot read {merges}: {error.strerror}; --check-weights shows what is missing."
        ) from error
    except ValueError as error:
        raise TrainingError(f"{merges} cannot be used: {error}; fetch it again.") from error
    for number, line in enumerate(lines, 1):
        parts = line.split(" ")
        if (
            line
            and not line.startswith("#version")
            and (len(parts) != 2 or not {*parts, "".join(parts)} <= words.keys())
        ):
            raise TrainingError(
                f"{merges} joins what are no words of {vocabulary.name} in line {number}; fetch both again."
            )


def open_unet(file: Path, device: torch.device, kind: torch.dtype) -> UNet3DConditionModel:
    """Return the UNet with its weights. Raises TrainingError where they do not fit its configuration."""
    with torch.device("meta"):
        unet = unet_of(file.parent)
    load(unet, state_dict(read_weights(file), file), file)
    return _ready(unet, device, kind)


def open_vae(file: Path, device: torch.device, kind: torch.dtype) -> AutoencoderKL:
    """Return the autoencoder, likewise."""
    with torch.device("meta"):
        vae = vae_of(file.parent)
    load(vae, with_current_names(state_dict(read_weights(file), file)), file)
    return _ready(vae, device, kind)


def open_text_encoder(file: Path, device: torch.device, kind: torch.dtype) -> CLIPTextModel:
    """Return the text encoder, likewise."""
    # Not on the meta device: it counts its positions when it is made.
    text_encoder = text_encoder_of(file.parent)
    load(text_encoder, _text_tensors(read_weights(file), file), file)
    return _ready(text_encoder, device, kind)


def open_beats(file: Path, device: torch.device) -> Beats:
    """Return the audio encoder, in float32. Raises TrainingError where the file is of another kind."""
    config, state = _beats_content(file, "cpu")
    beats = Beats(config)
    load(beats, state, file)
    return _ready(beats, device, torch.float32)


def open_mapper(file: Path, device: torch.device) -> AudioMapper:
    """Return the mapper, in float32. Raises TrainingError where the file is of another kind."""
    state = state_dict(read_weights(file), file)
    mapper = AudioMapper(_mapper_config(state, file))
    load(mapper, state, file)
    return _ready(mapper, device, torch.float32)


def _ready(module: Any, device: torch.device, kind: torch.dtype) -> Any:
    return module.to(device=device, dtype=kind).requires_grad_(False).eval()


def _beats_content(file: Path, device: str) -> tuple[BeatsConfig, dict[str, Tensor]]:
    content = read_weights(file, device)
    if not isinstance(content, dict) or not {"cfg", "model"} <= set(content):
        raise TrainingError(
            f"{file} holds no configuration 'cfg' and weights 'model'; BEATs as published was expected: {BEATS_PLACE}."
        )
    return BeatsConfig.of_file(content["cfg"]), state_dict(content["model"], file, NOT_OF_THE_ENCODER)


def _mapper_config(state: Mapping[str, Tensor], file: Path) -> MapperConfig:
    """Return the shape of a mapper, which its file does not say, from that of its weights."""
    first, last = state.get("fc1.weight"), state.get("fc4.weight")
    if first is None or last is None or first.ndim != 2 or last.ndim != 2:
        raise TrainingError(f"{file} lacks 'fc1.weight' or 'fc4.weight'; a mapper of TempoTokens was expected.")
    return MapperConfig(input_size=first.shape[1], hidden_size=first.shape[0], output_size=last.shape[0])
