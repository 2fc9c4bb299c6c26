"""The track and the channels that are trained: heard, cached and told apart from others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import MediaError, TrainingError
from tests.engine.media.many_sounds import Track, tone_of, write_film
from training.autopilot.clip_analysis import analyse_clip
from training.data.cache import load_clip
from training.data.clip_sound import read_clip_sound
from training.data.config import ClipConfig
from training.data.footage import footage_sha256, load_footage
from training.data.sound_choice import SoundChoice
from training.data.sources import VideoFile, file_digest
from training.data.video import ClipFormat
from training.evaluation.clips import load_shared_clips
from training.loop.config import TrainConfig
from training.teach import argument_parser, given_settings, sound_settings

RATE_HZ = 16000
FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)
EIGHT_HZ = tuple(500 * number for number in range(1, 9))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(
        tmp_path / "film.mkv",
        Track((0,), "fre"),
        Track((1000,), "eng", default=True),
        Track(EIGHT_HZ, "mul"),
        seconds=3.0,
    )


@pytest.mark.parametrize(
    ("choice", "tone_hz"),
    [
        (SoundChoice(), 1000),
        (SoundChoice("2"), 1000),
        (SoundChoice("1"), 0),
        (SoundChoice("mul", (7,)), 3500),
        (SoundChoice("3", (2,)), 1000),
    ],
)
def test_the_chosen_sound_is_trained(choice: SoundChoice, tone_hz: int, film: Path) -> None:
    assert tone_of(read_clip_sound(film, RATE_HZ, choice).whole(), RATE_HZ) == tone_hz
    clip = load_clip(VideoFile(film, choice), FORMAT, film.parent / "cache")
    assert tone_of(np.asarray(clip.sound_S), RATE_HZ) == tone_hz


def test_several_channels_are_mixed(film: Path) -> None:
    mixed_S = read_clip_sound(film, RATE_HZ, SoundChoice("mul", (3, 4))).whole()
    alone_S = [read_clip_sound(film, RATE_HZ, SoundChoice("mul", (channel,))).whole() for channel in (3, 4)]
    assert np.abs(mixed_S - (alone_S[0] + alone_S[1]) / 2).max() < 1e-4


def test_every_choice_is_cached_by_itself_and_is_another_clip(film: Path) -> None:
    path = str(film)
    configs = [
        ClipConfig(path=path),
        ClipConfig(path=path, track=2),
        ClipConfig(path=path, track="eng"),
        ClipConfig(path=path, track="mul", channels=(3, 4)),
        ClipConfig(path=path, track="mul", channels=(4, 3)),
        ClipConfig(path=path, channels=(1,)),
    ]
    assert len({footage_sha256(config) for config in configs}) == len(configs)
    # Runs of the version before are on the default sound.
    assert footage_sha256(configs[0]) == file_digest(film)
    for config, tone_hz in ((configs[0], 1000), (ClipConfig(path=path, track=3, channels=(7,)), 3500)):
        footage = load_footage(config, FORMAT, 8, film.parent / "cache")
        assert tone_of(np.asarray(footage.training[0].clip.sound_S), RATE_HZ) == tone_hz


def test_an_evaluation_hears_what_was_trained(film: Path) -> None:
    config = TrainConfig(clip=ClipConfig(path=str(film), track="3", channels=(7,)))
    for given in (None, film):
        (clip,) = load_shared_clips([config], given, film.parent / "cache")
        assert tone_of(np.asarray(clip.sound_S), config.clip_format().sample_rate_hz) == 3500


def test_the_analysis_hears_what_is_trained(film: Path) -> None:
    assert analyse_clip(film, 1.0, SoundChoice("3", (7,))).level_db == pytest.approx(-13.5, abs=0.5)
    with pytest.raises(
        TrainingError, match=r"a silent sound track.*audible is 2 \(eng\), 3 \(mul\): choose it with --track"
    ):
        analyse_clip(film, 1.0, SoundChoice("fre"))


def test_a_sound_that_is_not_there_is_a_sentence(film: Path) -> None:
    with pytest.raises(MediaError, match=r"3 sound tracks, 1 \(fre\), 2 \(eng\), 3 \(mul\), and no track 'ger'"):
        load_clip(VideoFile(film, SoundChoice("ger")), FORMAT, film.parent / "cache")
    with pytest.raises(MediaError, match=r"has no channel 9: it has channels 1 to 8"):
        load_clip(VideoFile(film, SoundChoice("mul", (9,))), FORMAT, film.parent / "cache")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"track": [2]}, r"clip.track is \[2\]; a number from 1 or a language"),
        ({"track": True}, "clip.track is True"),
        ({"track": " "}, "clip.track is ' '"),
        ({"channels": [0]}, r"clip.channels is \[0\]; different numbers from 1 to 64"),
        ({"channels": [3, 3]}, "different numbers"),
        ({"channels": [65]}, "different numbers"),
        ({"channels": "3,4"}, "a list was expected"),
    ],
)
def test_mistakes_in_a_configuration(values: dict[str, object], says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        TrainConfig.from_dict({"clip": values})


def test_flags_of_teach_become_settings() -> None:
    flags = ["clip.mp4", "--set", "clip.track=1", *("--track", "2", "--channels", "3,04")]
    arguments = argument_parser().parse_args(flags)
    arguments.set += sound_settings(arguments.track, arguments.channels)
    config = TrainConfig.from_dict(
        {"clip": {key.removeprefix("clip."): v for key, v in given_settings(arguments).items()}}
    )
    assert config.clip == dataclasses.replace(ClipConfig(), track=2, channels=(3, 4))
    assert sound_settings("no", None) == ['clip.track="no"']
    assert sound_settings(None, None) == []
    for channels in ("", "3,", "a", "3-4", "³"):
        with pytest.raises(TrainingError, match="numbers from 1 were expected"):
            sound_settings(None, channels)
