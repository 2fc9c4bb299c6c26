"""The generator with 3-D convolutions: it sees its neighbours in time, plays whole sequences and refuses what it cannot do."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.models import small_model
from tests.training.runs import words
from training.core.streaming import StreamingModel
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.layers import convolution3, convolve
from training.logging.records import read_records
from training.loop.checkpoint import load_generator
from training.train import main

OVER_TIME: dict[str, object] = {"convolution": "3d", "prediction": "none"}


def heard(model: StreamingModel, batch: int = 1, steps: int = 6) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    audio = 0.3 * torch.randn(batch, steps, model.window_samples, generator=torch.Generator().manual_seed(3))
    return audio, model.draw_noise(batch, steps, torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("convolution", "looks_ahead"), [("2d", False), ("3d", True)])
def test_only_three_dimensions_look_at_later_frames(convolution: str, looks_ahead: bool) -> None:
    model = small_model(convolution=convolution, prediction="none")
    audio, noise = heard(model)
    changed = audio.clone()
    changed[:, -1] = 0.0
    with torch.no_grad():
        first, _, _ = model.clip(audio, noise, model.initial_state(1))
        second, _, _ = model.clip(changed, noise, model.initial_state(1))
    assert ((first - second)[:, -2].abs().max() > 1e-4) == looks_ahead


def test_its_convolution_is_over_time_and_keeps_sequences_apart() -> None:
    convolution = convolution3(3, 5, over_time=True)
    x_BTCHW = torch.randn(2, 4, 3, 6, 6)
    came = convolve(convolution, x_BTCHW.flatten(0, 1), 4).unflatten(0, (2, 4))
    plain = functional.conv3d(x_BTCHW.transpose(1, 2), convolution.weight, convolution.bias, padding=1).transpose(1, 2)
    torch.testing.assert_close(came, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("more", [{}, {"architecture": "basic"}, {"architecture": "skip"}, {"conditional_norm": True}])
def test_batch_rows_do_not_touch_each_other(more: dict[str, object]) -> None:
    model = small_model(**{**OVER_TIME, "conditional_norm": False, **more})
    audio, noise = heard(model, batch=2)
    with torch.no_grad():
        both, features, state = model.clip(audio, noise, model.initial_state(2))
        alone, _, _ = model.clip(audio[1:], {n: v[1:] for n, v in noise.items()}, model.initial_state(1))
    assert both.shape == (2, 6, 3, 16, 16)
    assert features.shape[:2] == (2, 6)
    assert set(state) == {"motion_0", "motion_1", "motion_2"}
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)


def test_only_the_motion_encoder_carries_a_state_from_sequence_to_sequence() -> None:
    model = small_model(**OVER_TIME)
    audio, noise = heard(model)
    with torch.no_grad():
        _, _, whole = model.clip(audio, noise, model.initial_state(1))
        _, _, state = model.clip(audio[:, :2], {n: v[:, :2] for n, v in noise.items()}, model.initial_state(1))
        _, _, state = model.clip(audio[:, 2:], {n: v[:, 2:] for n, v in noise.items()}, state)
    for name in whole:
        torch.testing.assert_close(state[name], whole[name], rtol=0, atol=1e-6)


def test_it_has_no_step() -> None:
    model = small_model(**OVER_TIME)
    assert not model.streams
    assert small_model().streams
    audio, noise = heard(model, steps=1)
    with pytest.raises(
        TrainingError, match=r"'small' plays whole sequences.*convolution '3d'.*later frames.*convolution '2d'"
    ):
        model.step(audio[:, 0], {n: v[:, 0] for n, v in noise.items()}, model.initial_state(1))


def test_video_prediction_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"convolution '3d' needs prediction 'none', not 'dir'"):
        ListenAndMoveConfig(convolution="3d")


def test_the_command_trains_it_and_validation_plays_it(tmp_path: Path) -> None:
    clip = moving_clip(tmp_path / "clip.mp4", seconds=2.0)
    chosen = {f"model__generator__{name}": value for name, value in OVER_TIME.items()}
    assert main(words(clip, tmp_path, "--iterations", "2", losses__adversarial_from_iteration=0, **chosen)) == 0
    loaded = load_generator(tmp_path / "run")
    assert loaded.iterations == 2
    assert not loaded.model.streams
    assert any("validation" in record for record in read_records(tmp_path / "run" / "stats.jsonl"))
