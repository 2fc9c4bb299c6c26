"""The modal family: it streams, starts at the clip, learns, and refuses what it lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.core.contract import verify_contract
from tests.training.runs import PLAIN, small_config
from training.core.front_end import FrontEndConfig
from training.core.rate import at_rate
from training.data.cache import load_clip
from training.families.family import build_model
from training.families.modal.config import ModalConfig, NoDiscriminatorConfig
from training.families.modal.model import Modal, different_frames
from training.families.model_config import ModelConfig
from training.loop.trainer import build_trainer

GENERATOR = ModalConfig(
    textures=2, resonators=4, modes=3, flow_side=8, residual_rank=2, residual_side=8, weight_side=4, hidden=8
)
MODEL = ModelConfig(
    name="modal", family="modal", image_size=32, front_end=FrontEndConfig(mel_bands=16), generator=GENERATOR
)


def moved_model(image_size: object = 32, **generator: int) -> Modal:
    """A small model whose every part takes part."""
    torch.manual_seed(3)
    model = build_model(replace(MODEL, image_size=image_size, generator=replace(GENERATOR, **generator)))
    assert isinstance(model, Modal)
    model.start_from(functional.interpolate(frames(), size=tuple(model.frame_size)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        model.modes.mul_(0.3)
    return model.eval()


def frames(count: int = 12, size: int = 32) -> torch.Tensor:
    """A soft blot that goes round, over a ramp, [T, 3, S, S] in [-1, 1]."""
    at = torch.arange(size) / size
    turns = torch.arange(count) / count * 6.28
    down, right = 0.5 + 0.25 * torch.sin(turns), 0.5 + 0.25 * torch.cos(turns)
    blot = torch.exp(-((at[None, :, None] - down[:, None, None]) ** 2 + (at - right[:, None, None]) ** 2) / 0.02)
    colours = torch.tensor([1.0, 0.6, 0.2])[:, None, None]
    return (blot[:, None] * colours * 1.4 + at * 0.4 - 0.9).clamp(-1.0, 1.0)


@pytest.mark.parametrize("settings", [{}, {"image_size": "48x32", "residual_rank": 0, "textures": 1}])
def test_it_streams(settings):
    verify_contract(moved_model(**settings), steps=5)


def test_its_maps_have_the_shape_of_the_frame() -> None:
    wide = build_model(replace(MODEL, image_size="64x32"))
    assert isinstance(wide, Modal)
    wide.start_from(functional.interpolate(frames(), size=(32, 64)))
    assert wide.modes.shape[-2:] == (6, 11)
    verify_contract(wide.eval(), steps=3)
    assert wide.texture_levels[0].shape == (3, 32, 64)


def test_at_twice_the_rate_a_lasting_sound_gives_the_same_fields() -> None:
    model = moved_model()
    faster = at_rate(model, 2 * model.fps)
    assert isinstance(faster, Modal)
    assert (faster.hop_samples * 2, model.resonators.rate_ratio) == (model.hop_samples, 1.0)
    sound = 0.3 * torch.randn(1, 1, model.feature_count, generator=torch.Generator().manual_seed(5))
    slow, _ = model.clip_fields(sound.expand(-1, 6, -1), {}, model.initial_state(1))
    quick, _ = faster.clip_fields(sound.expand(-1, 12, -1), {}, faster.initial_state(1))
    for role, values in slow.items():
        torch.testing.assert_close(quick[role][:, 1::2], values, rtol=1e-4, atol=1e-5)


def test_it_starts_at_the_clip():
    model = build_model(MODEL)
    model.start_from(frames())
    assert isinstance(model, Modal)
    stored = {tuple(levels.flatten().tolist()) for levels in model.texture_levels}
    of_clip = {tuple(f.flatten().tolist()) for f in ((frames() + 1.0) * 127.5).round().to(torch.uint8)}
    assert len(stored) == 2
    assert stored <= of_clip
    assert float(model.modes.detach().abs().max()) > 0.01


def test_the_chosen_frames_differ_most():
    levels = torch.tensor([0.0, 0.05, 0.1, 0.9, 1.0])
    assert different_frames(levels[:, None, None, None].expand(-1, 3, 32, 32), 3)[1:] == [4, 0]


def test_controls_change_the_frame():
    model = moved_model()
    audio = 0.3 * torch.randn(1, model.window_samples, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        shown = [
            model.step(audio, {}, model.initial_state(1), {name: torch.tensor(value)})[0]
            for name, value in (("motion", 1.0), ("motion", 0.0), ("shade", 0.0))
        ]
    assert not torch.equal(shown[0], shown[1])
    assert not torch.equal(shown[0], shown[2])


def test_it_learns(tmp_path):
    config = small_config(PLAIN, model=MODEL, discriminator=NoDiscriminatorConfig())
    trainer = build_trainer(config, load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path))
    losses = [float(trainer.step()["l1"]) for _ in range(30)]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_it_has_no_discriminators():
    with pytest.raises(TrainingError, match="has no discriminators; set losses"):
        small_config(model=MODEL, discriminator=NoDiscriminatorConfig())


@pytest.mark.parametrize(("key", "value"), [("modes", 0), ("textures", 17), ("residual_rank", -1)])
def test_impossible_settings_are_refused(key, value):
    with pytest.raises(TrainingError, match=rf"generator.{key} is {value}"):
        replace(GENERATOR, **{key: value})


def test_fewer_values_than_frames_are_enough_to_start_from() -> None:
    moved_model(flow_side=2, textures=1, residual_rank=0)
