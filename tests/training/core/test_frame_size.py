"""Sizes as configurations write them, and sizes in the shape of a clip."""

import re

import pytest

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize, shaped_size
from training.families.model_config import ModelConfig


@pytest.mark.parametrize(
    ("given", "size", "written"),
    [
        (256, (256, 256), 256),
        ("640x360", (360, 640), "640x360"),
        ("96x96", (96, 96), 96),
        ("72x128", (128, 72), "72x128"),
    ],
)
def test_a_size_is_a_number_or_width_and_height(given: object, size: tuple[int, int], written: object) -> None:
    assert FrameSize.of(given) == size
    assert FrameSize.of(given).image_size == written
    config = ModelConfig(image_size=given)
    assert config.image_size == written
    assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("640*360", "model.image_size is '640*360'; a number of pixels for a square was expected, or WIDTHxHEIGHT"),
        ([360, 640], "model.image_size is [360, 640]; a number"),
        (True, "model.image_size is True; a number"),
        (12.0, "model.image_size is 12.0; a number"),
        (0, "model.image_size is 0; both sides must be multiples of 8, such as 8."),
        (100, "model.image_size is 100; both sides must be multiples of 8, such as 96."),
        ("640x362", "model.image_size is 640x362; both sides must be multiples of 8, such as 640x360."),
        ("800x80", "model.image_size is 800x80; the long side can be 8 times the short one at most, such as 640x80."),
    ],
)
def test_another_size_is_refused_in_one_sentence(given: object, sentence: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(sentence)):
        ModelConfig(image_size=given)


@pytest.mark.parametrize(
    ("side", "clip", "expected"),
    [
        (128, (480, 480), (128, 128)),
        (128, (1920, 1080), (96, 168)),
        (256, (640, 480), (224, 296)),
        (64, (720, 1280), (88, 48)),
        (128, (352, 288), (112, 136)),
    ],
)
def test_a_size_in_the_shape_of_a_clip(side: int, clip: tuple[int, int], expected: tuple[int, int]) -> None:
    assert shaped_size(side, *clip) == expected


def test_halving_rounds_up() -> None:
    assert FrameSize(45, 80).halved() == (23, 40)
    assert FrameSize(360, 640).halved(7) == (3, 5)
