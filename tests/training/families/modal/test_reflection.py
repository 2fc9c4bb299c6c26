"""A modal model that reflects: its textures are learned, a mirror that swings is found out from frames alone, and it streams."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from engine.core.errors import TrainingError
from tests.training.core.contract import verify_contract
from tests.training.families.modal.test_model import GENERATOR, MODEL, moved_model
from training.core.composition import compose
from training.families.family import build_model
from training.families.modal.frame_encoder import warmed_up_encoder
from training.families.modal.model import Modal
from training.families.modal.reflection_fit import learn_reflection, principal_amplitudes

REFLECTS = {"textures": 1, "reflection_side": 24}
SIZE = 32


def mirror_frames(count: int = 96) -> torch.Tensor:
    """A mirror that two modes bend, under lamps of three colours, [N, 3, S, S] in [-1, 1]."""
    generator = torch.Generator().manual_seed(5)
    at = torch.linspace(-1.0, 1.0, SIZE)
    down, right = torch.meshgrid(at, at, indexing="ij")
    lamps = torch.stack(
        [torch.exp(-((right - x) ** 2 + (down - y) ** 2) / 0.08) for x, y in ((-0.4, -0.3), (0.5, 0.0), (-0.1, 0.5))]
    )
    modes = torch.stack(
        [torch.stack([torch.sin(3.1 * right), 0.0 * down]), torch.stack([0.0 * right, torch.sin(4.7 * down)])]
    )
    amplitudes = 0.35 * torch.randn(count, 2, generator=generator)
    flow = (amplitudes @ modes.flatten(1)).unflatten(1, (2, SIZE, SIZE)) - 0.7 * torch.stack([right, down])
    return compose({"flow": flow}, [lamps], SIZE, SIZE)


def reflecting_model(**settings: object) -> Modal:
    torch.manual_seed(1)
    model = build_model(replace(MODEL, generator=replace(GENERATOR, **{**REFLECTS, **settings})))
    assert isinstance(model, Modal)
    return model


def test_it_streams():
    verify_contract(moved_model(**REFLECTS), steps=5)


def test_a_mirror_is_found_out_from_frames_alone():
    frames, generator = mirror_frames(), torch.Generator().manual_seed(2)
    model = reflecting_model(flow_side=16, modes=4, light_rank=0, residual_rank=0, reflection_side=48)
    encoder = warmed_up_encoder(frames, principal_amplitudes(model, frames), generator)

    def some_pairs(count: int) -> torch.Tensor:
        first = torch.randint(len(frames) - 1, (count,), generator=generator)
        return torch.stack([frames[first], frames[first + 1]], dim=1)

    learn_reflection(model, encoder, some_pairs, 300)
    with torch.no_grad():
        fields = {role: values[:, 0] for role, values in model.fields(encoder(frames)[:, None]).items()}
        textures = [levels / 255.0 for levels in model.texture_levels]
        shown = compose(fields, textures, SIZE, SIZE)
        without = compose(fields, [textures[0], torch.zeros_like(textures[1])], SIZE, SIZE)
    error = functional.l1_loss(shown, frames)
    assert error < 0.5 * functional.l1_loss(frames.mean(dim=0).expand_as(frames), frames)
    assert error < 0.7 * functional.l1_loss(without, frames), "the surroundings take part"


def test_a_lesson_that_is_stopped_leaves_finite_textures():
    model, frames = reflecting_model(), mirror_frames(8)
    encoder = warmed_up_encoder(frames, principal_amplitudes(model, frames), torch.Generator(), lambda: True)
    learn_reflection(model, encoder, lambda count: frames[:2][None].expand(count, -1, -1, -1, -1), 50, lambda: True)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_it_starts_at_the_mean_frame_and_stores_other_textures_exactly():
    model, frames = reflecting_model(), mirror_frames(8)
    model.start_from(frames)
    still, surroundings = model.texture_levels
    torch.testing.assert_close(still / 127.5 - 1.0, frames.mean(dim=0), atol=1.0 / 127.5, rtol=0)
    assert surroundings.shape == (3, 24, 24)
    levels = torch.randint(256, surroundings.shape, generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    model.set_texture_levels(1, levels)
    assert torch.equal(model.texture_levels[1], levels)


@pytest.mark.parametrize("settings", [{"textures": 2}, {"texture_scale": 2}])
def test_stored_frames_beside_it_are_refused(settings):
    with pytest.raises(TrainingError, match="1 and 1 were expected beside reflection_side"):
        replace(GENERATOR, **{**REFLECTS, **settings})
