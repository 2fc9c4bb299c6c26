"""Small random models whose every part takes part (weights that start at zero are moved)."""

from __future__ import annotations

import torch

from training.core.frame_size import ImageSize
from training.core.front_end import FrontEndConfig
from training.core.streaming import StreamingModel
from training.families.family import build_model
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.model_config import ModelConfig


def small_model(
    image_size: ImageSize = 16, front_end: FrontEndConfig | None = None, **generator: object
) -> StreamingModel:
    """Build a model with `channels_base` 32 and the given generator settings."""
    torch.manual_seed(7)
    settings: dict[str, object] = {"channels_base": 32, "channels_min": 4, "initialisation": "he", **generator}
    config = ModelConfig(
        name="small",
        image_size=image_size,
        front_end=front_end or FrontEndConfig(mel_bands=16),
        generator=ListenAndMoveConfig(**settings),  # type: ignore[arg-type]
    )
    model = build_model(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("grain") or ".place." in name or ".canvas." in name or name.endswith("warp.flows"):
                parameter.normal_(0.0, 0.3)
            if name.endswith("norm.weight"):
                parameter.uniform_(0.5, 1.5)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0.0, 0.2)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    return model.eval()


# One setting a part of the generator; every contract test runs over all of them.
VARIANTS: dict[str, dict[str, object]] = {
    "full": {},
    "rnn": {"sound_route": "rnn", "motion_layers": 1},
    "gen": {"sound_route": "gen", "motion_layers": 2},
    "feedback": {"motion_type": "feedback", "motion_layers": 2},
    "batch_norm": {"conditional_norm": False},
    "basic": {"architecture": "basic", "conditional_norm": False, "prediction": "basic"},
    "skip": {"architecture": "skip", "conditional_norm": False, "prediction": "none"},
    "prediction_everywhere": {"prediction_levels": (0, 1), "prediction_kernel": 5},
    "double_finest": {"double_finest": True, "content_noise": 3, "motion_noise": 0},
    "canvas": {"canvas": True, "canvas_rank": 3, "place_levels": 2},
    "resonators": {"resonators": 5, "condition_on": "all"},
    "sub_pixel": {"rgb_upscale": 2},
    "warp": {"canvas": True, "warp_rank": 3},
    "relief": {"relief_rank": 3, "normalise": False},
    # At its coarsest level both sides lose a row or column when they are doubled.
    "wide": {
        "image_size": "56x40",
        "canvas": True,
        "canvas_rank": 2,
        "relief_rank": 2,
        "place_levels": 2,
        "prediction_levels": (0, -1),
    },
}


def unsteady_model() -> StreamingModel:
    """Return a small model whose motion amplifies rounding."""
    model = small_model()
    with torch.no_grad():
        # Recurrences this strong are chaotic: the last bit decides the frame after some steps.
        for parameter in model.generator.motion.parameters():
            parameter.mul_(60.0)
    return model
