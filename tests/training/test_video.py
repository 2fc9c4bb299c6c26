"""Decoding, cache, windows, split and lanes."""

import itertools
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

import training.data.cache as cache
from engine.errors import TrainingError
from tests.training.clips import RATE_HZ, noise, numbered_frames, numbers_of, write_clip
from training.data.cache import load_clip
from training.data.video import Clip, ClipFormat, read_pictures, read_sound
from training.data.windows import Fold, Lanes, WindowTiming, pictures, sound_windows, split

FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)
TIMING = WindowTiming(window_samples=1360, hop_samples=800)


def at_fps(fps: int) -> ClipFormat:
    return ClipFormat(fps=fps, image_size=16, sample_rate_hz=RATE_HZ)


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov"])
def test_a_file_at_the_wanted_rate_gives_every_picture_once(tmp_path: Path, container: str) -> None:
    path = write_clip(tmp_path / f"clip.{container}", numbered_frames(20), noise(1.0))
    assert numbers_of(np.stack(list(read_pictures(path, FORMAT)))) == list(range(20))


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (10, [2, 5, 8, 11, 14, 17, 20, 23, 26, 29]),
        (20, [1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25, 26, 28, 29]),
    ],
)
def test_a_picture_is_the_one_on_screen_when_its_window_ends(tmp_path: Path, fps: int, expected: list[int]) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(30), noise(1.0), fps=30)
    assert numbers_of(np.stack(list(read_pictures(path, at_fps(fps))))) == expected


def test_a_slow_file_repeats_pictures(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(10), noise(1.0), fps=10)
    assert numbers_of(np.stack(list(read_pictures(path, FORMAT)))) == [k // 2 for k in range(20)]


def test_the_crop_is_what_is_seen(tmp_path: Path) -> None:
    frames = np.zeros((20, 48, 64, 3), np.uint8)
    frames[:, 8:24, 40:56] = 255
    path = write_clip(tmp_path / "clip.mp4", frames, noise(1.0))
    cropped = ClipFormat(fps=20, image_size=8, sample_rate_hz=RATE_HZ, crop=(40, 8, 16, 16))
    assert next(read_pictures(path, cropped)).mean() > 245
    # Without a crop the largest centred square: columns 8 to 56.
    centred = next(read_pictures(path, ClipFormat(fps=20, image_size=48, sample_rate_hz=RATE_HZ)))
    assert centred[16, 34:46].min() > 200
    assert centred[16, :28].max() < 60


def test_sound_is_mixed_resampled_and_in_time(tmp_path: Path) -> None:
    sound = np.zeros((2, 44100), np.float32)
    sound[0, 22050:22100] = 0.8
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(20), sound, rate_hz=44100)
    heard = read_sound(path, RATE_HZ)
    assert heard.dtype == np.float32
    assert abs(int(np.abs(heard).argmax()) - RATE_HZ // 2) < 40
    assert abs(len(heard) - RATE_HZ) < 2500  # the codec pads to whole packets


def test_a_late_sound_track_is_preceded_by_silence(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", numbered_frames(20), noise(0.5), sound_start_s=0.5)
    heard = read_sound(path, RATE_HZ)
    loud = np.flatnonzero(np.abs(heard) > 0.05)
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
        ("text.mp4", "not a video that can be read"),
        ("empty.mp4", "not a video that can be read"),
        ("truncated.mp4", "not a video that can be read"),
        ("mute.mp4", "has no sound track"),
        ("sound.wav", "holds no picture"),
        ("absent.mp4", "does not exist"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    bad_files(tmp_path)
    with pytest.raises(TrainingError, match=sentence) as caught:
        load_clip(tmp_path / name, FORMAT, tmp_path / "cache")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").glob("*"))


def test_a_crop_outside_the_picture_is_refused_with_its_size(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(20), noise(1.0))
    outside = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ, crop=(40, 0, 30, 30))
    with pytest.raises(TrainingError, match="64x48"):
        load_clip(path, outside, tmp_path / "cache")


def test_a_silent_track_is_noticed(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4", numbered_frames(20), np.zeros((1, RATE_HZ), np.float32))
    assert "silent" in load_clip(silent, FORMAT, tmp_path / "cache").notices()[0]
    audible = write_clip(tmp_path / "audible.mp4", numbered_frames(20), noise(1.0))
    assert load_clip(audible, FORMAT, tmp_path / "cache").notices() == []


def test_a_clip_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(20), noise(1.0))
    first = load_clip(path, FORMAT, tmp_path / "cache")
    monkeypatch.setattr(cache, "read_pictures", lambda *_: pytest.fail("decoded again"))
    again = load_clip(path, FORMAT, tmp_path / "cache")
    assert np.array_equal(first.frames_NHWC, again.frames_NHWC)
    assert np.array_equal(first.sound_S, again.sound_S)
    assert len(again.sound_S) == 20 * 800
    other = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ, crop=(0, 0, 16, 16))
    assert cache.cache_key(path, other) != cache.cache_key(path, FORMAT)


def test_an_interrupted_decoding_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(20), noise(1.0))

    def interrupted(*_: object):  # type: ignore[no-untyped-def]
        yield np.zeros((16, 16, 3), np.uint8)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache, "read_pictures", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_clip(path, FORMAT, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert len(load_clip(path, FORMAT, tmp_path / "cache").frames_NHWC) == 20


def test_a_clip_is_as_long_as_its_shorter_track(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", numbered_frames(40), noise(1.0))
    assert 20 <= len(load_clip(path, FORMAT, tmp_path / "cache").frames_NHWC) <= 22


def test_window_k_ends_at_the_end_of_hop_k() -> None:
    sound = np.arange(1, 4001, dtype=np.float32)
    windows = sound_windows(sound, 0, 5, TIMING)
    assert windows.shape == (5, 1360)
    assert windows[:, -1].tolist() == [800, 1600, 2400, 3200, 4000]
    assert not windows[0, : 1360 - 800].any()
    assert np.array_equal(windows[1], sound[240:1600])


def test_windows_are_the_same_wherever_reading_begins() -> None:
    sound = noise(1.0)[0]
    ahead = WindowTiming(window_samples=1520, hop_samples=800, look_ahead_samples=1320)
    whole = sound_windows(sound, 0, 20, ahead)
    assert np.array_equal(
        np.concatenate([sound_windows(sound, 0, 7, ahead), sound_windows(sound, 7, 13, ahead)]), whole
    )
    assert whole[3, -1] == sound[4 * 800 + 1320 - 1]
    assert not whole[-1, -1320:].any()


def made_clip(count: int) -> Clip:
    return Clip(numbered_frames(count, 8, 8), np.zeros(count * 800, np.float32), FORMAT, "made.mp4")


def test_pictures_are_scaled_to_plus_minus_one() -> None:
    clip = made_clip(4)
    clip.frames_NHWC[0], clip.frames_NHWC[1] = 0, 255
    read = pictures(clip, 0, 2)
    assert read.shape == (2, 3, 8, 8)
    assert read[0].unique().tolist() == [-1.0]
    assert read[1].unique().tolist() == [1.0]


def test_the_last_fifth_is_held_out() -> None:
    assert split(made_clip(100), 16) == (Fold(0, 80), Fold(80, 100))


@pytest.mark.parametrize("count", [1, 5, 19])
def test_too_short_a_clip_says_how_long_it_must_be(count: int) -> None:
    with pytest.raises(TrainingError, match=rf"has {count} pictures .* at least 20 are needed"):
        split(made_clip(count), 16)
    split(made_clip(20), 16)


def test_lanes_read_consecutive_sequences_and_stay_inside() -> None:
    lanes = Lanes(Fold(0, 80), 16, 1, torch.Generator().manual_seed(0))
    read = [lanes.advance() for _ in range(40)]
    for (before,), (start,), (fresh,) in ((a[0], b[0], b[1]) for a, b in itertools.pairwise(read)):
        assert fresh == (start != before + 16)
        assert not fresh or 0 <= start < 16
        assert start + 16 <= 80
    assert read[0] == ([0], [True])
    assert len({start for ((start,), (fresh,)) in read if fresh}) > 3


def test_lanes_begin_at_different_places() -> None:
    lanes = Lanes(Fold(0, 80), 16, 4, torch.Generator())
    starts, fresh = lanes.advance()
    assert len(set(starts)) == 4
    assert all(fresh)
    assert max(starts) + 16 <= 80


def test_a_fold_of_one_sequence_repeats_it() -> None:
    lanes = Lanes(Fold(0, 16), 16, 2, torch.Generator())
    assert [lanes.advance() for _ in range(2)] == [([0, 0], [True, True])] * 2
