"""Files of Stable Diffusion's parts, and what is the same for all networks that are made of published files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL
from diffusers.utils import logging as diffusers_logging
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from engine.core.errors import TrainingError
from engine.core.small_files import read_text
from training.diffusion.state_dicts import (
    MOST_CONFIG_BYTES,
    load,
    read_config,
    read_weights,
    state_dict,
    with_current_names,
)
from training.diffusion.weight_files import Shapes, WeightFile

Made = TypeVar("Made")
NOT_OF_THE_TEXT_ENCODER = r"\.position_ids$"
"""A row of numbers that older versions of the library saved."""
TEXT_PREFIX = "text_model."
"""Before all names of the text encoder in published files; the library of today has none."""

# Their hints are for programmers; what a user should know is told by this project.
diffusers_logging.set_verbosity_error()
transformers_logging.set_verbosity_error()


def tensors_of(file: Path, ignored: str = r"(?!)") -> dict[str, Tensor]:
    """Return a file's tensors on the meta device, without those whose names match `ignored`. Raises TrainingError."""
    return state_dict(read_weights(file, "meta"), file, ignored)


def numbers_of(*files: Path) -> int:
    """Return how many numbers the tensors of files have. Raises TrainingError."""
    return sum(value.numel() for file in files for value in tensors_of(file).values())


def expected(make: Callable[[], nn.Module]) -> Mapping[str, Tensor]:
    """Return the tensors of a network on the meta device."""
    with torch.device("meta"):
        return make().state_dict()


def described(make: Callable[[dict[str, Any]], Made], file: Path) -> Made:
    """Return what a library makes of a configuration file. Raises TrainingError where it makes nothing of it."""
    values = read_config(file)
    try:
        return make(values)
    # What a library raises for values that it does not know depends on which value it is.
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
        raise TrainingError(f"{file} does not describe what was expected ({error}); fetch it again.") from error


def base_files(base: str, place: str, checksums: Mapping[str, str]) -> list[WeightFile]:
    """Return the files in the folder `base` that all families take: schedule, autoencoder, text encoder and words.

    `place` is where its authors publish them, `checksums` those that are known, by the end of a path.
    """
    configs = {
        "scheduler/scheduler_config.json": "noise schedule",
        "vae/config.json": "shape of the autoencoder",
        "text_encoder/config.json": "shape of the text encoder",
        "tokenizer/vocab.json": "words",
        "tokenizer/merges.txt": "words",
        "tokenizer/tokenizer_config.json": "words",
    }

    def weights(folder: str, names: tuple[str, str], holds: str, shapes: Shapes) -> WeightFile:
        known = {name: checksums[f"{folder}/{name}"] for name in names if f"{folder}/{name}" in checksums}
        return WeightFile(f"{base}/{folder}/{names[0]}", holds, place, None, known, names[1:], shapes)

    return [
        *(WeightFile(f"{base}/{path}", holds, place) for path, holds in configs.items()),
        weights(
            "vae",
            ("diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"),
            "autoencoder",
            lambda file: (expected(lambda: vae_of(file.parent)), with_current_names(tensors_of(file))),
        ),
        weights(
            "text_encoder",
            ("pytorch_model.bin", "model.safetensors"),
            "text encoder",
            lambda file: (expected(lambda: text_encoder_of(file.parent)), text_encoder_tensors(file)),
        ),
    ]


def text_encoder_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a text encoder's file on the meta device, by the names that the library of today has."""
    return _with_current_text_names(read_weights(file, "meta"), file)


def _with_current_text_names(content: Any, file: Path) -> dict[str, Tensor]:
    tensors = state_dict(content, file, NOT_OF_THE_TEXT_ENCODER)
    return {name.removeprefix(TEXT_PREFIX): value for name, value in tensors.items()}


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


def scale_of(vae: Any) -> int:
    """Return how many pixels of a side a latent stands for."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


def vae_from(values: Mapping[str, Any]) -> AutoencoderKL:
    """Return the autoencoder, likewise."""
    return AutoencoderKL.from_config(dict(values))


def text_config(values: Mapping[str, Any]) -> CLIPTextConfig:
    """Return a configuration as the library has it; attention is computed as the original computes it, to the last digit."""
    return CLIPTextConfig.from_dict({**values, "attn_implementation": "eager"})


def text_encoder_from(values: Mapping[str, Any]) -> CLIPTextModel:
    """Return the text encoder of a configuration, without its weights."""
    return CLIPTextModel(text_config(values))


def vae_of(folder: Path) -> AutoencoderKL:
    """Return the autoencoder, likewise."""
    return described(vae_from, folder / "config.json")


def text_encoder_of(folder: Path) -> CLIPTextModel:
    """Return the text encoder, likewise."""
    return described(text_encoder_from, folder / "config.json")


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


def open_vae(file: Path, device: torch.device, kind: torch.dtype) -> AutoencoderKL:
    """Return the autoencoder, likewise."""
    with torch.device("meta"):
        vae = vae_of(file.parent)
    load(vae, with_current_names(state_dict(read_weights(file), file)), file)
    return ready(vae, device, kind)


def open_text_encoder(file: Path, device: torch.device, kind: torch.dtype) -> CLIPTextModel:
    """Return the text encoder, likewise."""
    # Not on the meta device: it counts its positions when it is made.
    text_encoder = text_encoder_of(file.parent)
    load(text_encoder, _with_current_text_names(read_weights(file), file), file)
    return ready(text_encoder, device, kind)
