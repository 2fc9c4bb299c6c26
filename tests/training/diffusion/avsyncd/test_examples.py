"""Clips to train on, in the layout of the original's data sets."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import MediaError, TrainingError
from tests.training.clips import noise, numbered_frames, numbers_of, write_clip
from training.data.clip_sound import read_sound
from training.diffusion.avsyncd.examples import Example, frames_from, read_examples, read_stretch


def data(folder: Path, lines: str, mapping: object = None) -> Path:
    (folder / "train.txt").write_text(lines)
    if mapping is not None:
        (folder / "class_mapping.json").write_text(json.dumps(mapping))
    return folder


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_class_has_its_text(tmp_path: Path) -> None:
    folder = data(tmp_path, "lions_roaring/a.mp4\n\ndog/b.mp4\n", {"lions_roaring": "lions roaring", "dog": "a dog"})
    videos = tmp_path / "videos"
    assert read_examples(folder) == [
        Example(videos / "lions_roaring/a.mp4", "lions roaring"),
        Example(videos / "dog/b.mp4", "a dog"),
    ]


def test_without_a_mapping_underscores_are_spaces(tmp_path: Path) -> None:
    found = read_examples(data(tmp_path, "fire_crackling/a.mp4\nb.mp4"), "a stick")
    assert [example.text for example in found] == ["fire crackling", "a stick"]


def test_videos_of_training_may_lie_apart(tmp_path: Path) -> None:
    place = tmp_path / "videos" / "train" / "thunder" / "a.mp4"
    place.parent.mkdir(parents=True)
    place.touch()
    assert read_examples(data(tmp_path, "thunder/a.mp4"))[0].path == place


@pytest.mark.parametrize(
    ("lines", "mapping", "sentence"),
    [
        (" \n", None, "lists no clip"),
        ("/data/dog/a.mp4", None, "lists /data/dog/a.mp4; paths in"),
        ("../dog/a.mp4", None, r"lists \.\./dog/a.mp4; paths in"),
        ("dog/a.mp4", {"cat": "a cat"}, "no text for 'dog'"),
        ("dogs/a.mp4", {"dog": "a dog"}, "no text for 'dogs'.*Did you mean 'dog'"),
        ("dog/a.mp4", ["dog"], "something else than texts by class"),
        ("dog/a.mp4", {"dog": 1}, "something else than texts by class"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, lines: str, mapping: object, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        read_examples(data(tmp_path, lines, mapping))


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"dog/a.mp4\n\xff\xfe\n")
    with pytest.raises(TrainingError, match=r"train\.txt cannot be used: it is not UTF-8 text in line 2"):
        read_examples(tmp_path)


def test_a_film_of_few_frames_keeps_to_its_sound(tmp_path: Path) -> None:
    """At 4 frames a second, the first frame at each sixth of a second or after it."""
    slow = write_clip(tmp_path / "slow.mp4", numbered_frames(16), noise(4.0), fps=4)
    numbers = numbers_of(frames_from(slow, 0.0, (48, 48)))
    assert numbers == [math.ceil(frame / 6 * 4 - 1e-6) for frame in range(12)]


def test_a_list_is_needed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^Cannot read .*train\.txt.*how data lie\.$"):
        read_examples(tmp_path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 20 frames a second; each frame tells its number."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", numbered_frames(60), noise(3.0))


def test_twelve_frames_from_a_random_place_on(clip: Path) -> None:
    stretch = read_stretch(clip, (48, 48), random(), flips=False)
    start_s = float(torch.rand((), generator=random())) * (len(read_sound(clip, 16000)) / 16000 - 2.0)
    assert stretch.frames_FHW3.shape == (12, 48, 48, 3)
    assert len(stretch.sound_S) == 32000
    # The first frame at its time or after it.
    expected = [int(np.ceil((start_s + k / 6) * 20 - 1e-4)) for k in range(12)]
    assert numbers_of(stretch.frames_FHW3) == expected


def test_other_places_with_other_random_numbers(clip: Path) -> None:
    first = {numbers_of(read_stretch(clip, (16, 16), random(seed), flips=False).frames_FHW3)[0] for seed in range(4)}
    assert len(first) > 1


def test_half_of_the_stretches_are_mirrored(tmp_path: Path) -> None:
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    frames[:, :, 16:] = 200
    file = write_clip(tmp_path / "sides.mp4", frames, noise(0.2))
    left = [read_stretch(file, (16, 16), random(seed), flips=True).frames_FHW3[0, 8, 2, 0] > 100 for seed in range(12)]
    assert {True, False} == set(left)
    assert not any(
        read_stretch(file, (16, 16), random(seed), flips=False).frames_FHW3[0, 8, 2, 0] > 100 for seed in range(12)
    )


def test_a_short_clip_is_filled_up(tmp_path: Path) -> None:
    file = write_clip(tmp_path / "short.mp4", numbered_frames(20), noise(1.0))
    stretch = read_stretch(file, (16, 16), random(), flips=False)
    # Times 0, 1/6, … 1 s at 20 frames a second; then the last one.
    assert numbers_of(stretch.frames_FHW3) == [0, 4, 7, 10, 14, 17, *[17] * 6]
    assert len(stretch.sound_S) == 32000
    assert not stretch.sound_S[18000:].any()


def test_a_file_that_is_no_film(tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_text("no film")
    with pytest.raises(MediaError, match=r"words\.mp4"):
        read_stretch(tmp_path / "words.mp4", (16, 16), random(), flips=False)
