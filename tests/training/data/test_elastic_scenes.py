"""Veils, jellyfish, flames and an iris rest in silence, move in the frame of an onset and not before, forget what was, and come in any shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from training.core.frame_size import FrameSize
from training.data.scenes.flames import FlameMotion, flame_motion
from training.data.scenes.iris import IrisMotion, iris_motion
from training.data.scenes.make_scene import parse, render_scene
from training.data.scenes.medusa import CONTRACTION, TRAIL_PLACES, TRAIL_S, MedusaMotion, medusa_motion, omega_M
from training.data.scenes.sound_force import FRAMES_PER_S, STEPS_PER_S
from training.data.scenes.splatting import splat
from training.data.scenes.veil import BANDS, VeilMotion, across_shapes, down_shapes, move_veils, veil_motion

RATE_HZ = 16_000
HOP = RATE_HZ // FRAMES_PER_S
SIZES = {
    "veil": FrameSize(72, 128),
    "medusa": FrameSize(128, 72),
    "flames": FrameSize(72, 128),
    "iris": FrameSize(72, 128),
}
each = pytest.mark.parametrize("scene", SIZES)


def frames_of(
    scene: str, sound_T: NDArray[np.float32], size: FrameSize | None = None, fps: int = FRAMES_PER_S
) -> NDArray[np.int16]:
    return np.stack(list(render_scene(scene, sound_T, RATE_HZ, size or SIZES[scene], fps))).astype(np.int16)


def noise(seconds: float, gain: float = 1.0) -> NDArray[np.float32]:
    return (gain * np.random.default_rng(0).uniform(-1, 1, int(seconds * RATE_HZ))).astype(np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(int(seconds * RATE_HZ), np.float32)


@each
def test_silence_gives_a_still_frame_that_is_dark_and_not_black(scene: str) -> None:
    frames = frames_of(scene, silence(0.25))
    assert frames.shape == (5, *SIZES[scene], 3)
    assert not np.diff(frames, axis=0).any()
    assert frames[0].max() > 60
    assert np.median(frames[0]) < 80


@each
def test_an_onset_moves_its_own_frame_and_none_before(scene: str) -> None:
    sound_T = silence(0.5)
    sound_T[5 * HOP + 50 : 5 * HOP + 300] = noise(1.0, 0.7)[:250]
    moved = np.abs(np.diff(frames_of(scene, sound_T), axis=0)).mean((1, 2, 3))  # of frame k + 1
    assert not moved[:4].any()
    assert moved[4] > 0.3


@pytest.mark.parametrize("motion_of", [veil_motion, medusa_motion, flame_motion, iris_motion])
def test_the_past_is_forgotten(motion_of: Callable[..., VeilMotion | MedusaMotion | FlameMotion | IrisMotion]) -> None:
    late_T = noise(0.25, 0.3)
    with_past = dataclasses.astuple(motion_of(np.concatenate([noise(0.5, 0.7), silence(3.0), late_T]), RATE_HZ))
    without_past = dataclasses.astuple(motion_of(np.concatenate([silence(3.5), late_T]), RATE_HZ))
    for one, other in zip(with_past, without_past, strict=True):
        np.testing.assert_allclose(one[-3:], other[-3:], atol=2e-3)
        assert np.abs(other[-1]).max() > 0.01


@each
def test_loud_sound_is_brighter_and_white_in_few_places(scene: str) -> None:
    quiet, loud = (frames_of(scene, noise(0.25, gain))[-1] for gain in (0.003, 1.0))
    assert loud.mean() > 1.3 * quiet.mean()
    assert (loud.min(axis=2) > 250).mean() < 0.02


@each
@pytest.mark.parametrize("size", [FrameSize(128, 72), FrameSize(64, 64), FrameSize(48, 128)])
def test_frames_have_any_shape_and_the_same_sound_gives_the_same_ones(scene: str, size: FrameSize) -> None:
    sound_T = noise(0.1, 0.4)
    frames = frames_of(scene, sound_T, size)
    assert frames.shape == (2, *size, 3)
    np.testing.assert_array_equal(frames, frames_of(scene, sound_T, size))


@each
def test_the_same_sound_at_another_rate_is_the_same_scene(scene: str) -> None:
    """Every third of 60 frames a second equals one of 20, except for the length of the substeps."""
    sound_T = (0.4 * np.sin(2 * np.pi * 90.0 * np.arange(RATE_HZ // 2) / RATE_HZ)).astype(np.float32)
    slow, fast = (frames_of(scene, sound_T, fps=fps).astype(float) for fps in (20, 60))
    assert len(fast) == 3 * len(slow)
    assert np.abs(fast[2::3] - slow).mean() < 0.1 * np.abs(slow - slow.mean(axis=0)).mean() + 1.0


@each
def test_the_scene_has_720_rows_and_columns_at_least_and_another_size_by_a_flag(scene: str) -> None:
    assert min(parse([scene]).size) >= 720
    assert parse([scene, "--size", "512x512"]).size == FrameSize(512, 512)


def test_a_hanging_cloth_is_held_at_its_rail_and_free_at_its_hem() -> None:
    shapes_PN = down_shapes(np.array([0.0, 0.5, 1.0], np.float32))
    np.testing.assert_allclose(shapes_PN[0], 1.0, atol=1e-6)
    np.testing.assert_allclose(shapes_PN[2], 0.0, atol=1e-6)
    ends_M2 = across_shapes(np.array([0.0, 1.0], np.float32))
    np.testing.assert_allclose(np.abs(ends_M2), 1.0, atol=1e-5)


def test_each_loudspeaker_holds_the_cloth_where_it_stands_and_as_far_as_it_reaches() -> None:
    for index, band in enumerate(BANDS):
        force_SB = np.zeros((4 * STEPS_PER_S, len(BANDS)), np.float32)
        force_SB[:, index] = 1.0
        held_NM = move_veils(force_SB).away_KLNM[-1, 0]
        across_S = np.linspace(0.0, 1.0, 101, dtype=np.float32)
        away_S = down_shapes(np.zeros(1, np.float32))[0] @ held_NM @ across_shapes(across_S)
        assert across_S[np.abs(away_S).argmax()] == pytest.approx(band.place, abs=0.06)
        assert np.abs(away_S).max() == pytest.approx(band.reach, rel=0.02)


def test_waves_of_the_bell_are_the_faster_the_more_of_them_there_are() -> None:
    waves = omega_M()[:CONTRACTION]
    assert (np.diff(waves) > 0.0).all()
    assert waves[-1] < 2.0 * np.pi * 10.0  # below half of 20 frames a second


def test_what_the_bell_does_runs_down_the_tentacles() -> None:
    sound_T = silence(2.0)
    sound_T[: RATE_HZ // 10] = 0.8 * np.sin(2 * np.pi * 60.0 * np.arange(RATE_HZ // 10) / RATE_HZ)
    away_KD = medusa_motion(sound_T, RATE_HZ).away_KDM[..., CONTRACTION]
    at_top, at_end = int(away_KD[:, 0].argmax()), int(away_KD[:, TRAIL_PLACES - 1].argmax())
    assert at_end - at_top == round(TRAIL_S * FRAMES_PER_S)
    assert away_KD[:, -1].max() == pytest.approx(away_KD[:, 0].max(), rel=0.01)


def test_splatting_keeps_all_light_inside_the_frame_and_its_place() -> None:
    x, y = np.array([2.25, 3.0, -9.0, 50.0], np.float32), np.array([1.5, 4.0, 2.0, 2.0], np.float32)
    light = np.array([1.0, 2.0, 5.0, 5.0], np.float32)
    drawn, double = (one[..., 0] for one in splat(x, y, (light, 2.0 * light), 6, 8))
    np.testing.assert_allclose(double, 2.0 * drawn)
    assert drawn.shape == (6, 8)
    assert drawn.sum() == pytest.approx(3.0)
    assert drawn[1, 1:3].tolist() == pytest.approx([0.25, 0.75])
    assert drawn[3:5, 2:4].sum() == pytest.approx(2.0)
