"""The original code of TempoTokens, imported from a copy of its repository so that it runs with the libraries of today.

Nothing in the copy is changed. What its modules import and today's libraries lack, or what only its training, its films and its
watermark removal need, is given to them by names (PATCHES).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import torch
from torch import Tensor, nn

from training.diffusion import stable_diffusion
from training.diffusion.filter_bank import FilterBank, FilterBankConfig

PATCHES = (
    "torchaudio: its Kaldi filter bank alone, from --kaldi FILE, or this project's",
    "diffusers.pipelines.text_to_video_synthesis: empty; only the name of a result is taken from it",
    "its text encoder: the configuration says eager attention, the only one that it has",
    "moviepy, pandas, compel, decord, train, utils.lama, utils.lora: empty",
)
EMPTY = (
    "diffusers.pipelines.text_to_video_synthesis",
    "moviepy",
    "moviepy.editor",
    "pandas",
    "compel",
    "decord",
    "train",
    "utils",
    "utils.lama",
    "utils.lora",
)
Bank = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class Original:
    """Its modules."""

    beats: Any
    embedder: Any
    text: Any
    unet: Any
    pipeline: Any
    inference: Any


def kaldi_bank(file: Path | None) -> Bank:
    """Return the filter bank of torchaudio's file compliance/kaldi.py, which needs nothing else; without it, this project's."""
    if file is None:
        bank = FilterBank(FilterBankConfig())
        return lambda waveform, **_options: bank(waveform)[0]
    spec = importlib.util.spec_from_file_location("original_kaldi", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fbank


def original(checkout: Path, kaldi: Path | None) -> Original:
    """Import the original's modules."""
    torchaudio = types.ModuleType("torchaudio")
    torchaudio.__spec__ = importlib.util.spec_from_loader("torchaudio", None)
    sys.modules |= {"torchaudio": torchaudio, "torchaudio.compliance": types.ModuleType("torchaudio.compliance")}
    bank = types.ModuleType("torchaudio.compliance.kaldi")
    sys.modules["torchaudio.compliance.kaldi"] = bank
    bank.fbank = kaldi_bank(kaldi)  # type: ignore[attr-defined]
    for name in EMPTY:
        sys.modules[name] = MagicMock()
    sys.path.insert(0, str(checkout))
    names = {
        "beats": "modules.beats.BEATs",
        "embedder": "modules.temp_tokens.embedder",
        "text": "modules.text_encoder.modeling_clip_tempotokens",
        "unet": "modules.unet.unet_3d_condition",
        "pipeline": "modules.pipelines.pipeline_audio_to_video",
        "inference": "inference",
    }
    return Original(**{part: importlib.import_module(name) for part, name in names.items()})


def text_config(values: Mapping[str, Any]) -> Any:
    """Return a configuration of the text encoder that the original's code can use."""
    config = stable_diffusion.text_config(values)
    config._attn_implementation = "eager"
    return config


def shapes_of(make: Callable[[], nn.Module], device: str = "meta") -> dict[str, tuple[int, ...]]:
    """Return names and shapes of a module's state dict; on the meta device no numbers are made."""
    with torch.device(device):
        return {name: tuple(value.shape) for name, value in make().state_dict().items()}


def loaded(module: Any, ours: nn.Module, renamed: str = "") -> Any:
    """Give the original's module our weights: every tensor of it, and no other."""
    state = {renamed + name: value.clone() for name, value in ours.state_dict().items()}
    there = module.state_dict()
    # Rows of numbers that it saves.
    state |= {name: value for name, value in there.items() if name.endswith("position_ids")}
    module.load_state_dict(state, strict=True)
    return module.eval()
