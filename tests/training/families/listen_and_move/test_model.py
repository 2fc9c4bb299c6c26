import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.core.contract import verify_contract
from tests.training.models import VARIANTS, small_model
from training.families.family import build_model
from training.families.model_config import ModelConfig


@pytest.mark.parametrize("variant", VARIANTS)
def test_contract(variant: str) -> None:
    verify_contract(small_model(**VARIANTS[variant]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_sound_moves_the_frame(variant: str) -> None:
    model = small_model(**VARIANTS[variant])
    noise = model.draw_noise(1, 4, torch.Generator().manual_seed(0))
    loud = 0.5 * torch.randn(1, 4, model.window_samples)
    with torch.no_grad():
        heard, _, _ = model.clip(loud, noise, model.initial_state(1))
        silent, _, _ = model.clip(torch.zeros_like(loud), noise, model.initial_state(1))
    assert (heard - silent).abs().max() > 1e-3


@pytest.mark.parametrize("control", ["motion", "grain", "memory"])
def test_each_control_changes_the_frame(control: str) -> None:
    model = small_model()
    noise = model.draw_noise(1, 4, torch.Generator().manual_seed(0))
    audio = 0.5 * torch.randn(1, 4, model.window_samples)
    high = next(spec.high for spec in model.control_specs() if spec.name == control)
    with torch.no_grad():
        normal, _, _ = model.clip(audio, noise, model.initial_state(1))
        turned, _, _ = model.clip(audio, noise, model.initial_state(1), {control: torch.tensor(high)})
    assert (normal - turned).abs().max() > 1e-4


def test_controls_without_effect_are_not_declared() -> None:
    model = small_model(motion_noise=0, prediction="none")
    assert [spec.name for spec in model.control_specs()] == ["grain"]


def test_batch_rows_do_not_touch_each_other() -> None:
    model = small_model()
    audio = 0.3 * torch.randn(2, 5, model.window_samples)
    noise = model.draw_noise(2, 5)
    with torch.no_grad():
        both, _, _ = model.clip(audio, noise, model.initial_state(2))
        alone, _, _ = model.clip(audio[1:], {n: v[1:] for n, v in noise.items()}, model.initial_state(1))
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)


def test_canvas_starts_at_the_clip() -> None:
    model = small_model(canvas=True, canvas_rank=3)
    frames = torch.rand(20, 3, 16, 16) * 1.6 - 0.8
    model.start_from(frames)
    canvas = model.generator.canvas
    assert canvas is not None
    torch.testing.assert_close(canvas.still.tanh(), torch.atanh(frames).mean(0).tanh(), atol=1e-5, rtol=0)
    assert canvas.pictures is not None
    assert canvas.pictures.abs().max() > 0.01


def test_config_round_trip_and_unknown_keys() -> None:
    config = small_model(prediction_levels=(0, 1)).config
    assert ModelConfig.from_dict(config.to_dict()) == config
    with pytest.raises(TrainingError, match=r"model\.generator\.motion_layer'.*motion_layers"):
        ModelConfig.from_dict({"generator": {"motion_layer": 3}})
    with pytest.raises(TrainingError, match=r"model\.image_size is 100; both sides must be multiples of 8, such as 96"):
        build_model(ModelConfig(image_size=100))
    with pytest.raises(TrainingError, match="must divide"):
        ModelConfig(fps=21)
