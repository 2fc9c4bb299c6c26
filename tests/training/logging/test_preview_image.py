"""The preview is due every minute, and later where it takes long; it shows the clip above the model."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange, Segment
from training.logging.preview_image import COLUMNS, WIDTHS, PreviewImage, sized
from training.loop.validation import Validation


class InventedClock:
    def __init__(self) -> None:
        self.time_s = 100.0

    def now_s(self) -> float:
        return self.time_s


def validation(count: int = 8, side: int = 16) -> Validation:
    """Return white frames of the clip and black ones of the model."""
    clip = Clip(
        np.full((count, side, side, 3), 255, np.uint8),
        np.zeros(count * 800, np.float32),
        ClipFormat(fps=20, image_size=side, sample_rate_hz=16000),
        "clip",
    )
    return Validation(
        l1=0.0,
        mean_frame_l1=0.0,
        motion_l1=0.0,
        motion_share=0.0,
        generated_NHWC=np.zeros((count, side, side, 3), np.uint8),
        played=(Segment(clip, FrameRange(0, count)),),
    )


def due_at(preview: PreviewImage, clock: InventedClock, takes_s: float, until_s: float) -> list[float]:
    """Train second by second and return when a preview was written, each of which takes so long."""
    began_s, times_s = clock.time_s, []
    while clock.time_s < began_s + until_s:
        if preview.is_due():
            times_s.append(clock.time_s - began_s)
            clock.time_s += takes_s
            preview.write(validation())
        clock.time_s += 1.0
    return times_s


@pytest.mark.parametrize(("takes_s", "apart_s"), [(0.0, 60.0), (2.0, 60.0), (10.0, 210.0)])
def test_it_is_due_every_minute_and_takes_a_twentieth_of_the_time_at_most(
    tmp_path: Path, takes_s: float, apart_s: float
) -> None:
    clock = InventedClock()
    first, *others = due_at(PreviewImage(tmp_path, clock.now_s), clock, takes_s, 800.0)
    assert first == 15.0
    assert others
    assert np.diff([first, *others]) == pytest.approx(apart_s, abs=3.0)


def test_it_shows_the_clip_above_the_model(tmp_path: Path) -> None:
    preview = PreviewImage(tmp_path)
    preview.is_due()
    preview.write(validation())
    image = cv2.imread(str(preview.path))
    assert image is not None
    # Four frames of 16 x 16 pixels in each row, enlarged.
    assert image.shape == (32 * WIDTHS[0] // (COLUMNS * 16), WIDTHS[0], 3)
    half = len(image) // 2
    # Two pixels of a frame, 20 each, at the seam are of both.
    assert (image[: half - 40] == 255).all()
    assert (image[half + 40 :] == 0).all()
    preview.write(validation(side=32))
    assert [path.name for path in tmp_path.iterdir()] == ["preview.png"]


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(3648, 1024, (449, 1600)), (1408, 576, (576, 1408)), (288, 112, (498, 1280))]
)
def test_its_width_lets_one_see_something(width: int, height: int, expected: tuple[int, int]) -> None:
    assert sized(np.full((height, width, 3), 50, np.uint8)).shape == (*expected, 3)
