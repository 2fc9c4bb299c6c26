"""The strings rest in silence, answer a tone with the loops of their modes, move with an onset and not before, in any shape."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize
from training.data.scenes import make_scene
from training.data.scenes.sound_force import FRAMES_PER_S
from training.data.scenes.strings import LOWEST_HZ, STEP_OCTAVES, bands, string_motion

RATE_HZ = 16_000
HOP = RATE_HZ // FRAMES_PER_S
SIZE = FrameSize(72, 128)


def frames_of(sound_T: NDArray[np.float32], size: FrameSize = SIZE) -> NDArray[np.int16]:
    return np.stack(list(make_scene.render_scene("strings", sound_T, RATE_HZ, size))).astype(np.int16)


def tone(hz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def test_silence_gives_a_still_frame_in_which_the_strings_are_seen() -> None:
    frames = frames_of(np.zeros(RATE_HZ // 2, np.float32))
    assert frames.shape == (10, 72, 128, 3)
    assert not np.diff(frames, axis=0).any()
    assert frames[0].max() > 60
    assert np.median(frames[0]) < 40


def test_an_onset_moves_its_own_frame_and_none_before() -> None:
    sound_T = np.zeros(RATE_HZ, np.float32)
    sound_T[10 * HOP + 50 : 10 * HOP + 300] = 0.7 * np.random.default_rng(0).standard_normal(250)
    moved = np.abs(np.diff(frames_of(sound_T), axis=0)).mean((1, 2, 3))  # of frame k + 1
    assert not moved[:9].any()
    assert moved[9] > 0.5


def test_a_tone_shows_one_loop_on_its_string_and_two_on_that_an_octave_below() -> None:
    string = 12
    amplitude_RN = string_motion(tone(LOWEST_HZ * 2 ** (STEP_OCTAVES * string)), RATE_HZ).amplitude_KRN[-1]
    assert amplitude_RN[string].argmax() == 0
    assert amplitude_RN[string - 4].argmax() == 1
    assert amplitude_RN[string - 8].argmax() == 3
    assert amplitude_RN[string, 0] > 3.0 * max(amplitude_RN[string - 2].max(), amplitude_RN[string + 3].max())


def test_strings_come_to_rest_after_the_loudest_sound() -> None:
    loud_T = np.random.default_rng(0).uniform(-1, 1, 2 * RATE_HZ).astype(np.float32)
    motion = string_motion(np.concatenate([loud_T, np.zeros(4 * RATE_HZ, np.float32)]), RATE_HZ)
    for values in (motion.amplitude_KRN, motion.sway_KR2, motion.glow_KR):
        assert np.isfinite(values).all()
        assert np.abs(values).max() < 3.0
        assert np.abs(values[-1]).max() < 0.01


@pytest.mark.parametrize("size", [FrameSize(128, 72), FrameSize(64, 64)])
def test_frames_have_any_shape_and_the_same_sound_gives_the_same_ones(size: FrameSize) -> None:
    sound_T = tone(200.0, 0.2)
    frames = frames_of(sound_T, size)
    assert frames.shape == (4, *size, 3)
    np.testing.assert_array_equal(frames, frames_of(sound_T, size))


def test_the_bands_lie_within_the_sound_of_any_training_rate() -> None:
    assert all(0.0 < band.low_hz < band.high_hz < 8000.0 for band in bands())


def test_the_size_is_that_of_the_scene_or_one_that_it_can_have() -> None:
    assert make_scene.parse(["strings"]).size == FrameSize(720, 1280)
    assert make_scene.parse(["strings", "--size", "720x1280"]).size == FrameSize(1280, 720)
    assert make_scene.parse([]).size == FrameSize(256, 256)
    for scene, size, sentence in (
        ("water", "640x360", "--size is 640x360; the dish of the scene water is round"),
        ("strings", "641x360", "--size is 641x360; H.264 needs even numbers"),
        ("strings", "wide", "--size is 'wide'; a number of pixels"),
    ):
        with pytest.raises(TrainingError, match=sentence):
            make_scene.parse([scene, "--size", size])
