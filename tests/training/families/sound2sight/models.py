"""Small Sound2Sight models whose every part takes part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from training.core.front_end import FrontEndConfig
from training.families.family import build_model
from training.families.model_config import ModelConfig
from training.families.sound2sight.config import Sound2SightConfig
from training.families.sound2sight.model import Sound2Sight
from training.families.sound2sight.sound_coding import PATCHES as PATCH_SIZES

GENERATOR = Sound2SightConfig(
    channels=8,
    code_size=16,
    latent_size=4,
    hidden_size=32,
    heads=4,
    feedforward=24,
    window_steps=12,
    context_frames=2,
)
MODEL = ModelConfig(
    name="futures", family="sound2sight", image_size=32, front_end=FrontEndConfig(mel_bands=16), generator=GENERATOR
)
PATCHES = FrontEndConfig(sample_rate_hz=4400, high_hz=2200.0)


def moved_model(image_size: int | str = 32, **generator: Any) -> Sound2Sight:
    """A model with weights large enough that frame, sound, memory and noise all change what it draws."""
    torch.manual_seed(2)
    front_end = PATCHES if generator.get("sound", GENERATOR.sound) in PATCH_SIZES else MODEL.front_end
    fps = 10 if front_end is PATCHES else MODEL.fps
    shape = replace(GENERATOR, **generator)
    model = build_model(replace(MODEL, image_size=image_size, generator=shape, front_end=front_end, fps=fps))
    assert isinstance(model, Sound2Sight)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif name.endswith("running_mean"):
                value.normal_(0.0, 0.1)
            elif value.dim() > 1:
                value.normal_(0.0, 1.5 / value[0].numel() ** 0.5)
        model.home.uniform_(0.0, 1.0)
    return model.eval()


def sound(model: Sound2Sight, steps: int, batch: int = 1, seed: int = 3) -> Tensor:
    """Return noise as sound windows [B, T, W]."""
    return 0.3 * torch.randn(batch, steps, model.window_samples, generator=torch.Generator().manual_seed(seed))
