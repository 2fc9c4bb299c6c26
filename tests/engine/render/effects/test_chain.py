"""Every effect, their order, and what an effect chain remembers."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.parameter_table import TABLE, ShowValues
from engine.render.effects import frame_effects
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import NEUTRAL, EffectParameters, effect_parameters

ALL = EffectParameters(mirror=True, brightness=1.3, zoom=1.2, glow=0.6, colour_turn=0.2, trail=0.5)


def blobs(height=64, width=64, seed=0):
    """Soft blobs of every colour."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(-(-height // 8), 0).repeat(-(-width // 8), 1)[:height, :width])


def dot(level=255, side=64):
    pixels_HWC = np.zeros((side, side, 3), np.uint8)
    pixels_HWC[side // 2 - 4 : side // 2 + 4, side // 2 - 4 : side // 2 + 4] = level
    return pixels_HWC


def luminance(pixels_HWC):
    return (pixels_HWC / 255.0) ** 2 @ np.array(frame_effects.LUMA)


def test_without_effects_the_same_array_comes_back() -> None:
    pixels_HWC = blobs()
    assert EffectChain().apply(pixels_HWC, NEUTRAL, 0.0) is pixels_HWC
    assert EffectChain().apply(pixels_HWC, EffectParameters(guarded=False), 0.0) is pixels_HWC


@pytest.mark.parametrize("shape", [(128, 128), (37, 90), (16, 16), (512, 300)])
def test_all_effects_keep_the_size_and_the_given_frame(shape) -> None:
    pixels_HWC = blobs(*shape)
    kept = pixels_HWC.copy()
    effect_chain = EffectChain()
    shown = [effect_chain.apply(pixels_HWC, ALL, n / 20) for n in range(3)]
    assert all(result.shape == pixels_HWC.shape and result.dtype == np.uint8 for result in shown)
    assert np.array_equal(pixels_HWC, kept)


def test_the_same_frames_parameters_and_times_give_the_same() -> None:
    def play():
        effect_chain = EffectChain()
        return [effect_chain.apply(blobs(seed=n % 5), ALL, n / 20) for n in range(25)]

    assert all(np.array_equal(a, b) for a, b in zip(play(), play(), strict=True))


def test_mirror_swaps_left_and_right() -> None:
    pixels_HWC = blobs()
    assert np.array_equal(EffectChain().apply(pixels_HWC, EffectParameters(mirror=True), 0.0), pixels_HWC[:, ::-1])


@pytest.mark.parametrize("factor", [0.3, 1.7])
def test_brightness_multiplies_every_level(factor) -> None:
    pixels_HWC = blobs()
    expected = np.clip(np.rint(pixels_HWC * factor), 0, 255)
    assert np.array_equal(EffectChain().apply(pixels_HWC, EffectParameters(brightness=factor), 0.0), expected)


def test_brightness_zero_is_black_and_ends_the_trail() -> None:
    effect_chain = EffectChain()
    for n in range(4):
        effect_chain.apply(dot(), EffectParameters(glow=1.0, trail=1.0), n / 20)
    black = EffectParameters(glow=1.0, trail=1.0, zoom=2.0, colour_turn=0.3, brightness=0.0)
    assert effect_chain.apply(dot(), black, 0.2).max() == 0
    shown = effect_chain.apply(np.zeros_like(dot()), EffectParameters(trail=1.0), 0.25)
    assert shown.max() == 0, "the trail is gone"


def test_zoom_enlarges_about_the_centre_and_leaves_no_border() -> None:
    enlarged = frame_effects.zoomed(dot(), 2.0)
    rows = np.flatnonzero(enlarged[..., 0].max(axis=1) > 127)
    assert (rows[0], rows[-1]) == (24, 39)
    assert np.array_equal(enlarged, enlarged[::-1, ::-1])
    white = np.full((50, 70, 3), 255, np.uint8)
    assert frame_effects.zoomed(white, 1.37).min() == 255


def test_glow_spreads_the_light_of_bright_parts_alone() -> None:
    near, far = (32, 40), (32, 48)
    glowing, dim = frame_effects.glowing(dot(), 1.0), frame_effects.glowing(dot(60), 1.0)
    assert glowing[near].min() > glowing[far].max() > 0
    assert np.array_equal(dim, dot(60))
    assert (frame_effects.glowing(blobs(), 0.7) >= blobs()).all()
    assert frame_effects.glowing(dot(), 0.2)[near].max() < glowing[near].max()


def test_hues_rotate_all_the_way_round_and_greys_stay() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
    assert np.abs(frame_effects.colour_turned(grey, 0.3).astype(int) - grey).max() <= 1
    pixels_HWC = (blobs() // 4 + 96).astype(np.uint8)
    assert np.abs(frame_effects.colour_turned(pixels_HWC, 1.0).astype(int) - pixels_HWC).max() <= 1
    there_and_back = frame_effects.colour_turned(frame_effects.colour_turned(pixels_HWC, 0.1), -0.1)
    assert np.abs(there_and_back.astype(int) - pixels_HWC).max() <= 3


@pytest.mark.parametrize("turns", [-0.4, 0.1, 0.33, 0.5])
def test_rotated_hues_keep_their_luminance(turns) -> None:
    pixels_HWC = (blobs() // 4 + 96).astype(np.uint8)
    assert np.abs(luminance(frame_effects.colour_turned(pixels_HWC, turns)) - luminance(pixels_HWC)).max() < 0.01


def test_a_third_of_a_turn_makes_green_of_red() -> None:
    red = np.full((4, 4, 3), (200, 90, 90), np.uint8)
    turned = frame_effects.colour_turned(red, 1 / 3)[0, 0].astype(int)
    assert turned[1] > turned[0] + 40
    assert abs(turned[0] - turned[2]) <= 1


@pytest.mark.parametrize("fps", [10, 30, 60, 120])
def test_a_trail_fades_by_time_and_not_by_frames(fps) -> None:
    effect_chain = EffectChain()
    effect_chain.apply(dot(200), EffectParameters(trail=0.5), 0.0)
    for n in range(1, round(0.3 * fps) + 1):
        shown = effect_chain.apply(np.zeros_like(dot()), EffectParameters(trail=0.5), n / fps)
    assert abs(int(shown.max()) - 200 * 0.5**3) <= 1


def test_a_trail_ends_with_its_parameter_and_survives_another_size() -> None:
    effect_chain = EffectChain()
    effect_chain.apply(dot(), EffectParameters(trail=0.9), 0.0)
    assert effect_chain.apply(np.zeros((32, 48, 3), np.uint8), EffectParameters(trail=0.9), 0.01).max() > 200
    assert effect_chain.apply(np.zeros((32, 48, 3), np.uint8), NEUTRAL, 0.02).max() == 0
    assert effect_chain.apply(np.zeros((32, 48, 3), np.uint8), EffectParameters(trail=0.9), 0.03).max() == 0


def test_reset_forgets_trail_and_flashes() -> None:
    effect_chain = EffectChain()
    for n in range(20):
        effect_chain.apply(dot() if n % 2 else np.zeros_like(dot()), EffectParameters(trail=0.9, guarded=False), n / 20)
    effect_chain.reset()
    assert effect_chain.apply(np.zeros_like(dot()), EffectParameters(trail=0.9), 0.0).max() == 0
    assert effect_chain.meter == (0.0, 0.0, 0)


def test_flashes_that_effects_make_are_guarded_too() -> None:
    effect_chain, grey = EffectChain(), np.full((64, 64, 3), 150, np.uint8)
    shown = [effect_chain.apply(grey, EffectParameters(brightness=(0.2, 1.6)[n % 2]), n / 20).mean() for n in range(80)]
    assert effect_chain.meter.softened > 0
    assert np.ptp(shown[-20:]) < 40 < np.ptp(shown[:4])
    effect_chain = EffectChain()
    for n in range(40):
        effect_chain.apply(grey, EffectParameters(brightness=(0.2, 1.6)[n % 2], guarded=False), n / 20)
    assert effect_chain.meter.softened == 0
    assert effect_chain.meter.general_flashes_a_second >= 9


def test_an_onset_drives_the_effects_and_fades() -> None:
    values = {
        "onset_brightness": 0.5,
        "onset_zoom": 0.2,
        "onset_glow": 0.8,
        "onset_colour": 0.1,
        "onset_decay_ms": 100.0,
    }
    at = effect_parameters(values, AudioFeatures(onsets=1, onset_strength=1.0, onset_age_s=0.0))
    assert (at.brightness, at.zoom, at.glow, at.colour_turn) == pytest.approx((1.5, 1.2, 0.8, 0.1))
    later = effect_parameters(values, AudioFeatures(onsets=1, onset_strength=1.0, onset_age_s=0.1))
    assert later.brightness == pytest.approx(1.0 + 0.5 / np.e)
    assert effect_parameters(values, SILENCE) == NEUTRAL
    assert effect_parameters({}, SILENCE) == NEUTRAL


def test_blackout_and_guard_are_parameters() -> None:
    assert effect_parameters({"blackout": True, "brightness": 2.0}, SILENCE).brightness == 0.0
    assert not effect_parameters({"flash_guard": False}, SILENCE).guarded
    assert effect_parameters({"mirror": True}, SILENCE).mirror


def test_grain_goes_and_edges_stay() -> None:
    clean = np.full((48, 48, 3), 90, np.uint8)
    clean[:, 24:] = 200
    noisy = np.clip(clean + np.random.default_rng(3).normal(0, 8, clean.shape), 0, 255).astype(np.uint8)
    smooth = frame_effects.degrained(noisy, 1.0)
    assert np.abs(smooth[:, :20].astype(int) - 90).mean() < 0.5 * np.abs(noisy[:, :20].astype(int) - 90).mean()
    assert smooth[:, 25].mean() - smooth[:, 22].mean() > 100
    weak = frame_effects.degrained(noisy, 0.1)
    assert np.abs(weak.astype(int) - noisy).mean() < np.abs(smooth.astype(int) - noisy).mean()


def test_all_of_these_are_parameters() -> None:
    values = {"kaleidoscope": 6, "tiles": 2.0, "palette": 3, "palette_amount": 0.5, "feedback": 0.4, "sharpen": 0.3}
    now = effect_parameters(values, SILENCE, (1920, 1080))
    assert (now.kaleidoscope, now.tiles, now.palette, now.palette_amount) == (6, 2.0, 3, 0.5)
    assert (now.feedback, now.sharpen, now.screen) == (0.4, 0.3, (1920, 1080))
    assert now.moves_by_itself
    assert not effect_parameters({}, SILENCE).moves_by_itself
    for parameter in (ShowValues.palette, *(known for known in TABLE if known.name in values)):
        assert parameter.in_scenes
        assert not parameter.not_mapped
