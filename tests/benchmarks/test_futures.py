"""Benchmarks of futures with a small model of random weights and a few small clips of moving digits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import bounces, futures, long_futures
from engine.core.errors import ConfigError, TrainingError
from tests.training.families.sound2sight.models import moved_model
from training.core.front_end import FrontEndConfig
from training.data.moving_digits.clip_making import make_clip
from training.data.moving_digits.digit_images import load_digits
from training.data.moving_digits.files import write_clip_files
from training.data.moving_digits.labels import read_labels, write_labels
from training.data.moving_digits.recipe import Recipe
from training.families.family import build_model
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.model_config import ModelConfig
from training.loop.checkpoint import save_generator
from training.loop.config import TrainConfig

SIZE, FPS, FUTURE = 32, 20, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, a run of Sound2Sight, one with other context frames, and one of Listen and Move."""
    folder = tmp_path_factory.mktemp("futures")
    recipe = Recipe(size=SIZE, fps=FPS, seconds=1.5, has_obstacle=False)
    for number in range(3):
        write_clip_files(folder, "train", make_clip(recipe, load_digits(None), 0, "train", number))
    for name, context in (("run", 2), ("more", 3)):
        model = moved_model(context_frames=context)
        save_generator(
            folder / name, model, TrainConfig(model=model.config, sequence_frames=8, sequences_per_batch=2), 7
        )
    shape = ListenAndMoveConfig(channels_base=16, channels_min=8)
    config = ModelConfig(
        name="listen",
        family="listen_and_move",
        image_size=SIZE,
        front_end=FrontEndConfig(mel_bands=16),
        generator=shape,
    )
    torch.manual_seed(0)
    save_generator(folder / "listen", build_model(config), TrainConfig(model=config), 5)
    slower = replace(config, fps=10)
    save_generator(folder / "slower", build_model(slower), TrainConfig(model=slower), 5)
    return folder


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    return tmp_path


def words(folder: Path, *more: str) -> list[str]:
    return [
        str(folder / "run"),
        *("--cache", str(folder / "cache"), "--samples", "2", "--future", str(FUTURE)),
        *more,
    ]


def test_futures_stand_beside_another_sound_the_last_frame_and_other_runs(folder: Path, records: Path) -> None:
    beside = [f"itself={folder / 'run'}", str(folder / "listen")]
    drawn = records / "curves"
    given = words(folder, "--clip", str(folder / "train"), "--curves", str(drawn), "--beside", *beside)
    assert futures.main(given) == 0
    record = json.loads((records / "futures.jsonl").read_text())
    assert record["stretches"] == 9  # three of eight frames in each clip of thirty
    assert record["iterations_beside"] == {"itself": 7, "listen": 5}
    names = ("its sound", "another sound", "last frame copied", "black", "itself", "listen")
    assert all(len(record[name]["ssim"]) == FUTURE for name in names)
    # The same model draws the same numbers from the same seed.
    assert record["itself"]["psnr_db"] == pytest.approx(record["its sound"]["psnr_db"], abs=1e-3)
    assert record["another sound"] != record["its sound"]
    assert {file.name for file in drawn.iterdir()} == {"futures.png", "futures-frames.png"}


def test_stretches_may_overlap(folder: Path, records: Path) -> None:
    clip = str(folder / "train" / "000000.mp4")
    assert futures.main(words(folder, "--clip", clip, "--every", "2")) == 0
    assert (
        json.loads((records / "futures.jsonl").read_text())["stretches"] == 12
    )  # of eight frames, at 0, 2 … 22 of thirty
    assert futures.main(words(folder, "--clip", clip, "--every", "2", "--first", "15")) == 0
    later = (records / "futures.jsonl").read_text().splitlines()[-1]
    assert json.loads(later)["stretches"] == 4  # at 15, 17, 19, 21
    with pytest.raises(ConfigError, match="--first is -1; 0 or more was expected"):
        futures.main(words(folder, "--clip", clip, "--first", "-1"))
    with pytest.raises(ConfigError, match=r"--first is 5 beside --held-out, .* leave one of them out"):
        futures.main(words(folder, "--clip", clip, "--held-out", "--first", "5"))
    with pytest.raises(ConfigError, match="--every is 0; 1 or more was expected"):
        futures.main(words(folder, "--clip", clip, "--every", "0"))


def test_one_future_has_no_diversity(folder: Path, records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = words(folder, "--clip", str(folder / "train"), "--samples", "1")
    assert futures.main(given) == 0
    record = json.loads((records / "futures.jsonl").read_text())
    assert (record["diversity"], record["diversity_other_sound"]) == (None, None)
    said, complained = capsys.readouterr()
    assert "9 stretches, 1 future each; diversity undefined" in said
    assert not complained


def test_silent_sound_is_told(folder: Path, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_clip(Recipe(size=SIZE, fps=FPS, seconds=1.5, has_obstacle=False), load_digits(None), 0, "train", 0)
    file = write_clip_files(tmp_path, "train", replace(clip, sound_S=0.0 * clip.sound_S))
    assert futures.main(words(folder, "--clip", str(file))) == 0
    record = json.loads((records / "futures.jsonl").read_text())
    assert record["its sound"] == record["another sound"]
    said = "notice: the sound of 3 of 3 stretches is silent; for them, its sound and another silent one are the same."
    assert said in capsys.readouterr().err


def test_bounces_are_counted_with_both_sounds_and_in_the_clips(folder: Path, records: Path) -> None:
    assert bounces.main(words(folder, "--folder", str(folder / "train"), "--clips", "2", "--future", "26")) == 0
    record = json.loads((records / "bounces.jsonl").read_text())
    assert (record["clips"], record["samples"], record["iterations"]) == (2, 2, 7)
    assert record["answered"]["the clips themselves"] > 0.9
    assert len(record["answered"]) == 3


def test_with_an_obstacle_the_context_begins_with_it(folder: Path, records: Path, tmp_path: Path) -> None:
    recipe = Recipe(size=SIZE, fps=FPS, seconds=3.0)
    for number in range(6):
        write_clip_files(tmp_path, "train", make_clip(recipe, load_digits(None), 0, "train", number))
    assert bounces.main(words(folder, "--folder", str(tmp_path / "train"), "--future", "26")) == 0
    record = json.loads((records / "bounces.jsonl").read_text())
    # In three seconds of twenty frames it comes after 1.1 s, if it finds a place at once: two and 26 frames fit behind it.
    assert record["clips"] == 6
    assert len(record["answered"]) == 9
    for kind in ("", ", at the edge", ", at the obstacle"):
        assert record["answered"][f"the clips themselves{kind}"] > 0.8


def digit_clips(folder: Path, **recipe: Any) -> Path:
    """Write two short clips of moving digits, without an obstacle, and return their folder."""
    made = Recipe(**{"size": SIZE, "fps": FPS, "seconds": 1.5, "has_obstacle": False, **recipe})
    for number in range(2):
        write_clip_files(folder, "train", make_clip(made, load_digits(None), 0, "train", number))
    return folder / "train"


def test_without_a_bounce_the_share_is_undefined(
    folder: Path, records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = digit_clips(tmp_path)
    for labels in clips.glob("*.json"):
        write_labels(labels, replace(read_labels(labels), bounces=()))
    assert bounces.main(words(folder, "--folder", str(clips), "--future", "20")) == 0
    record = json.loads((records / "bounces.jsonl").read_text())
    assert list(record["answered"].values()) == [None, None, None]
    assert None not in record["turns_elsewhere"].values()
    assert capsys.readouterr().out.count("undefined") == 3


@pytest.mark.parametrize(
    ("recipe", "labels", "sentence"),
    [
        ({"fps": 10}, {}, "has 10 frames a second; 20, those of the run, were expected: make clips with --fps 20"),
        ({"size": 64}, {}, "has frames of 64x64; 32x32, those of the run, were expected: make clips with --size 32"),
        ({"digits": 2}, {}, "has 2 digits; one was expected: make clips with --count 1"),
        ({}, {"recipe": "M3SO-NB, legacy"}, "was made with --legacy, where the turn is seen one frame after its tone"),
    ],
)
def test_clips_in_which_no_bounce_can_be_found_are_refused(
    recipe: dict[str, int], labels: dict[str, str], sentence: str, folder: Path, tmp_path: Path
) -> None:
    clips = digit_clips(tmp_path, **recipe)
    first = clips / "000000.json"
    write_labels(first, replace(read_labels(first), **labels))
    with pytest.raises(TrainingError, match=f"000000.mp4 {sentence}"):
        bounces.main(words(folder, "--folder", str(clips)))


def test_clips_that_are_not_there_are_refused(folder: Path) -> None:
    absent = str(folder / "absent")
    with pytest.raises(
        TrainingError, match=r"absent, which is no folder; one with clips of training.data.moving_digits"
    ):
        bounces.main(words(folder, "--folder", absent))
    with pytest.raises(TrainingError, match="absent does not exist; give a film"):
        futures.main(words(folder, "--clip", absent))


def test_no_clips_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="--clips is 0; 1 or more was expected"):
        bounces.main(words(folder, "--folder", str(folder / "train"), "--clips", "0"))


def test_a_long_play_stands_beside_its_clip_and_one_that_is_reseeded(folder: Path, records: Path) -> None:
    clip = str(folder / "train" / "000000.mp4")
    given = [str(folder / "run"), "--clip", clip, "--cache", str(folder / "cache"), "--reseed-s", "0.3"]
    assert long_futures.main(given) == 0
    record = json.loads((records / "long_futures.jsonl").read_text())
    assert record["frames"] == 30
    (real,), (alone,), (reseeded,) = (record[name] for name in ("the clip", "from its own frames", "reseeded"))
    assert min(real.values()) > 0.0
    assert alone != reseeded
    for more, sentence in (
        (["--minutes", "0"], "--minutes is 0; a finite number above 0 was expected"),
        (["--minutes", "inf"], "--minutes is inf; a finite number above 0 was expected"),
        (["--minutes", "nan"], "--minutes is nan; a finite number above 0 was expected"),
        (["--reseed-s", "-1"], "--reseed-s is -1; a finite number above 0 was expected"),
        (["--reseed-s", "inf"], "--reseed-s is inf; a finite number above 0 was expected"),
        (["--minutes", "0.001"], "has 1 frames for it; 2 of context and two more were expected"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            long_futures.main([*given, *more])


def test_a_reseeded_play_begins_again_at_each_part(folder: Path) -> None:
    model = moved_model(context_frames=2)
    frames = torch.rand(14, 3, *model.frame_size, generator=torch.Generator().manual_seed(4)) * 2.0 - 1.0
    audio = torch.zeros(14, model.window_samples)
    alone, reseeded = (
        list(long_futures.played(model, frames, audio, 4, reseeded=reseeded)) for reseeded in (False, True)
    )
    assert [len(part) for part in reseeded] == [4, 4, 4]
    assert torch.equal(alone[0], reseeded[0])
    assert not torch.equal(alone[1], reseeded[1])
    whole = torch.cat(list(long_futures.played(model, frames, audio, 12, reseeded=False)))
    torch.testing.assert_close(torch.cat(alone), whole, rtol=0, atol=1e-5)


def test_what_frames_look_like() -> None:
    halves = torch.full((4, 3, 2, 2), -1.0)
    halves[..., 0] = 1.0
    halves[2:] = halves[2:].flip(-1)
    light, contrast, motion = long_futures.look_of(halves)
    assert (light, contrast) == pytest.approx((0.5, 0.5))
    assert motion == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--samples", "0"], "--samples is 0; 1 or more was expected."),
        (["--future", "-1"], "--future is -1; 1 or more was expected."),
        (["--future", "29"], "The clips hold 0 stretches of 31 frames; two or more were expected."),
    ],
)
def test_futures_that_are_none_are_refused(folder: Path, more: list[str], sentence: str) -> None:
    for main, clips in ((futures.main, "--clip"), (bounces.main, "--folder")):
        with pytest.raises((ConfigError, TrainingError)) as refused:
            main(words(folder, clips, str(folder / "train"), *more))
        assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        (["slower"], "plays 32x32 at 10 fps; 32x32 at 20 fps was expected"),
        (["more"], "begins with 3 context frames; 2 were"),
        (["run", "run"], "has 'run', a name that is taken"),
        (["its sound=run"], "has 'its sound', a name that is taken"),
    ],
)
def test_runs_that_cannot_stand_beside_are_refused(
    folder: Path, beside: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(TrainingError, match=sentence):
        futures.main(words(folder, "--clip", str(folder / "train"), "--beside", *beside))


def test_a_run_of_another_family_is_refused(folder: Path) -> None:
    given = [str(folder / "listen"), *words(folder, "--clip", str(folder / "train"))[1:]]
    with pytest.raises(TrainingError, match="is of the family 'listen_and_move'; one of sound2sight was expected"):
        futures.main(given)
