"""What is read of a film, and what is said where its tracks disagree or say nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import MediaError
from tests.training.clips import moving_clip, noise, numbered_frames, write_clip
from training.evaluation.metrics.synchrony import LoudnessScale
from training.evaluation.synchrony.film import read_film
from training.evaluation.synchrony.peak_figures import av_align_figure, loudness_motion, tolerance_notices


def test_motion_flow_and_sound_have_the_frames_length(tmp_path: Path) -> None:
    film = read_film(moving_clip(tmp_path / "clip.mp4", seconds=3.0))
    assert (film.fps, film.frames, film.duration_s) == (20, 60, 3.0)
    assert len(film.motion_N) == len(film.flow_N) == 60
    assert len(film.sound_S) == 48_000
    assert film.flow_N[0] == film.flow_N[1]
    assert film.notices == ()


def test_flow_is_given_in_pixels_of_the_film(tmp_path: Path) -> None:
    """A large film is measured in smaller frames; a bar that moves twice as far in twice the frame moves twice as far."""
    small, large = (read_film(shifted_bars(tmp_path / f"{size}.mp4", size)) for size in (256, 512))
    assert np.median(large.flow_N) == pytest.approx(2 * np.median(small.flow_N), rel=0.1)


def shifted_bars(path: Path, size: int) -> Path:
    patches = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    still = patches.repeat(size // 16, 0).repeat(size // 16, 1)
    frames = np.stack([np.roll(still, index * size // 128, axis=1) for index in range(20)])
    return write_clip(path, frames, noise(1.0))


@pytest.mark.parametrize(
    ("frames", "sound_s", "part"),
    [
        (40, 3.0, "the sound has 3.0 s and the frames 2.0 s"),
        (60, 2.0, "the frames go on after the sound, which ends at 2.0 s"),
        (40, 2.05, ""),
    ],
)
def test_tracks_of_different_lengths_are_told_and_cut(frames: int, sound_s: float, part: str, tmp_path: Path) -> None:
    film = read_film(write_clip(tmp_path / "clip.mp4", numbered_frames(frames), noise(sound_s)))
    assert film.duration_s == pytest.approx(2.0, abs=0.1)
    assert len(film.sound_S) == film.frames * 800
    assert part in " ".join(film.notices)
    assert len(film.notices) == bool(part)


def test_silence_is_told_and_leaves_everything_undefined(tmp_path: Path) -> None:
    film = read_film(write_clip(tmp_path / "clip.mp4", numbered_frames(40), np.zeros((1, 32_000), np.float32)))
    assert "silent" in film.notices[0]
    assert np.isnan(av_align_figure(film, "v2025", 10).value)
    assert np.isnan(loudness_motion(film, "db", 10).value)
    assert np.isnan(av_align_figure(film, "paper", 10).best_offset_s)


def test_a_sound_without_onsets_is_undefined_and_said_so(tmp_path: Path) -> None:
    time_S = np.arange(64_000) / 16_000
    steady = (0.3 * np.sin(2 * np.pi * 300 * time_S)[None]).astype(np.float32)
    film = read_film(write_clip(tmp_path / "clip.mp4", numbered_frames(80), steady))
    film_without = film if not len(film.onsets_s) else None
    assert film_without is not None, film.onsets_s
    assert "no onsets, so AV-Align is undefined" in tolerance_notices(film)[-1]
    assert np.isnan(av_align_figure(film, "v2023", 10).value)


@pytest.mark.parametrize(
    ("level", "scale", "why"),
    [
        (0.3, "db", "the loudness of its sound varies by less than 0.5 dB"),
        (0.3, "linear", "the loudness of its sound varies by less than 0.5 dB"),
        (0.0008, "db", "its sound stays below -60 dB, where all counts as equally quiet"),
    ],
)
def test_sound_that_is_equally_loud_leaves_loudness_motion_undefined_and_says_why(
    level: float, scale: LoudnessScale, why: str, tmp_path: Path
) -> None:
    tone = (level * np.sin(2 * np.pi * 300 * np.arange(64_000) / 16_000)[None]).astype(np.float32)
    film = read_film(write_clip(tmp_path / "clip.mp4", numbered_frames(80), tone))
    assert not film.is_silent
    figure = loudness_motion(film, scale, 10)
    assert np.isnan([figure.value, figure.floor_mean]).all()
    assert f"clip.mp4: {why}, so loudness-motion is undefined." in tolerance_notices(film, scale)


def test_a_tone_with_one_louder_moment_is_not_equally_loud(tmp_path: Path) -> None:
    tone = (0.1 * np.sin(2 * np.pi * 300 * np.arange(64_000) / 16_000)[None]).astype(np.float32)
    tone[:, 32_000:32_800] *= 2.0
    film = read_film(write_clip(tmp_path / "clip.mp4", numbered_frames(80), tone))
    assert np.isfinite(loudness_motion(film, "db", 10).value)
    assert not any("loudness" in sentence for sentence in tolerance_notices(film))


@pytest.mark.parametrize(
    ("frames", "has_floor", "most_s"), [(4, False, 0.1), (7, False, 0.15), (8, True, 0.2), (40, True, 0.5)]
)
def test_short_films_have_no_other_moment_and_no_offset_beyond_their_half(
    frames: int, has_floor: bool, most_s: float, tmp_path: Path
) -> None:
    whole = read_film(moving_clip(tmp_path / "clip.mp4", seconds=2.0))
    film = replace(
        whole,
        frames=frames,
        onsets_s=np.array([0.1]),
        motion_N=whole.motion_N[:frames],
        flow_N=whole.flow_N[:frames],
    )
    figure = av_align_figure(film, "v2025", 10)
    assert np.isfinite(figure.value)
    assert np.isfinite(figure.floor_mean) == has_floor
    assert (figure.offsets_s[0], figure.offsets_s[-1]) == pytest.approx((-most_s, most_s))


def test_quick_films_of_less_than_a_second_have_a_whole_curve(tmp_path: Path) -> None:
    figure = loudness_motion(read_film(moving_clip(tmp_path / "clip.mp4", seconds=0.5, fps=60)), "db", 10)
    assert np.isfinite(figure.curve).all()
    assert figure.best_offset_s == 0.0


def test_a_rate_above_the_films_own_is_told(tmp_path: Path) -> None:
    path = moving_clip(tmp_path / "clip.mp4")
    (said,) = read_film(path, fps=40).notices
    assert said.startswith("clip.mp4 has 20 frames a second and is measured at 40, so frames repeat: ")
    assert "each of them makes a peak" in said
    for fps in (20, 21, 10, None):
        assert read_film(path, fps=fps).notices == ()


def test_a_rate_too_low_for_the_tolerance_is_said(tmp_path: Path) -> None:
    path = moving_clip(tmp_path / "clip.mp4", seconds=6.0)
    (said,) = tolerance_notices(read_film(path, fps=4))
    assert "at 4 frames a second AV-Align's tolerance is ±250 ms" in said
    assert tolerance_notices(read_film(path, fps=40)) == []


def test_a_file_that_is_no_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no film")
    with pytest.raises(MediaError):
        read_film(tmp_path / "notes.mp4")
    with pytest.raises(MediaError):
        read_film(write_clip(tmp_path / "mute.mp4", numbered_frames(40), None))


def test_a_film_of_few_frames_leaves_loudness_motion_undefined_and_says_so(tmp_path: Path) -> None:
    film = read_film(moving_clip(tmp_path / "clip.mp4", seconds=0.95))
    assert np.isnan(loudness_motion(film, "db", 10).value)
    assert "clip.mp4 has 19 frames; loudness-motion needs 20, so it is undefined." in tolerance_notices(film)
    assert np.isfinite(av_align_figure(film, "v2025", 10).value)
