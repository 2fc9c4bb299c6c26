"""Sinks that share one effect chain: the shape of films, and the layers of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.core.notices import Notices
from engine.model.layers import Layers
from engine.output.film import FilmFormat, FilmSink
from engine.output.frame import Frame
from engine.render.runtime import Runtime
from engine.render.sink_group import SinkGroup
from engine.render.statistics import ShowStatistics
from tests.engine.app.shows import CollectingSink, InventedClock
from tests.engine.model.layered_probe import TEXTURES
from tests.engine.model.test_layers import fields_of

SIZE = (160, 90)
FRAME = Frame(
    index=0,
    pixels_HWC=np.full((90, 90, 3), 200, np.uint8),
    features_F=np.zeros(1, np.float32),
    sound_TC=np.zeros((0, 1), np.float32),
    first_sample=0,
    time_s=0.05,
    captured_s=None,
)


def group_of(sink: CollectingSink | FilmSink) -> SinkGroup:
    notices = Notices(lambda line: None)
    return SinkGroup([sink], Runtime(clock=InventedClock(), statistics=ShowStatistics(), notices=notices, live=False))


def film_row(is_filled: bool | None, **values: float | bool) -> np.ndarray:
    """Return the middle row of a film of another shape than the frame."""
    inner = CollectingSink()
    group_of(FilmSink(inner, FilmFormat(size=SIZE, is_filled=is_filled))).give(replace(FRAME, values=values))
    (shown,) = inner.frames
    return shown.pixels_HWC[45, :, 0].astype(int)


@pytest.mark.parametrize("effects", [{}, {"vignette": 0.5}, {"tiles": 0.5}, {"background": 0.5}, {"kaleidoscope": 6}])
@pytest.mark.parametrize("is_filled", [False, True])
def test_effects_take_the_shape_that_was_asked_of_the_film_and_not_that_of_a_take(
    effects: dict[str, float], is_filled: bool
) -> None:
    assert np.array_equal(film_row(is_filled, fill=not is_filled, **effects), film_row(None, fill=is_filled, **effects))


class SizedSink(CollectingSink):
    """A window of another shape than the frame."""

    shown_size = SIZE


def test_a_layered_frame_keeps_its_layers_in_a_window_of_another_shape() -> None:
    sink, layers = SizedSink(), Layers(TEXTURES, fields_of(0))
    group_of(sink).give(replace(FRAME, layers=layers))
    (shown,) = sink.frames
    assert shown.pixels_HWC.shape == (90, 160, 3)
    assert shown.layers is layers
    assert shown.on_backdrop is not None
    assert (shown.on_backdrop.height, shown.on_backdrop.width) == (90, 90)
