"""The command writes ordinary films with labels, which every reader of films gives back in time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError, UserError
from training.data.clip_sound import read_sound, read_track
from training.data.frames import file_frame_rate, read_frames
from training.data.moving_digits.__main__ import clips_at_once, main, parse
from training.data.moving_digits.clip_making import make_clip
from training.data.moving_digits.digit_images import drawn_digits
from training.data.moving_digits.labels import read_labels
from training.data.moving_digits.legacy import LegacyRecipe
from training.data.moving_digits.recipe import Recipe
from training.data.video import ClipFormat


def run(folder: Path, *flags: str) -> dict:
    assert main(["-o", str(folder), "--clips", "3", "--test-clips", "1", "--seconds", "2", *flags]) == 0
    return json.loads((folder / "dataset.json").read_text())


def test_films_have_the_frames_and_the_sound_that_were_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = run(tmp_path / "set", "--seed", "7")
    assert about["clips"] == {"train": 3, "test": 1}
    assert sorted(file.name for file in (tmp_path / "set" / "train").glob("*.mp4")) == [
        f"00000{n}.mp4" for n in range(3)
    ]
    said, complained = capsys.readouterr()
    assert about["sha256"] in said
    assert "times real time" in said
    assert "drawn glyphs" in complained
    path = tmp_path / "set" / "train" / "000001.mp4"
    clip = make_clip(Recipe(seconds=2.0), drawn_digits().part("train"), 7, "train", 1)
    assert read_labels(path.with_suffix(".json")) == clip.labels
    frames = np.stack(list(read_frames(path, ClipFormat(fps=20, image_size=64, sample_rate_hz=16_000))))
    assert np.abs(frames[..., 1].astype(int) - clip.frames_NHW).mean() < 2.0
    sound_S = read_sound(path, 16_000)
    assert abs(len(sound_S) - 32_000) <= 1024
    # To the sample: the encoder's delay is taken out by the reader.
    late = np.argmax(np.correlate(sound_S[:8200], clip.sound_S[100:8000], "valid")) - 100
    assert abs(late) <= 1


def test_the_checksum_is_that_of_the_seed(tmp_path: Path) -> None:
    first, again, other = run(tmp_path / "a"), run(tmp_path / "b"), run(tmp_path / "c", "--seed", "1")
    assert first["sha256"] == again["sha256"] != other["sha256"]


def test_legacy_films_have_the_originals_rates(tmp_path: Path) -> None:
    about = run(tmp_path / "set", "--legacy", "--no-obstacle")
    path = tmp_path / "set" / "test" / "000000.avi"
    assert about["recipe"] == "M3SO-NB, legacy"
    assert file_frame_rate(path) == 10
    sound_S, rate_hz = read_track(path)
    assert (len(sound_S), rate_hz) == (8800, 4400)
    assert read_labels(path.with_suffix(".json")).seed == 1


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(TrainingError, match=r"holds 'mine.txt' already; choose an empty or a new folder"):
        run(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("clips", "tested"), [(3, 1), (20, 2)])
def test_a_tenth_of_the_clips_are_to_test_with_and_one_at_least(clips: int, tested: int) -> None:
    assert parse(["-o", "set", "--clips", str(clips)]).test_clips == tested


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--clips", "0"], "--clips is 0"),
        (["--test-clips", "-1"], "--test-clips is -1"),
        (["--seed", "-1"], "--seed is -1"),
        (["--legacy", "--fps", "20"], "--fps came with --legacy"),
        (["--legacy", "--kick", "2"], "--kick came with --legacy"),
        (["--legacy", "--seconds", "nan"], "--seconds is nan"),
        (["--legacy", "--seconds", "inf"], "--seconds is inf"),
        (["--legacy", "--seconds", "1e9"], "--seconds is 1e+09"),
        (["--legacy", "--count", "-1"], "--count is -1"),
        (["--legacy", "--count", "0"], "--count is 0"),
        (["--size", "512", "--seconds", "600"], "at most 51 s, or a smaller --size, was expected"),
        (["--fps", "0"], "--fps is 0"),
        (["--digits", "absent.tgz"], "absent.tgz holds no digits"),
        (["--sise", "64"], "--sise"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_makes_nothing(flags: list[str], part: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        run(tmp_path / "set", *flags)
    assert part in str(refused.value)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("recipe", "at_once"),
    [
        (Recipe(), 64),
        (LegacyRecipe(), 64),
        (Recipe(size=512), 16),
        (Recipe(size=512, seconds=51.0), 1),
        (Recipe(seconds=600.0, sample_rate_hz=48_000), 1),
    ],
)
def test_fewer_large_clips_are_in_memory_at_once(recipe: Recipe | LegacyRecipe, at_once: int) -> None:
    assert clips_at_once(recipe) == at_once


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("no JSON", "cut off or no JSON"),
        ("[]", "a mapping was expected"),
        ('{"recipe": 3}', "'recipe' is 3; a text"),
        (None, "No such file"),
    ],
)
def test_wrong_labels_are_refused(text: str | None, part: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TrainingError) as refused:
        read_labels(path)
    assert part in str(refused.value)
