"""Sound2Sight streams: an exact cache, a context to go on from, controls, and the same frames from a model file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import TrainingError
from engine.model.backends.onnx_cpu import open_model
from engine.model.backends.selection import open_backend
from engine.model.card import Provenance
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs
from export.measure_controls import with_seen_controls
from export.targets.onnx.model import Form, export_model
from export.verification.control_effects import backend_effects, effect_lines, model_effects
from export.verification.graph import StepGraph
from export.verification.parity import PROBE_SOUND
from tests.training.core.contract import verify_contract
from tests.training.families.sound2sight.models import GENERATOR, MODEL, moved_model, sound
from training.core.rate import at_rate
from training.families.family import build_model
from training.families.sound2sight.attention import WindowedAttention
from training.families.sound2sight.model import CONTEXT, FRAME, NOISE, Sound2Sight

PROVENANCE = Provenance(source="random weights", licence="MIT", config="small", commit="none", iterations=0)
LONG = 200


@pytest.mark.parametrize(
    ("image_size", "settings"),
    [
        (32, {"predictor_hears": True}),
        (32, {"sound": "features"}),
        (32, {"mask": True, "last_frame_skip": True}),
        (48, {"colours": 1, "last_frame_skip": True, "sound": "stft23x21"}),
        ("64x32", {"prior_layers": 2, "predictor_layers": 1, "sound": "stft45x17"}),
    ],
)
def test_it_streams(image_size: int | str, settings: dict[str, Any]) -> None:
    verify_contract(moved_model(image_size, **settings), steps=5)


@pytest.mark.parametrize(("image_size", "levels"), [(48, [24, 12, 6]), (64, [32, 16, 8, 4]), (128, [64, 32, 16, 8, 4])])
def test_levels_are_those_of_the_original(image_size: int, levels: list[int]) -> None:
    shapes = moved_model(image_size).generator.skip_shapes
    assert [shape[1] for shape in shapes] == levels
    assert [shape[0] // 8 for shape in shapes] == [1, 2, 4, 8, 8][: len(levels)]


def test_a_frame_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(
        TrainingError, match=r"image_size is 88; .*both sides must halve until the shorter one has 4 to 7"
    ):
        moved_model(88)


@torch.no_grad()
def test_the_cache_is_exact_while_the_window_slides() -> None:
    torch.manual_seed(0)
    attention = WindowedAttention(6, 16, heads=2, feedforward=12, window=7, dropout=0.2).eval()
    tokens = torch.randn(2, LONG, 6)
    cache, count = torch.zeros(2, *attention.state_shape()), torch.zeros(2, 1)
    for t in range(LONG):
        count = (count + 1.0).clamp_max(7.0)
        came, cache = attention.step(tokens[:, t], cache, count)
        recomputed = attention(tokens[:, max(0, t - 6) : t + 1])[:, -1]
        torch.testing.assert_close(came, recomputed, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_token_that_has_left_the_window_does_not_count() -> None:
    attention = WindowedAttention(6, 16, heads=2, feedforward=12, window=7, dropout=0.0).eval()
    shown = []
    for first in (0.0, 5.0):
        cache, count = torch.zeros(1, *attention.state_shape()), torch.zeros(1, 1)
        for t in range(9):
            count = (count + 1.0).clamp_max(7.0)
            came, cache = attention.step(torch.full((1, 6), first if t == 0 else 0.1 * t), cache, count)
            shown.append(came)
    assert not torch.equal(shown[6], shown[15])
    assert torch.equal(shown[8], shown[17])


@torch.no_grad()
def test_frame_sound_memory_and_noise_change_the_frame() -> None:
    model = moved_model()
    audio, noise = sound(model, 4), model.draw_noise(1, 4, torch.Generator().manual_seed(1))
    played = model.clip(audio, noise, model.initial_state(1))[0]
    silent = audio.clone()
    silent[:, 1] = 0.0
    after_other_sound = model.clip(silent, noise, model.initial_state(1))[0]
    after_other_noise = model.clip(audio, {NOISE: -noise[NOISE]}, model.initial_state(1))[0]
    assert torch.equal(after_other_sound[:, 0], played[:, 0])
    assert float((after_other_sound[:, 3] - played[:, 3]).abs().max()) > 1e-3
    assert float((after_other_noise[:, 0] - played[:, 0]).abs().max()) > 1e-3


def test_codes_of_a_fresh_model_differ_from_tone_to_tone() -> None:
    """Levels of bands are all positive and mostly alike: without norms the transformer would get nearly the same code of every tone."""
    spread = {}
    for kind in ("features", "normed_features"):
        torch.manual_seed(0)
        model = build_model(replace(MODEL, generator=replace(GENERATOR, sound=kind, dropout=0.0)))
        assert isinstance(model, Sound2Sight)
        seconds = torch.arange(model.window_samples) / model.sample_rate_hz
        tones_NW = torch.stack([0.2 * torch.sin(2 * torch.pi * hz * seconds) for hz in range(400, 2000, 100)])
        with torch.no_grad():
            codes_ND = model.train().generator.encode_sound(model.front_end(tones_NW))
            spread[kind] = float(model.generator.sound_attention(codes_ND[:, None]).std(dim=0).mean())
    assert spread["normed_features"] > 5.0 * spread["features"]


def test_a_predictor_that_hears_gets_the_sound_beside_the_latent_numbers() -> None:
    for hears in (False, True):
        model = moved_model(predictor_hears=hears)
        with torch.no_grad():
            for head in (model.generator.prior.mean, model.generator.prior.log_variance):
                head.weight.zero_()
        noise = model.draw_noise(1, 3, torch.Generator().manual_seed(1))
        frames = [model.clip(sound(model, 3, seed=seed), noise, model.initial_state(1))[0] for seed in (3, 4)]
        assert torch.equal(*frames) != hears


@torch.no_grad()
def test_where_the_mask_is_0_the_frame_before_stays() -> None:
    model = moved_model(mask=True)
    bias = model.generator.decoder.frame.bias
    assert bias is not None

    def apart(mask_bias: float) -> float:
        bias[0] = mask_bias
        noise = model.draw_noise(1, 2, torch.Generator().manual_seed(1))
        shown = model.clip(sound(model, 2), noise, model.initial_state(1))[0]
        return float((shown - (2.0 * model.home - 1.0)).abs().max())

    assert apart(-200.0) < 1e-5
    assert apart(200.0) > 0.5


def test_a_fresh_model_with_a_mask_nearly_copies_the_frame_before() -> None:
    torch.manual_seed(0)
    model = build_model(replace(MODEL, generator=replace(GENERATOR, mask=True))).eval()
    assert isinstance(model, Sound2Sight)
    model.home.fill_(1.0)
    noise = model.draw_noise(1, 1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        shown = model.clip(sound(model, 1), noise, model.initial_state(1))[0]
    assert float((1.0 - shown).abs().max()) < 0.4


def frame(model: Sound2Sight, level: int) -> torch.Tensor:
    return torch.full((1, *model.frame_size, 3), level, dtype=torch.uint8)


@torch.no_grad()
def test_it_goes_on_from_the_context_and_from_its_own_frame_where_that_is_black() -> None:
    model = moved_model()
    audio, noise = sound(model, 1), model.draw_noise(1, 1, torch.Generator().manual_seed(1))
    start = model.initial_state(1)

    def shown(controls: dict[str, torch.Tensor]) -> torch.Tensor:
        return model.clip(audio, noise, start, controls)[0]

    at_home = shown({})
    torch.testing.assert_close(shown({CONTEXT: frame(model, 0)}), at_home, rtol=0, atol=1e-5)
    given = shown({CONTEXT: frame(model, 200)})
    assert float((given - at_home).abs().max()) > 1e-2
    model.home.fill_(200 / 255)
    torch.testing.assert_close(shown({}), given, rtol=0, atol=1e-5)


@torch.no_grad()
def test_controls_steer_the_future() -> None:
    model = moved_model()
    audio, noise = sound(model, 6), model.draw_noise(1, 6, torch.Generator().manual_seed(1))
    start = model.initial_state(1)

    def played(**controls: float) -> torch.Tensor:
        given = {name: torch.tensor(value) for name, value in controls.items()}
        return model.clip(audio, noise, start, given)[0]

    usual = played()
    # Without a temperature the noise has no part.
    assert torch.equal(played(temperature=0.0), model.clip(audio, {NOISE: 0 * noise[NOISE]}, start)[0])
    frozen = played(freeze_z=1.0)
    assert torch.equal(frozen, played(temperature=0.0))
    assert torch.equal(played(freeze_z=1.0, resample=1.0), usual)
    assert not torch.equal(played(context_weight=0.0), usual)
    assert torch.equal(played(context_weight=0.0)[:, 0], usual[:, 0])
    assert torch.equal(played(reseed=1.0)[:, 0], usual[:, 0])
    assert not torch.equal(played(reseed=1.0)[:, 1:], usual[:, 1:])


@torch.no_grad()
def test_observing_is_playing_with_the_frames_given() -> None:
    model = moved_model()
    frames = torch.rand(2, 3, 3, *model.frame_size, generator=torch.Generator().manual_seed(4))
    features = model.front_end(sound(model, 4, batch=2).flatten(0, 1)).unflatten(0, (2, 4))
    noise = model.draw_noise(2, 4, torch.Generator().manual_seed(1))[NOISE]
    state = model.observe(frames, features[:, :3], noise[:, :3])
    assert {name: value.shape[1:] for name, value in state.items()} == model.state_shapes()
    ours, _, _ = model.clip_features(features[:, 3:], {NOISE: noise[:, 3:]}, state)
    for cut in (1, 2):
        # A frame of the context that is put into the state by hand between steps.
        first = model.observe(frames[:, :cut], features[:, :cut], noise[:, :cut])
        for i in range(cut, 3):
            _, _, stepped = model.clip_features(features[:, i : i + 1], {NOISE: noise[:, i : i + 1]}, first)
            _, maps = model.generator.encoder(frames[:, i])
            skips = {f"skip_{level}": skip for level, skip in enumerate(maps)}
            first = {**stepped, FRAME: frames[:, i], **skips}
        theirs, _, _ = model.clip_features(features[:, 3:], {NOISE: noise[:, 3:]}, first)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_state_after_real_frames_is_that_of_observing_them() -> None:
    model = moved_model()
    frames = torch.rand(1, 2, 3, *model.frame_size, generator=torch.Generator().manual_seed(4)) * 2.0 - 1.0
    windows, noise = sound(model, 2), model.draw_noise(1, 2, torch.Generator().manual_seed(1))
    state = model.state_after(frames, windows, noise)
    features = model.front_end(windows.flatten(0, 1)).unflatten(0, (1, 2))
    expected = model.observe((frames + 1.0) / 2.0, features, noise[NOISE])
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_a_file_that_is_measured_again_keeps_the_controls_that_do_nothing_by_themselves(tmp_path: Path) -> None:
    file = tmp_path / "futures.onnx"
    card = export_model(moved_model(16, window_steps=5), PROVENANCE, file, Form(all_controls=True))
    measured = backend_effects(open_backend(file, "onnx-cpu"), steps=4)
    still = tuple(replace(effect, levels=0.0) for effect in measured)
    changed = with_seen_controls(card, still)
    assert [control.name for control in changed.controls] == ["freeze_z", "resample", "reseed"]
    assert {control.name for control in changed.fixed_controls} == {"temperature", "context_weight"}
    assert sum("it is a parameter whatever it does by itself" in line for line in effect_lines(changed)) == 3
    # One that was measured before they were kept gets them back.
    every = (*changed.controls, *changed.fixed_controls)
    lost = replace(changed, controls=(), fixed_controls=every)
    assert {control.name for control in with_seen_controls(lost, still).controls} == {"freeze_z", "resample", "reseed"}


def test_controls_are_seen_however_much_the_noise_changes() -> None:
    """Other noise alone changes the frames by more than half of all levels, so nothing could change them twice as much."""
    model = moved_model()
    assert model.generator.prior.log_variance.bias is not None
    torch.nn.init.constant_(model.generator.prior.log_variance.bias, 12.0)
    for parameter in model.generator.decoder.parameters():
        parameter.data.mul_(3.0)
    seen = {effect.name: effect for effect in model_effects(model)}
    assert seen["temperature"].levels > 100.0
    assert seen["temperature"].is_seen
    assert seen["context_weight"].is_seen


def test_at_twice_the_rate_it_still_streams() -> None:
    verify_contract(at_rate(moved_model(), 2 * MODEL.fps), steps=5)


def test_the_model_file_plays_what_torch_plays(tmp_path: Path) -> None:
    model = moved_model(16, colours=1, sound="stft23x21", window_steps=5)
    card = export_model(model, PROVENANCE, tmp_path / "futures.onnx", Form())
    assert max(card.parity.frame_max, card.parity.state_max) <= 1e-4
    # Untrained it does not amplify rounding, so its states are carried.
    assert card.parity.sound == PROBE_SOUND
    assert {"freeze_z", "resample", "reseed"} <= {control.name for control in card.controls}
    assert [spec.name for spec in card.pictures] == [CONTEXT]
    backend, resting = open_model(tmp_path / "futures.onnx"), resting_inputs(card)
    theirs, ours = backend.initial_state(), model.initial_state(1)
    windows, context = sound(model, LONG), frame(model, 180)
    for k in range(LONG):
        reseed = float(k == 100)
        noise = draw_noise(card.noises, 5, k)
        given = {"audio": windows[0, k].numpy(), CONTEXT: context[0].numpy(), "reseed": reseed, **noise}
        came = backend.step(resting.with_values(given, theirs))
        with torch.no_grad():
            torch_noise = {name: torch.from_numpy(value)[None] for name, value in noise.items()}
            controls = {CONTEXT: context, "reseed": torch.tensor(reseed)}
            _, _, ours = model.step(windows[:, k], torch_noise, ours, controls)
        theirs = came.next_state
        apart = max(float((ours[n][0] - torch.from_numpy(theirs[n])).abs().max()) for n in ours)
        assert apart <= 1e-4, k


@torch.no_grad()
def test_a_batch_gives_each_slot_its_own_context() -> None:
    model = moved_model(16, window_steps=4)
    alone, both = StepGraph(model), StepGraph(model, batch=2)
    contexts = [frame(model, 60)[0], frame(model, 220)[0]]
    given = {
        name: value[None].repeat(2, *[1] * value.dim())
        for name, value in zip(alone.input_names, alone.example_inputs(), strict=True)
    }
    given[CONTEXT] = torch.stack(contexts)
    came = both(*(given[name] for name in both.input_names))
    for slot, context in enumerate(contexts):
        one = alone(*(context if name == CONTEXT else given[name][slot] for name in alone.input_names))
        for name, ours, theirs in zip(alone.output_names, one, came, strict=True):
            torch.testing.assert_close(ours.float(), theirs[slot].float(), rtol=0, atol=1e-5, msg=name)
    assert not torch.equal(came[0][0], came[0][1])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"colours": 2}, r"generator.colours is 2; 1 \(grey\) or 3 \(RGB\) was expected"),
        ({"heads": 5}, r"generator.heads is 5; a divisor of hidden_size \(32\)"),
        ({"hidden_size": 33, "heads": 3}, r"generator.hidden_size is 33; an even number"),
        ({"dropout": 1.0}, r"generator.dropout is 1.0; at least 0 and below 1"),
        ({"context_frames": 0}, r"generator.context_frames is 0; 1 or more"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        moved_model(**settings)
