"""A trained model at another rate: what it plays at the moments of training, between them, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from engine.core.errors import TrainingError
from export.verification.rate import measure_rate_difference
from tests.training.core.contract import CLIP_TOLERANCE, at, verify_contract
from tests.training.models import VARIANTS, small_model
from training.core.front_end import FrontEndConfig
from training.core.rate import at_rate
from training.core.resonators import Resonators
from training.families.family import build_model
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.model_config import ModelConfig

TRAINED_FPS = 20


@pytest.mark.parametrize(
    ("variant", "fps"), [("full", 100), ("feedback", 40), ("basic", 40), ("double_finest", 40), ("resonators", 40)]
)
def test_with_whole_steps_the_moments_of_training_are_as_trained(variant: str, fps: int) -> None:
    model = small_model(**VARIANTS[variant])
    changed, ratio = at_rate(model, fps), fps // TRAINED_FPS
    assert changed.hop_samples * ratio == model.hop_samples
    steps = 4
    audio = 0.3 * torch.randn(2, ratio * steps, model.window_samples, generator=torch.Generator().manual_seed(3))
    noise = model.draw_noise(2, steps, torch.Generator().manual_seed(4))
    # What comes while a training step lasts is not heard of.
    often = {name: values.repeat_interleave(ratio, dim=1).clone() for name, values in noise.items()}
    for values in often.values():
        values[:, 1::ratio] += 9.0
    with torch.no_grad():
        trained, _, _ = model.clip(audio[:, ratio - 1 :: ratio], noise, model.initial_state(2))
        frames, _, _ = changed.clip(audio, often, changed.initial_state(2))
    torch.testing.assert_close(frames[:, ratio - 1 :: ratio], trained, rtol=0, atol=CLIP_TOLERANCE)
    assert not torch.equal(frames[:, ratio - 2 :: ratio], trained)


@pytest.mark.parametrize(("variant", "fps"), [("full", 30), ("resonators", 50), ("double_finest", 60)])
def test_it_streams(variant: str, fps: int) -> None:
    verify_contract(at_rate(small_model(**VARIANTS[variant]), fps))


@pytest.mark.parametrize(("numerator", "denominator"), [(3, 1), (5, 2)])
def test_resonators_scale_exactly(numerator: int, denominator: int) -> None:
    """While the sound stands still, some steps at the new rate are as many training steps as last as long."""
    torch.manual_seed(1)
    trained, scaled = Resonators(6, 8), Resonators(6, 8)
    scaled.load_state_dict(trained.state_dict())
    scaled.rate_ratio = numerator / denominator
    features = torch.randn(1, 1, 6)
    with torch.no_grad():
        start = {"resonance": torch.randn(1, 2, 8)}
        expected, last = trained(features.expand(1, denominator, 6), start)
        came, following = scaled(features.expand(1, numerator, 6), start)
    torch.testing.assert_close(following["resonance"], last["resonance"], rtol=0, atol=1e-5)
    torch.testing.assert_close(came[:, -1], expected[:, -1], rtol=0, atol=1e-5)


def test_the_model_itself_and_its_own_rate_stay_as_they_are() -> None:
    model = small_model(**VARIANTS["resonators"])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    noise = model.draw_noise(1, 2, torch.Generator().manual_seed(4))
    audio = torch.randn(1, 2, model.window_samples)
    first, _, _ = model.clip(audio, at(noise, slice(0, 2)), model.initial_state(1))
    at_rate(model, 50)
    again, _, _ = model.clip(audio, at(noise, slice(0, 2)), model.initial_state(1))
    assert torch.equal(first, again)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert at_rate(model, None) is at_rate(model, TRAINED_FPS) is model


@pytest.mark.parametrize(("fps", "reason"), [(10, "trained at 20 steps a second"), (300, "20 .as trained. to 240")])
def test_other_rates_are_refused(fps: int, reason: str) -> None:
    with pytest.raises(TrainingError, match=reason):
        at_rate(small_model(), fps)


def test_the_difference_of_a_slow_model_is_measured() -> None:
    """In two seconds it has two frames: none has a neighbour on both sides."""
    front_end, generator = FrontEndConfig(mel_bands=16), ListenAndMoveConfig(channels_base=32, channels_min=4)
    model = build_model(ModelConfig(name="slow", fps=1, image_size=16, front_end=front_end, generator=generator)).eval()
    found = measure_rate_difference(model, at_rate(model, 2))
    assert found.same_moment == pytest.approx(0.0, abs=0.01)


def test_the_difference_is_measured() -> None:
    model = small_model(**VARIANTS["full"])
    found = measure_rate_difference(model, at_rate(model, 40))
    assert found.same_moment == pytest.approx(0.0, abs=0.01)
    assert 0.0 < found.change < found.trained_change
