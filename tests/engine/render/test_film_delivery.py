"""Films at another rate than the model's: the frame of each moment, its effects, and the sound in time."""

from __future__ import annotations

import itertools
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.sources.samples import SampleSource
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.film import FilmFormat
from engine.output.frame import Frame
from engine.output.sink import FrameRate
from engine.render.film_delivery import film_frames
from engine.render.pacing import Pick
from engine.render.play import play
from tests.engine.app.shows import CollectingSink, InventedClock, StandingControls, show_of, varied_sound

RATE_HZ = 48000
SECONDS = 2.0
MODEL_FPS = 20
EFFECTS = {"zoom": "1 + 0.3 * onset", "brightness": "0.5 + 0.5 * beat"}


class CollectingFile(CollectingSink):
    rate: FrameRate = "file"


def film(
    model: Path, fps: Fraction | int | None, *, blend: bool = False, seconds: float = SECONDS, **parts: Any
) -> list[Frame]:
    """Return the frames that a file gets."""
    sink = CollectingFile()
    source = SampleSource("song", varied_sound(seconds, RATE_HZ), RATE_HZ)
    asked = FilmFormat(fps=None if fps is None else Fraction(fps), is_blended=blend)
    controls = StandingControls(zoom=1.0, brightness=1.0) if "mappings" in parts else StandingControls()
    parts = {"store": controls, "clock": InventedClock(), **parts}
    play(show_of(source, Session(open_model(model, 1)), [sink], film=asked, **parts), threading.Event())
    return sink.frames


def sound_of(frames: list[Frame]) -> np.ndarray:
    for before, after in itertools.pairwise(frames):
        assert after.first_sample == before.first_sample + len(before.sound_TC)
    return np.concatenate([frame.sound_TC for frame in frames])


@pytest.mark.parametrize("fps", [24, 25, 30, Fraction(30000, 1001), 50, 60, 10, 7])
def test_any_rate_keeps_the_sound_and_its_time(probe_file: Path, fps: Fraction) -> None:
    frames, model_frames = film(probe_file, fps), film(probe_file, None)
    assert len(frames) == int(SECONDS * fps + 1e-6)
    assert film_frames(round(SECONDS * MODEL_FPS), 1 / MODEL_FPS, fps) == len(frames)
    assert [frame.time_s for frame in frames] == pytest.approx([(j + 1) / float(fps) for j in range(len(frames))])
    # Each shows the model's frame of the hop that it lies in.
    for frame in frames:
        hop = int(np.ceil(frame.time_s * MODEL_FPS - 1e-6)) - 1
        assert np.array_equal(frame.pixels_HWC, model_frames[hop].pixels_HWC)
    heard, whole = sound_of(frames), sound_of(model_frames)
    assert np.array_equal(heard, whole)


@pytest.mark.parametrize(("fps", "count"), [(1, 1), (3, 3), (Fraction(7, 2), 4)])
def test_a_film_slower_than_the_model_ends_no_earlier_than_its_sound(
    probe_file: Path, fps: Fraction, count: int
) -> None:
    frames, model_frames = film(probe_file, fps, seconds=0.95), film(probe_file, None, seconds=0.95)
    assert film_frames(len(model_frames), 1 / MODEL_FPS, fps) == count
    assert [frame.time_s for frame in frames] == pytest.approx([(j + 1) / float(fps) for j in range(count)])
    assert np.array_equal(sound_of(frames), sound_of(model_frames))
    assert np.array_equal(frames[-1].pixels_HWC, model_frames[-1].pixels_HWC)


def test_the_models_own_rate_changes_nothing(probe_file: Path) -> None:
    for fps in (MODEL_FPS, None):
        frames = film(probe_file, fps, mappings=EFFECTS)
        assert len(frames) == SECONDS * MODEL_FPS
        assert [frame.index for frame in frames] == list(range(len(frames)))


def test_effects_move_at_the_rate_of_the_film(probe_file: Path) -> None:
    hops, frames = (film(probe_file, fps, mappings=EFFECTS) for fps in (None, 60))
    zooms = [frame.values["zoom"] for frame in frames]
    # An onset fades in every frame, not in every third.
    changes = sum(before != after for before, after in itertools.pairwise(zooms))
    assert changes > 1.5 * len(hops)
    # At the end of a hop both films are at the same moment.
    for hop, frame in zip(hops, frames[2::3], strict=True):
        assert frame.audio_features == hop.audio_features
        assert all(frame.values[name] == hop.values[name] for name in EFFECTS)


def test_without_effects_frames_are_repeated_to_the_bit(probe_file: Path) -> None:
    hops, frames = film(probe_file, None), film(probe_file, 60)
    for number, frame in enumerate(frames):
        assert np.array_equal(frame.pixels_HWC, hops[number // 3].pixels_HWC)


def test_blending_goes_from_one_frame_to_the_next(probe_file: Path) -> None:
    hops, frames = film(probe_file, None), film(probe_file, 60, blend=True)
    for k in range(1, len(hops)):
        before, after = (hop.pixels_HWC.astype(float) for hop in hops[k - 1 : k + 1])
        first, second, third = (frame.pixels_HWC for frame in frames[3 * k : 3 * k + 3])
        np.testing.assert_allclose(first, before + (after - before) / 3, atol=1)
        np.testing.assert_allclose(second, before + 2 * (after - before) / 3, atol=1)
        assert np.array_equal(third, hops[k].pixels_HWC)


class SkippingTake:
    """A replay of a show that stepped every third hop."""

    fails_now = False

    def pick(self, received_samples: int, hop_samples: int, last_index: int, live: bool) -> Pick | None:
        index = last_index + 3
        return Pick(index, 2) if received_samples >= (index + 1) * hop_samples else None

    def show_events(self, index: int) -> tuple[()]:
        return ()

    def early_sample(self, received_samples: int, last_index: int) -> int | None:
        return None


def test_a_replay_holds_the_frame_before_skipped_hops(probe_file: Path) -> None:
    frames = film(probe_file, 40, replay=SkippingTake())
    for number, frame in enumerate(frames):
        # Of the hops 2, 5, 8 the newest one that was stepped; before the first there is nothing else to show.
        stepped = max(2, 3 * ((number // 2 + 1) // 3) - 1)
        assert np.array_equal(frame.pixels_HWC, frames[2 * stepped + 1].pixels_HWC)
    assert len({frame.pixels_HWC.tobytes() for frame in frames}) == len(frames) // 6
