"""A still frame is told from a film, whatever grain and compression add to it."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.stillness import is_still

SIDE = 64


def view() -> NDArray[np.float32]:
    rough = np.random.default_rng(0).uniform(40, 215, (SIDE, SIDE)).astype(np.float32)
    return cv2.GaussianBlur(rough, (0, 0), 2.0).astype(np.float32)


def grainy(frames: list[NDArray[np.float32]], deviation: float) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(1)
    return [(frame + deviation * random.standard_normal(frame.shape)).clip(0, 255).astype(np.uint8) for frame in frames]


@pytest.mark.parametrize("deviation", [0.0, 2.0, 6.0])
def test_a_repeated_frame_is_still_however_grainy(deviation: float) -> None:
    assert is_still(grainy([view()] * 20, deviation))


@pytest.mark.parametrize("deviation", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("side", [4, 24])
def test_something_small_that_moves_is_no_still_frame(side: int, deviation: float) -> None:
    frames = [view() for _ in range(20)]
    for index, frame in enumerate(frames):
        frame[20 : 20 + side, 10 + index : 10 + index + side] = 230
    assert not is_still(grainy(frames, deviation))


def test_colour_frames_and_light_that_changes() -> None:
    frame = np.repeat(view()[..., None], 3, axis=-1)
    assert is_still(grainy([frame] * 5, 3.0))
    assert not is_still(grainy([frame, frame + 20.0], 3.0))


class OneByOne(Sequence[NDArray[np.uint8]]):
    """Frames that are never all in memory."""

    def __init__(self, frames: list[NDArray[np.uint8]]) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Any) -> Any:
        assert isinstance(index, int)
        return self.frames[index]


def test_frames_are_read_one_by_one() -> None:
    assert is_still(OneByOne(grainy([view()] * 3, 0.0)))
    assert not is_still(OneByOne(grainy([view(), view(), view() + 30.0], 0.0)))


def test_one_frame_tells_nothing() -> None:
    assert not is_still(grainy([view()], 0.0))
