"""The modal model: it streams, starts at the clip, and its controls reach the frame."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from engine.core.errors import TrainingError
from tests.training.core.contract import verify_contract
from training.core.front_end import FrontEndConfig
from training.core.rate import at_rate
from training.families.family import build_model
from training.families.modal.config import ModalConfig
from training.families.modal.controls import control_specs
from training.families.modal.model import Modal
from training.families.modal.start import different_frames, measured_amplitudes
from training.families.model_config import ModelConfig

GENERATOR = ModalConfig(
    textures=2,
    resonators=4,
    modes=3,
    flow_side=8,
    share_rank=2,
    weight_side=4,
    light_rank=2,
    light_side=4,
    residual_rank=2,
    residual_side=8,
    hidden=8,
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
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def frames(count: int = 12, size: int = 32) -> torch.Tensor:
    """A soft blot that goes round, over a ramp, [T, 3, S, S] in [-1, 1]."""
    at = torch.arange(size) / size
    turns = torch.arange(count) / count * 6.28
    down, right = 0.5 + 0.25 * torch.sin(turns), 0.5 + 0.25 * torch.cos(turns)
    blot = torch.exp(-((at[None, :, None] - down[:, None, None]) ** 2 + (at - right[:, None, None]) ** 2) / 0.02)
    colours = torch.tensor([1.0, 0.6, 0.2])[:, None, None]
    return (blot[:, None] * colours * 1.4 + at * 0.4 - 0.9).clamp(-1.0, 1.0)


PAST = {"past_windows": 2, "past_steps": 3}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        PAST | {"guidance": True},
        {"image_size": "48x32", "residual_rank": 0, "light_rank": 0, "textures": 1, "texture_scale": 2},
    ],
)
def test_it_streams(settings):
    verify_contract(moved_model(**settings), steps=5)


def test_its_maps_have_the_shape_of_the_frame() -> None:
    wide = build_model(replace(MODEL, image_size="64x32"))
    assert isinstance(wide, Modal)
    wide.start_from(functional.interpolate(frames(), size=(32, 64)))
    assert wide.maps["flow"].shape[-2:] == (6, 11)
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


def test_with_a_past_at_twice_the_rate_a_lasting_sound_gives_the_same_fields() -> None:
    model = moved_model(**PAST)
    faster = at_rate(model, 2 * model.fps)
    assert isinstance(faster, Modal)
    sound = 0.3 * torch.rand(1, 1, model.feature_count, generator=torch.Generator().manual_seed(5))
    slow, _ = model.clip_fields(sound.expand(-1, 6, -1), {}, model.initial_state(1))
    quick, _ = faster.clip_fields(sound.expand(-1, 12, -1), {}, faster.initial_state(1))
    for role, values in slow.items():
        torch.testing.assert_close(quick[role][:, 1::2], values, rtol=1e-4, atol=1e-5)


def test_attention_plays_at_whole_multiples_of_its_rate_alone() -> None:
    windows, attention = moved_model(past_windows=2), moved_model(past_steps=3)
    assert at_rate(windows, 32).fps == 32
    with pytest.raises(TrainingError, match="layered and has memory of a fixed rate; leave out --fps"):
        at_rate(attention, 32)


def test_what_it_hears_of_a_whole_clip_is_what_its_steps_hear() -> None:
    """The sound is fitted with all steps at once, and played one by one."""
    model = moved_model(**PAST)
    features = torch.rand(1, 7, model.feature_count, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        at_once = model.fields(model.amplitudes_of(*model.from_rest(features[0]))[None])
        played, _ = model.clip_fields(features, {}, model.initial_state(1))
    for role, values in played.items():
        torch.testing.assert_close(at_once[role], values, rtol=1e-4, atol=1e-5)


def test_deaf_it_shows_one_frame_whatever_it_hears() -> None:
    model = moved_model(guidance=True)
    features = torch.rand(2, 4, model.feature_count, generator=torch.Generator().manual_seed(5))
    deaf, heard = (
        model.clip_fields(features, {}, model.initial_state(2), {"sound_guidance": torch.tensor(value)})[0]["flow"]
        for value in (0.0, 1.0)
    )
    torch.testing.assert_close(deaf, deaf[:1, :1].expand_as(deaf))
    assert float((heard - deaf).detach().abs().mean()) > 1e-4


def test_without_the_options_its_weights_have_the_names_they_had() -> None:
    names = {name.split(".")[0] for name in moved_model().state_dict()}
    assert names == {
        "textures", "usual_shares", "force", "resonators", "trunk", "amplitudes", "maps",
    }  # fmt: skip


def test_it_starts_at_the_clip():
    model = build_model(MODEL)
    model.start_from(frames())
    assert isinstance(model, Modal)
    stored = {tuple(levels.flatten().tolist()) for levels in model.texture_levels}
    of_clip = {tuple(f.flatten().tolist()) for f in ((frames() + 1.0) * 127.5).round().to(torch.uint8)}
    assert len(stored) == 2
    assert stored <= of_clip
    assert not model.has_begun


def test_its_maps_explain_the_clip_they_start_at():
    """Measured amplitudes bring the composed frames nearer to the clip than the textures alone are."""
    model = build_model(replace(MODEL, generator=replace(GENERATOR, modes=8, residual_rank=6)))
    assert isinstance(model, Modal)
    real = frames()
    model.start_from(real)
    with torch.no_grad():
        still, moved = (
            model.composed({role: values[:, 0] for role, values in model.fields(amplitudes[:, None]).items()})
            for amplitudes in (torch.zeros(len(real), sum(model.counts.values())), measured_amplitudes(model, real))
        )
    assert float((moved - real).abs().mean()) < 0.5 * float((still - real).abs().mean())


def test_textures_larger_than_the_frame_hold_its_detail():
    model = build_model(replace(MODEL, image_size=16, generator=replace(GENERATOR, texture_scale=2)))
    assert isinstance(model, Modal)
    sharp = frames(2)
    model.set_textures(sharp)
    torch.testing.assert_close(model.texture_levels[1] / 127.5 - 1.0, sharp[1], atol=1.0 / 127.5, rtol=0)


def test_the_chosen_frames_differ_most():
    levels = torch.tensor([0.0, 0.05, 0.1, 0.9, 1.0])
    assert different_frames(levels[:, None, None, None].expand(-1, 3, 32, 32), 3)[1:] == [4, 0]


@pytest.mark.parametrize("spec", control_specs(replace(GENERATOR, guidance=True)), ids=lambda spec: spec.name)
def test_each_control_changes_the_frame_and_does_nothing_at_its_default(spec):
    model = moved_model(guidance=True)
    audio = 0.3 * torch.randn(4, 3, model.window_samples, generator=torch.Generator().manual_seed(1))
    between = 0.5 * (spec.low + spec.default)
    values = torch.tensor([spec.default, spec.low, between, spec.high])
    with torch.no_grad():
        plain, _, _ = model.clip(audio[:1].expand(4, -1, -1), {}, model.initial_state(4))
        shown, _, _ = model.clip(audio[:1].expand(4, -1, -1), {}, model.initial_state(4), {spec.name: values})
        alone, _, _ = model.clip(audio[:1], {}, model.initial_state(1), {spec.name: values[3]})
    torch.testing.assert_close(shown[0], plain[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(shown[3:], alone, atol=1e-5, rtol=0)
    apart = [float((one - plain[0])[-1].abs().mean()) for one in shown[1:]]
    assert min(apart) > 1e-4
    # Half the way is less.
    assert apart[1] < apart[0]


def test_there_is_a_control_for_what_takes_part_alone():
    names = {
        spec.name for spec in control_specs(replace(GENERATOR, textures=1, light_rank=0, residual_rank=0, modes=1))
    }
    assert names == {"motion", "elasticity", "damping", "mode_1"}


def test_no_sound_and_no_control_leads_far_from_the_clip():
    model = moved_model()
    amplitudes = torch.full((1, 1, sum(model.counts.values())), 1e6)
    reach = {role: values.abs().max() for role, values in model.fields(amplitudes).items()}
    assert reach["flow"] < 1.0
    assert reach["weights"] <= 1.0
    assert torch.stack(list(reach.values())).isfinite().all()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("modes", 0),
        ("textures", 17),
        ("residual_rank", -1),
        ("texture_scale", 5),
        ("past_windows", -1),
        ("past_windows", 9),
        ("past_steps", 1),
        ("past_steps", 257),
    ],
)
def test_impossible_settings_are_refused(key, value):
    with pytest.raises(TrainingError, match=rf"generator.{key} is {value}"):
        replace(GENERATOR, **{key: value})


def test_fewer_values_than_frames_are_enough_to_start_from() -> None:
    moved_model(flow_side=2, textures=1, residual_rank=0)
