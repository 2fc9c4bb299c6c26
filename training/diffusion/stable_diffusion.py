"""Files of Stable Diffusion's parts, and what is the same for all networks that are made of published files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.diffusion.state_dicts import read_config, read_weights, state_dict
from training.diffusion.tempotokens.published import NOT_OF_THE_TEXT_ENCODER, TEXT_PREFIX

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


def text_encoder_tensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a text encoder's file on the meta device, by the names that the library of today has."""
    return {name.removeprefix(TEXT_PREFIX): value for name, value in tensors_of(file, NOT_OF_THE_TEXT_ENCODER).items()}


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
