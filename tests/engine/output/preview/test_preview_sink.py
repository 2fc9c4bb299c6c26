"""The preview without a network: what is encoded, for whom, and what nobody pays for."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from engine.output.frame import Frame, ShowFormat
from engine.output.preview.feature_levels import FeatureLevels
from engine.output.preview.jpeg import WIDTHS, encode_jpeg, preview_width
from engine.output.preview.preview_sink import MOST_VIEWERS, PreviewSink, Viewer

FPS = 20.0
COMES_WITHIN_S = 10.0
SHOW = ShowFormat(title="show", width=512, height=256, fps=FPS, sound_rate_hz=48000, sound_channels=1, live=True)


def frame(index: int, width: int = 512, height: int = 256, grey: int = 90) -> Frame:
    return Frame(
        index=index,
        pixels_HWC=np.full((height, width, 3), grey, np.uint8),
        features_F=np.linspace(0.0, 1.0, 8, dtype=np.float32),
        sound_TC=np.zeros((0, 1), np.float32),
        first_sample=0,
        time_s=(index + 1) / FPS,
        captured_s=None,
    )


class Watching:
    """A viewer who looks at once, or not at all."""

    def __init__(self, width: int = 512, fps: float = FPS) -> None:
        self._woken: queue.Queue[None] = queue.Queue()
        self.viewer = Viewer(lambda: self._woken.put(None))
        self.viewer.ask(width, fps)

    def wait(self) -> None:
        self._woken.get(timeout=COMES_WITHIN_S)

    def see(self) -> tuple[bytes | None, bytes | None]:
        self.wait()
        return self.viewer.take()


@pytest.fixture
def preview() -> Iterator[PreviewSink]:
    sink = PreviewSink(is_output=False)
    sink.open(SHOW)
    yield sink
    sink.close()


def shape(jpeg: bytes | None) -> tuple[int, int]:
    """Return columns and rows of a JPEG."""
    assert jpeg
    pixels_HWC = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels_HWC is not None
    return pixels_HWC.shape[1], pixels_HWC.shape[0]


def test_it_wants_frames_only_while_somebody_watches(preview: PreviewSink) -> None:
    watching = Watching()
    assert (preview.wants({}), preview.standby) == (False, True)
    assert preview.join(watching.viewer)
    assert (preview.wants({}), preview.standby, preview.viewers) == (True, False, 1)
    preview.leave(watching.viewer)
    assert (preview.wants({}), preview.standby) == (False, True)


def test_a_show_whose_output_it_is_is_kept_without_viewers() -> None:
    sink = PreviewSink(is_output=True)
    assert (sink.wants({}), sink.standby) == (False, False)


def test_every_viewer_gets_the_size_asked_for_and_none_an_enlarged_one(preview: PreviewSink) -> None:
    small, large = Watching(width=200), Watching(width=4000)
    for watching in (small, large):
        preview.join(watching.viewer)
    preview.show(frame(0))
    assert shape(small.see()[0]) == (256, 128)
    assert shape(large.see()[0]) == (512, 256)


def test_viewers_of_one_size_share_the_encoding(preview: PreviewSink) -> None:
    watching = [Watching(width=600), Watching(width=512), Watching(width=1900)]
    for one in watching:
        preview.join(one.viewer)
    preview.show(frame(0))
    seen = [one.see()[0] for one in watching]
    assert seen[0] is seen[1] is seen[2] is not None


def test_viewers_of_one_rate_get_the_same_frames_and_all_get_every_hops_features(preview: PreviewSink) -> None:
    quick, slow, as_slow = Watching(), Watching(fps=5.0), Watching(fps=5.0)
    for one in (quick, slow):
        preview.join(one.viewer)
    came: dict[Watching, list[int]] = {quick: [], slow: [], as_slow: []}
    for index in range(9):
        if index == 2:
            preview.join(as_slow.viewer)
        preview.show(frame(index))
        for one in (quick, slow, *([as_slow] if index >= 2 else [])):
            jpeg, levels = one.see()
            assert levels == bytes([0, 36, 72, 109, 145, 182, 218, 255])
            came[one] += [index] if jpeg else []
    assert came[quick] == list(range(9))
    assert came[slow] == [0, 4, 8]
    # The first at once, so that nobody looks at nothing.
    assert came[as_slow] == [2, 4, 8]


def test_a_viewer_who_is_slow_finds_the_newest_frame(preview: PreviewSink) -> None:
    watching = Watching()
    preview.join(watching.viewer)
    for index, grey in enumerate((10, 120, 240)):
        preview.show(frame(index, grey=grey))
        watching.wait()
    jpeg, _ = watching.viewer.take()
    assert jpeg
    pixels_HW = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels_HW is not None
    assert abs(pixels_HW.mean() - 240) <= 2
    assert watching.viewer.take() == (None, None)


def test_so_many_may_watch_and_no_more(preview: PreviewSink) -> None:
    watching = [Watching() for _ in range(MOST_VIEWERS)]
    assert all(preview.join(one.viewer) for one in watching)
    assert not preview.join(Watching().viewer)
    preview.leave(watching[0].viewer)
    assert preview.join(Watching().viewer)


def test_sizes_are_few_and_colours_stay() -> None:
    assert [preview_width(asked) for asked in (0, 128, 129, 513, 9999)] == [128, 128, 192, 640, WIDTHS[-1]]
    pixels_HWC = np.zeros((64, 64, 3), np.uint8)
    pixels_HWC[..., 0] = 255
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(pixels_HWC, 64), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    blue, green, red = decoded[32, 32]
    assert red > 245
    assert max(blue, green) < 10


def test_levels_follow_the_range_of_any_features_and_silence_stays_dark() -> None:
    levels = FeatureLevels(FPS)
    loud_F = np.array([-40.0, 0.0, 60.0], np.float32)
    assert list(levels.levels(loud_F)) == [0, 102, 255]
    # A quiet song is seen after a while, as bright as the loud one.
    quiet = [levels.levels(np.array([-40.0, -38.0, -30.0], np.float32)) for _ in range(2000)]
    assert quiet[-1][2] >= 250
    silent = [levels.levels(np.array([-40.0, -39.99, -40.0], np.float32)) for _ in range(2000)]
    assert max(silent[-1]) <= 2
    assert levels.levels(np.zeros(0, np.float32)) == b""
    assert list(FeatureLevels(FPS).levels(np.array([np.nan, np.inf, 1.0], np.float32))) == [0, 0, 255]
