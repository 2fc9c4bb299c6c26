"""The rendered scene rests in silence, moves in the frame of an onset and not before, moves more when louder, and stays finite."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize
from training.data.scenes import make_scene, soundtrack
from training.data.scenes.dish import BANDS, move_dish, wave_shapes
from training.data.scenes.make_scene import render_scene
from training.data.scenes.sound_force import FRAMES_PER_S, band_force

RATE_HZ = 16_000
HOP = RATE_HZ // FRAMES_PER_S
SIZE_PX = 48
SIZE = FrameSize(SIZE_PX, SIZE_PX)


def frames_of(sound_T: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.stack(list(render_scene("water", sound_T, RATE_HZ, SIZE))).astype(np.int16)


def noise(seconds: float, gain: float = 1.0) -> NDArray[np.float32]:
    return (gain * np.random.default_rng(0).uniform(-1, 1, int(seconds * RATE_HZ))).astype(np.float32)


def test_silence_gives_a_still_frame_that_is_not_black() -> None:
    frames = frames_of(np.zeros(RATE_HZ, np.float32))
    assert frames.shape == (FRAMES_PER_S, SIZE_PX, SIZE_PX, 3)
    assert not np.diff(frames, axis=0).any()
    assert frames[0].max() > 40


@pytest.mark.parametrize("onset", [10 * HOP, 10 * HOP + HOP // 2, 11 * HOP - 100])
def test_an_onset_moves_its_own_frame_and_none_before(onset: int) -> None:
    sound_T = np.zeros(RATE_HZ, np.float32)
    sound_T[onset : onset + 100] = 0.7
    moved = np.abs(np.diff(frames_of(sound_T), axis=0)).mean((1, 2, 3))  # of frame k + 1
    assert not moved[:9].any()
    assert moved[9] > 0.2


def test_the_future_does_not_change_the_past() -> None:
    whole_T = noise(1.5, 0.3)
    cut_T = np.concatenate([whole_T[: 12 * HOP], np.zeros(18 * HOP, np.float32)])
    np.testing.assert_array_equal(frames_of(whole_T)[:12], frames_of(cut_T)[:12])


def test_the_past_is_forgotten() -> None:
    late_T, early_T = noise(0.5, 0.3), noise(1.0, 0.7)
    with_past_T = np.concatenate([early_T, np.zeros(2 * RATE_HZ, np.float32), late_T])
    without_past_T = np.concatenate([np.zeros(3 * RATE_HZ, np.float32), late_T])
    assert np.abs(frames_of(with_past_T)[-10:] - frames_of(without_past_T)[-10:]).max() <= 3


def test_louder_sound_moves_the_water_more() -> None:
    shapes = wave_shapes()
    reach = [
        np.abs(move_dish(band_force(noise(1.0, gain), RATE_HZ, BANDS), shapes).height_KM).max()
        for gain in (0.01, 0.1, 1.0)
    ]
    assert reach[0] * 3 < reach[1] < reach[2] / 2


def test_each_band_of_sound_pushes_its_own_ring() -> None:
    time_T = np.arange(RATE_HZ) / RATE_HZ
    for index, band in enumerate(BANDS):
        tone_T = 0.3 * np.sin(2 * np.pi * np.sqrt(band.low_hz * band.high_hz) * time_T)
        assert band_force(tone_T.astype(np.float32), RATE_HZ, BANDS)[-1].argmax() == index


def test_full_scale_noise_stays_finite_and_the_same_sound_gives_the_same_frames() -> None:
    sound_T = noise(4.0)
    height_KM = move_dish(band_force(sound_T, RATE_HZ, BANDS), wave_shapes()).height_KM
    assert np.isfinite(height_KM).all()
    assert np.abs(height_KM).max() < 1.0
    np.testing.assert_array_equal(frames_of(sound_T[:RATE_HZ]), frames_of(sound_T[:RATE_HZ]))


def test_phase_of_a_tone_does_not_matter() -> None:
    time_T = np.arange(RATE_HZ) / RATE_HZ
    sine_T, cosine_T = (np.sin(2 * np.pi * 220 * time_T + phase).astype(np.float32) * 0.3 for phase in (0.0, 1.6))
    assert np.abs(frames_of(sine_T)[-5:] - frames_of(cosine_T)[-5:]).mean() < 1.0


@pytest.fixture
def invented_recordings(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], NDArray[np.float32]]:
    def read(name: str) -> NDArray[np.float32]:
        seed = sum(map(ord, name))
        return np.random.default_rng(seed).uniform(-0.7, 0.7, 4000 + 50 * (seed % 100)).astype(np.float32)

    monkeypatch.setattr(soundtrack, "read_recording", read)
    return read


@pytest.mark.usefixtures("invented_recordings")
def test_track_has_its_length_and_level_and_repeats_by_seed() -> None:
    track_T, lines = soundtrack.arrange(75.0)
    again_T, _ = soundtrack.arrange(75.0)
    np.testing.assert_array_equal(track_T, again_T)
    assert len(track_T) == 75 * soundtrack.RATE_HZ
    assert 0.5 < np.abs(track_T).max() <= 1.0
    assert (np.abs(track_T).reshape(-1, soundtrack.RATE_HZ).max(1) == 0).any()
    late_only = set(soundtrack.LATE_LOOPS + soundtrack.LATE_ONE_SHOTS + soundtrack.LATE_AMBIENCES)
    assert not late_only & set(lines[0].split())
    assert late_only & set(lines[1].split())


def test_held_out_recordings_are_in_no_clip() -> None:
    early = set(soundtrack.LOOPS + soundtrack.ONE_SHOTS + soundtrack.AMBIENCES)
    late = set(soundtrack.LATE_LOOPS + soundtrack.LATE_ONE_SHOTS + soundtrack.LATE_AMBIENCES)
    held_out = set(soundtrack.HELD_OUT_LOOPS + soundtrack.HELD_OUT_ONE_SHOTS)
    assert not early & late
    assert not (early | late) & held_out


def test_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(soundtrack, "SAMPLES_FOLDER", tmp_path)
    with pytest.raises(TrainingError, match="apt-get install sonic-pi-samples"):
        soundtrack.read_recording("bd_808")


def test_a_clip_keeps_sound_and_frames_aligned(tmp_path: Path) -> None:
    rate_hz = soundtrack.RATE_HZ
    sound_T = np.zeros(2 * rate_hz, np.float32)
    sound_T[rate_hz : rate_hz + 4800] = noise(0.3, 0.5)[:4800]
    path = tmp_path / "clip.mp4"
    assert (
        make_scene.write_clip(
            path, render_scene("water", sound_T, rate_hz, FrameSize(64, 64)), sound_T, FrameSize(64, 64)
        )
        == 40
    )
    with av.open(str(path)) as container:
        frames = [
            (float(frame.time), frame.to_ndarray(format="rgb24").astype(int)) for frame in container.decode(video=0)
        ]
    assert [time for time, _ in frames] == pytest.approx(np.arange(40) / FRAMES_PER_S)
    moved = [np.abs(after[1] - before[1]).mean() for before, after in pairwise(frames)]
    assert np.argmax(np.array(moved) > 2.0) == 19  # frame 20 is the first after one second of silence
    read_T = soundtrack.read_sound(path)
    near_T = read_T[rate_hz - 500 : rate_hz + 5300]
    late = int(np.argmax(np.correlate(near_T, sound_T[rate_hz : rate_hz + 4800], "valid"))) - 500
    assert abs(late) <= 1


@pytest.mark.parametrize("flags", [["--size", "31"], ["--size", "65"], ["--seconds", "0"]])
def test_impossible_flags_are_one_sentence(flags: list[str]) -> None:
    with pytest.raises(TrainingError):
        make_scene.parse(["water", *flags])


def test_the_same_sound_at_another_rate_is_the_same_scene() -> None:
    """Every third of 60 frames a second equals one of 20 frames a second, except for the length of the substeps."""
    sound_T = np.zeros(RATE_HZ, np.float32)
    sound_T[: RATE_HZ // 2] = 0.4 * np.sin(2 * np.pi * 90.0 * np.arange(RATE_HZ // 2) / RATE_HZ)
    slow = np.stack(list(render_scene("water", sound_T, RATE_HZ, SIZE))).astype(float)
    fast = np.stack(list(render_scene("water", sound_T, RATE_HZ, SIZE, fps=60))).astype(float)
    assert len(fast) == 3 * len(slow)
    assert np.abs(fast[2::3] - slow).mean() < 0.1 * np.abs(slow - slow.mean(axis=0)).mean() + 1.0
    with pytest.raises(TrainingError, match="--fps is 7;"):
        make_scene.parse(["--fps", "7"])
