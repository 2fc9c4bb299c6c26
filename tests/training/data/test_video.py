"""Decoding: which frames, which sound, and which files are refused."""

import wave
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError, UserError
from tests.training.clips import RATE_HZ, noise, numbered_frames, numbers_of, write_clip
from training.data.cache import LOCK, load_clip
from training.data.clip_sound import read_sound
from training.data.frames import read_frames
from training.data.video import Clip, ClipFormat

FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)


def at_fps(fps: int) -> ClipFormat:
    return ClipFormat(fps=fps, image_size=16, sample_rate_hz=RATE_HZ)


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov"])
def test_a_file_at_the_wanted_rate_gives_every_frame_once(tmp_path: Path, container: str) -> None:
    path = write_clip(tmp_path / f"clip.{container}", numbered_frames(20), noise(1.0))
    assert numbers_of(np.stack(list(read_frames(path, FORMAT)))) == list(range(20))


@pytest.mark.parametrize("fps", [24, 30])
def test_rounded_time_stamps_cost_no_frame(tmp_path: Path, fps: int) -> None:
    # Matroska rounds time stamps to 1 ms, so frames come up to half of that before or after their time.
    path = write_clip(tmp_path / "clip.mkv", numbered_frames(fps), noise(1.0), fps=fps)
    assert numbers_of(np.stack(list(read_frames(path, at_fps(fps))))) == list(range(fps))


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (10, [2, 5, 8, 11, 14, 17, 20, 23, 26, 29]),
        (20, [1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25, 26, 28, 29]),
    ],
)
def test_a_frame_is_the_one_on_screen_when_its_window_ends(tmp_path: Path, fps: int, expected: list[int]) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(30), noise(1.0), fps=30)
    assert numbers_of(np.stack(list(read_frames(path, at_fps(fps))))) == expected


def test_a_slow_file_repeats_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(10), noise(1.0), fps=10)
    assert numbers_of(np.stack(list(read_frames(path, FORMAT)))) == [k // 2 for k in range(20)]


def test_frames_are_cropped(tmp_path: Path) -> None:
    frames = np.zeros((20, 48, 64, 3), np.uint8)
    frames[:, 8:24, 40:56] = 255
    path = write_clip(tmp_path / "clip.mp4", frames, noise(1.0))
    cropped = ClipFormat(fps=20, image_size=8, sample_rate_hz=RATE_HZ, crop=(40, 8, 16, 16))
    assert next(read_frames(path, cropped)).mean() > 245
    # Without a crop the largest centred square: columns 8 to 56.
    centred = next(read_frames(path, ClipFormat(fps=20, image_size=48, sample_rate_hz=RATE_HZ)))
    assert centred[16, 34:46].min() > 200
    assert centred[16, :28].max() < 60
    # In another shape its largest centred part: rows 15 to 33 of 18 by 64 for 7:2, all columns.
    wide = next(read_frames(path, ClipFormat(fps=20, image_size="56x16", sample_rate_hz=RATE_HZ)))
    assert wide.shape == (16, 56, 3)
    assert wide[2, 36:48].min() > 200
    assert wide[11:].max() < 60


def test_sound_is_mixed_resampled_and_in_time(tmp_path: Path) -> None:
    sound = np.zeros((2, 44100), np.float32)
    sound[0, 22050:22100] = 0.8
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(20), sound, rate_hz=44100)
    sound_S = read_sound(path, RATE_HZ)
    assert sound_S.dtype == np.float32
    assert abs(int(np.abs(sound_S).argmax()) - RATE_HZ // 2) < 40
    assert abs(len(sound_S) - RATE_HZ) < 2500  # the codec pads to whole packets


def test_a_late_sound_track_is_preceded_by_silence(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", numbered_frames(20), noise(0.5), sound_start_s=0.5)
    sound_S = read_sound(path, RATE_HZ)
    loud = np.flatnonzero(np.abs(sound_S) > 0.05)
    assert abs(int(loud[0]) - RATE_HZ // 2) < 80


def bad_files(folder: Path) -> dict[str, Path]:
    (folder / "text.mp4").write_text("not a video at all, but long enough to be probed" * 50)
    (folder / "empty.mp4").touch()
    whole = write_clip(folder / "whole.mp4", numbered_frames(60), noise(3.0)).read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    write_clip(folder / "mute.mp4", numbered_frames(20), None)
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(bytes(2 * RATE_HZ))
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("text.mp4", "not a sound or video file that can be read"),
        ("empty.mp4", "not a sound or video file that can be read"),
        ("truncated.mp4", "not a sound or video file that can be read"),
        ("mute.mp4", "has no sound track"),
        ("sound.wav", "has no video track"),
        ("absent.mp4", "does not exist"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    bad_files(tmp_path)
    with pytest.raises(UserError, match=sentence) as caught:
        load_clip(tmp_path / name, FORMAT, tmp_path / "cache")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "cache").glob("*") if path.suffix != LOCK] == []


def test_a_crop_outside_the_frame_is_refused_with_its_size(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(20), noise(1.0))
    outside = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ, crop=(40, 0, 30, 30))
    with pytest.raises(TrainingError, match="64x48"):
        load_clip(path, outside, tmp_path / "cache")


def test_a_silent_track_is_noticed(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4", numbered_frames(20), np.zeros((1, RATE_HZ), np.float32))
    assert "silent" in load_clip(silent, FORMAT, tmp_path / "cache").notices()[0]
    audible = write_clip(tmp_path / "audible.mp4", numbered_frames(20), noise(1.0))
    assert load_clip(audible, FORMAT, tmp_path / "cache").notices() == []


def test_a_clip_is_as_long_as_its_shorter_track(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", numbered_frames(40), noise(1.0))
    assert 20 <= len(load_clip(path, FORMAT, tmp_path / "cache").frames_NHWC) <= 22


def test_loudness_is_the_same_however_long_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = Clip(numbered_frames(40), noise(2.0)[0], FORMAT, "made.mp4")
    whole = 10 * np.log10(np.mean(clip.sound_S.astype(np.float64) ** 2))
    monkeypatch.setattr("training.data.video.SOUND_BLOCK", 1000)
    assert clip.loudness_db() == pytest.approx(whole)
    assert Clip(clip.frames_NHWC, clip.sound_S[:0], FORMAT, "made.mp4").loudness_db() == -200.0


def test_a_notice_lists_the_cuts_and_the_longest_shot() -> None:
    clip = Clip(numbered_frames(200), noise(10.0)[0], FORMAT, "made.mp4", cuts_s=(3.2, 7.9))
    assert clip.notices() == [
        "made.mp4: scene cuts at 3.2 s and 7.9 s; the model will learn to jump. Use one shot; the longest runs from 3.2 s to 7.9 s."
    ]
    many = Clip(numbered_frames(200), noise(10.0)[0], FORMAT, "made.mp4", cuts_s=tuple(k / 2 for k in range(1, 20)))
    assert "scene cuts at 0.5 s, 1 s, 1.5 s, 2 s, 2.5 s, 3 s, 3.5 s, 4 s and 11 more;" in many.notices()[0]
    once = Clip(numbered_frames(200), noise(10.0)[0], FORMAT, "made.mp4", cuts_s=(1.5,))
    assert "made.mp4: scene cut at 1.5 s; the model" in once.notices()[0]
