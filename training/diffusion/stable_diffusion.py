"""The parts of Stable Diffusion that video models leave as they are: autoencoder, text encoder and words, as their files give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engine.core.errors import TrainingError
from training.diffusion.state_dicts import load, read_config, read_weights, state_dict, with_current_names

NOT_OF_THE_TEXT_ENCODER = r"\.position_ids$"
"""A row of numbers that older versions of the library saved."""
Made = TypeVar("Made")


def tensors_of(file: Path, ignored: str = r"(?!)") -> dict[str, Tensor]:
    """Return a file's tensors on the meta device, without those whose names match `ignored`. Raises TrainingError."""
    return state_dict(read_weights(file, "meta"), file, ignored)


def expected(make: Callable[[], nn.Module]) -> Mapping[str, Tensor]:
    """Return the tensors of a network on the meta device."""
    with torch.device("meta"):
        return make().state_dict()


def described(make: Callable[[dict[str, Any]], Made], file: Path) -> Made:
    """Return what a library makes of a configuration file. Raises TrainingError where it makes nothing of it."""
    values = read_config(file)
    try:
        return make(values)
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError) as error:
        raise TrainingError(f"{file} does not describe what was expected ({error}); fetch it again.") from error


def vae_of(folder: Path) -> AutoencoderKL:
    """Return the autoencoder that a folder's configuration describes, without its weights."""
    return described(AutoencoderKL.from_config, folder / "config.json")


def text_encoder_of(folder: Path) -> CLIPTextModel:
    """Return the text encoder, likewise."""
    return described(lambda values: CLIPTextModel(CLIPTextConfig.from_dict(values)), folder / "config.json")


def tokenizer_of(folder: Path) -> CLIPTokenizer:
    """Return the words of the text encoder."""
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(
            f"{folder} holds no words of CLIP ({error}); fetch vocab.json and merges.txt again."
        ) from error


def open_vae(file: Path, device: torch.device, kind: torch.dtype) -> AutoencoderKL:
    """Return the autoencoder with its weights. Raises TrainingError where they do not fit its configuration."""
    with torch.device("meta"):
        vae = vae_of(file.parent)
    load(vae, with_current_names(state_dict(read_weights(file), file)), file)
    return ready(vae, device, kind)


def open_text_encoder(file: Path, device: torch.device, kind: torch.dtype) -> CLIPTextModel:
    """Return the text encoder, likewise."""
    # Not on the meta device: it counts its positions when it is made.
    text_encoder = text_encoder_of(file.parent)
    load(text_encoder, state_dict(read_weights(file), file, NOT_OF_THE_TEXT_ENCODER), file)
    return ready(text_encoder, device, kind)


def text_tokens(encoder: Any, tokenizer: Any, text: str) -> Tensor:
    """Return what the text encoder makes of one text [1, L, D]; what is too much for it is cut."""
    words = tokenizer(
        text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    )
    return encoder(words.input_ids.to(encoder.device))[0]


def ready(module: Any, device: torch.device, kind: torch.dtype) -> Any:
    """Return a network on its device, to be used and not trained."""
    # Not diffusers' own `to`, which warns of what it would leave in float32 although there is nothing.
    return nn.Module.to(module, device=device, dtype=kind).requires_grad_(False).eval()
