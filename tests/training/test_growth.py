import pytest
import torch
from torch.nn import functional

from engine.errors import TrainingError
from tests.training.models import small_model
from training.growth import grow

SETTINGS: dict[str, object] = {
    "canvas": True, "canvas_rank": 3, "place_levels": 2, "channels_min": 16, "channels_base": 32, "prediction_levels": (0,)
}  # fmt: skip


def test_the_grown_model_starts_as_the_small_one_enlarged() -> None:
    small, large = small_model(16, **SETTINGS), small_model(32, **SETTINGS)
    copied = grow(small, large)
    assert copied == len(small.state_dict())
    audio = 0.3 * torch.randn(1, 6, small.window_samples)
    noise, large_noise = small.draw_noise(1, 6), large.draw_noise(1, 6)
    quiet = {"grain": torch.tensor(0.0)}
    large_noise["motion_noise"] = noise["motion_noise"]
    with torch.no_grad():
        before, _, _ = small.clip(audio, noise, small.initial_state(1), quiet)
        after, _, _ = large.clip(audio, large_noise, large.initial_state(1), quiet)
        untaught, _, _ = small_model(32, **SETTINGS).clip(audio, large_noise, large.initial_state(1), quiet)
    enlarged = functional.interpolate(before[0], scale_factor=2.0, mode="bilinear")
    assert (after[0] - enlarged).abs().mean() < 0.25 * (untaught[0] - enlarged).abs().mean()


def test_models_of_other_widths_are_refused() -> None:
    small = small_model(16, **SETTINGS)
    with pytest.raises(TrainingError, match="only image_size may differ"):
        grow(small, small_model(32, **{**SETTINGS, "channels_base": 64}))
