"""The film of a rendering or a replay: size, shape and rate."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from engine.core.errors import ConfigError
from engine.output.film import FilmFormat, FilmSink, parse_fps, parse_size
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.video_file import VideoFileSink
from tests.engine.app.shows import CollectingSink

SHOW = ShowFormat(title="", width=16, height=16, fps=20.0, sound_rate_hz=48000, sound_channels=1, live=False)


def frame(index: int, **values: bool) -> Frame:
    """Return a white frame."""
    return Frame(
        index=index,
        pixels_HWC=np.full((16, 16, 3), 255, np.uint8),
        features_F=np.zeros(1, np.float32),
        sound_TC=np.zeros((2400, 1), np.float32),
        first_sample=2400 * index,
        time_s=0.05 * (index + 1),
        captured_s=None,
        values=values,
    )


def test_a_file_has_the_size_and_the_rate_of_its_film(tmp_path: Path) -> None:
    sink = FilmSink(VideoFileSink(tmp_path / "large.mp4"), FilmFormat(size=(96, 72), fps=Fraction(25)))
    sink.open(SHOW)
    for index in range(5):
        sink.show(replace(frame(index), time_s=(index + 1) / 25))
    sink.close()
    assert (sink.name, sink.lost_frames) == (str(tmp_path / "large.mp4"), 0)
    with av.open(str(tmp_path / "large.mp4")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height, video.average_rate) == (96, 72, 25)


@pytest.mark.parametrize(
    ("is_filled", "value", "black"),
    [(None, False, True), (None, True, False), (True, False, False), (False, True, True)],
)
def test_another_shape_has_bars_or_is_filled(is_filled: bool | None, value: bool, black: bool) -> None:
    inner = CollectingSink()
    sink = FilmSink(inner, FilmFormat(size=(64, 32), is_filled=is_filled))
    sink.show(frame(0, fill=value))
    (shown,) = inner.frames
    assert shown.pixels_HWC.shape == (32, 64, 3)
    assert (shown.pixels_HWC[:, :8].max() == 0) == black
    assert shown.pixels_HWC[:, 24:40].min() == 255


def test_without_a_size_frames_stay_as_they_are() -> None:
    inner, given = CollectingSink(), frame(0)
    sink = FilmSink(inner, FilmFormat())
    sink.open(SHOW)
    sink.show(given)
    assert inner.show_format == SHOW
    assert inner.frames == [given]


@pytest.mark.parametrize("text", ["", "1280", "1280x", "0x0", "15x720", "9000x20", "1280 x 720", "-1x5", "12.5x10"])
def test_a_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no size; width and height from 16 to 8192 were expected"):
        parse_size(text)
    assert parse_size("1280x720") == parse_size(" 1280X720 ") == (1280, 720)


@pytest.mark.parametrize("text", ["", "fast", "0", "0.5", "241", "-60", "60/0", "1e2", "nan", "6 0", "9" * 400])
def test_a_text_that_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no frame rate; frames a second from 1 to 240 were expected"):
        parse_fps(text)


def test_rates_are_exact() -> None:
    assert [parse_fps(text) for text in ("60", "29.97", "30000/1001", " 240 ")] == [
        60,
        Fraction(2997, 100),
        Fraction(30000, 1001),
        240,
    ]
