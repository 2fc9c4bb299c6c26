"""The frame at the display's rate: onsets are drawn between the network's frames, and nothing is drawn twice for nothing."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.capture import AudioCapture
from engine.audio.conditioned_model import ConditionedModel
from engine.audio.conditioning import Conditioner
from engine.audio.sources.samples import SampleSource
from engine.audio.window_buffer import WindowBuffer
from engine.control.modulation.modulator import Modulator
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.errors import SourceError
from engine.core.notices import Notices
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.frame import Frame
from engine.render.delivery import FrameDelivery
from engine.render.play import play
from engine.render.present_loop import DEFAULT_REFRESH_HZ, LatestFrame, PresentLoop
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from engine.render.steering import Steering
from engine.render.step_loop import StepLoop
from tests.engine.app.shows import CollectingSink, CollectingWindow, InventedClock, show_of
from tests.engine.model.probe_model import CARD
from tests.fixtures_display import wait_until

RATE_HZ = CARD.sample_rate_hz


def click_at(at_s: float, seconds: float) -> NDArray[np.float32]:
    sound_T = np.zeros((round(seconds * RATE_HZ), 1), np.float32)
    begin = round(at_s * RATE_HZ)
    sound_T[begin : begin + 400, 0] = np.random.default_rng(1).uniform(-0.8, 0.8, 400)
    return sound_T


class Stage:
    """A display whose time and sound go on as the test says."""

    def __init__(
        self, sound_TC: NDArray[np.float32], window: CollectingWindow | None = None, **controls: float | bool
    ) -> None:
        parameters = parameters_for(CARD)
        self.clock, self.stats = InventedClock(), ShowStatistics()
        self.window = window or CollectingWindow(until=10**6)
        self.store = ParameterStore(parameters, controls)
        self.sound_TC = sound_TC
        self.window_buffer = WindowBuffer(CARD, RATE_HZ, 1)
        source = SampleSource("none", sound_TC[:0], RATE_HZ)
        self.capture = AudioCapture(source, self.window_buffer, self.clock, Notices(lambda line: None))
        runtime = Runtime(clock=self.clock, statistics=self.stats, notices=Notices(lambda line: None), live=True)
        self.display = PresentLoop(self.capture, self.store, Modulator(parameters, {}), runtime, [self.window])

    def hear(self, from_s: float, to_s: float) -> None:
        part_TC = self.sound_TC[round(from_s * RATE_HZ) : round(to_s * RATE_HZ)]
        self.capture.analyser.feed(self.window_buffer.append(part_TC, self.clock.now_s()))

    def snapshot(self, times: int) -> None:
        """Let the display look up so many times, a refresh apart."""
        left = iter(range(times))

        def over() -> bool:
            self.clock.sleep(1.0 / DEFAULT_REFRESH_HZ + 1e-6)
            return next(left, None) is None

        self.display.run(over)


def frame(level: int = 100) -> Frame:
    return Frame(
        index=0,
        pixels_HWC=np.full((32, 32, 3), level, np.uint8),
        features_F=np.zeros(1, np.float32),
        sound_TC=np.zeros((0, 1), np.float32),
        first_sample=0,
        time_s=0.05,
        captured_s=1000.0,
    )


def test_a_still_frame_without_effects_is_drawn_once() -> None:
    stage = Stage(click_at(0.1, 0.5))
    stage.display.latest_frame.put(frame())
    stage.snapshot(5)
    assert len(stage.window.frames) == 1
    assert np.array_equal(stage.window.frames[0].pixels_HWC, frame().pixels_HWC)
    assert stage.stats.shown_age.summary()["count"] == 1


def test_a_onset_brightens_the_frame_that_stands_and_fades() -> None:
    stage = Stage(click_at(1.0, 2.0), onset_brightness=1.0, onset_decay_ms=100.0, flash_guard=False)
    stage.display.latest_frame.put(frame())
    stage.hear(0.0, 0.99)
    stage.snapshot(3)
    assert [int(shown.pixels_HWC.mean()) for shown in stage.window.frames] == [100]
    stage.hear(0.99, 1.03)
    stage.snapshot(6)
    levels = [float(shown.pixels_HWC.mean()) for shown in stage.window.frames[1:]]
    assert levels[0] > 120, "drawn at the next refresh, though no new frame has come"
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < levels[0] - 10
    assert all(shown.index == 0 for shown in stage.window.frames)
    assert stage.stats.drawn == len(stage.window.frames) > stage.stats.shown_age.summary()["count"]


def test_a_parameter_shows_between_two_frames() -> None:
    stage = Stage(click_at(1.0, 2.0))
    stage.display.latest_frame.put(frame())
    stage.snapshot(1)
    stage.store.set("blackout", True)
    stage.snapshot(1)
    assert not stage.window.frames[-1].pixels_HWC.any()


class Glance(Stage):
    """A stage on which the display looks up once at a moment of the test, and draws only what does not wait for the next refresh."""

    def look(self, after_s: float) -> int:
        """Let so much time pass and the display look up once; return how many frames it drew."""
        before, left = len(self.window.frames), iter(range(1))
        self.clock.sleep(after_s)
        self.display.run(lambda: next(left, None) is None)
        return len(self.window.frames) - before


def test_a_changed_effect_does_not_wait_for_the_refresh() -> None:
    stage = Glance(click_at(1.0, 2.0))
    stage.display.latest_frame.put(frame())
    assert stage.look(0.1) == 1
    stage.store.set("brightness", 0.5)
    assert stage.look(0.001) == 1
    assert stage.window.frames[-1].pixels_HWC.mean() == pytest.approx(50, abs=1)


def test_a_fader_in_motion_costs_one_drawing_a_refresh() -> None:
    stage, drawn = Glance(click_at(1.0, 2.0)), 0
    stage.display.latest_frame.put(frame())
    stage.look(0.1)
    for step in range(100):
        stage.store.set("brightness", 0.5 + 0.01 * step)
        drawn += stage.look(0.001)
    assert drawn <= 2 * round(0.1 * DEFAULT_REFRESH_HZ)
    stage.look(1.0 / DEFAULT_REFRESH_HZ)
    assert stage.window.frames[-1].values["brightness"] == pytest.approx(1.49)


def test_a_parameter_that_changes_nothing_in_the_frame_draws_nothing() -> None:
    stage = Glance(click_at(1.0, 2.0))
    stage.display.latest_frame.put(frame())
    stage.look(0.1)
    stage.store.set("gain_db", 3.0)
    assert [stage.look(0.02) for _ in range(5)] == [0] * 5


def test_an_onset_that_grows_is_drawn_as_it_grows() -> None:
    stage = Glance(click_at(1.0, 2.0), onset_brightness=1.0, flash_guard=False)
    stage.display.latest_frame.put(frame())
    stage.hear(0.0, 0.99)
    stage.look(0.1)
    seen = list[tuple[float, float]]()
    for step in range(10):
        stage.hear(0.99 + 0.004 * step, 0.994 + 0.004 * step)
        strength = stage.capture.analyser.latest().onset_strength
        if stage.look(0.0001):
            seen.append((strength, float(stage.window.frames[-1].pixels_HWC.mean())))
    assert len(seen) >= 1
    assert seen[-1][0] == max(strength for strength, _ in seen)
    assert seen[-1][1] > 150


def test_a_refresh_leaves_the_next_frame_its_time() -> None:
    stage, refresh_s = Glance(click_at(1.0, 2.0), trail=0.5), 1.0 / DEFAULT_REFRESH_HZ
    for index in range(4):
        stage.display.latest_frame.put(replace(frame(), index=index))
        assert stage.look(refresh_s) == 1
    assert stage.look(1.1 * refresh_s) == 0, "the next frame is due"
    assert stage.look(0.5 * refresh_s) == 1, "it has not come"


def test_a_wake_that_comes_while_nobody_waits_ends_the_next_wait() -> None:
    latest = LatestFrame()
    latest.wake()
    began = threading.Event()

    def take() -> None:
        latest.take(60.0)
        began.set()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    assert began.wait(10.0)


def test_what_the_source_raises_in_the_capture_thread_reaches_who_waits(probe_file: Path) -> None:
    class Broken(SampleSource):
        def read(self) -> None:
            raise SourceError("the cable is out")

    window_buffer = WindowBuffer(open_model(probe_file, 1).card, RATE_HZ, 1)
    source = Broken("broken", np.zeros((10, 1), np.float32), RATE_HZ)
    capture = AudioCapture(source, window_buffer, InventedClock(), Notices(lambda line: None))
    capture.start()
    try:
        with pytest.raises(SourceError, match="the cable is out"):
            capture.wait(0)
        assert capture.has_ended
    finally:
        capture.close()


def test_what_the_source_raises_while_a_step_is_busy_ends_the_show_with_its_sentence(probe_file: Path) -> None:
    class BrokenLater(SampleSource):
        live = True

        def read(self):
            came = super().read()
            if came is None:
                raise SourceError("the cable is out")
            return came

    backend, clock, stats = open_model(probe_file, 1), InventedClock(), ShowStatistics()
    notices, store = Notices(lambda line: None), ParameterStore(parameters_for(CARD))
    source = BrokenLater("broken", click_at(0.1, 0.5), RATE_HZ)
    capture = AudioCapture(source, WindowBuffer(backend.card, RATE_HZ, 1), clock, notices)
    capture.start()
    # All is over before the first hop is picked.
    wait_until(lambda: capture.has_ended, "the end of the sound")
    runtime = Runtime(clock=clock, statistics=stats, notices=notices, live=True)
    modulator, delivery = Modulator(tuple(store.parameters.values())), FrameDelivery([], [], runtime)
    model = ConditionedModel(Session(backend), Conditioner(RATE_HZ, CARD.hop_samples))
    loop = StepLoop(model, capture, modulator, Steering(store=store), delivery, runtime)
    with pytest.raises(SourceError, match="the cable is out"):
        loop.run(threading.Event(), None)
    assert stats.steps == 1
    capture.close()


def test_features_may_be_read_from_the_first_hop_on(probe_file: Path) -> None:
    told: list[str] = []
    parameters, sink = parameters_for(CARD), CollectingSink()
    show = show_of(
        SampleSource("song", click_at(0.1, 0.3), RATE_HZ),
        Session(open_model(probe_file, 1)),
        [sink],
        store=ParameterStore(parameters, {"glow": 0.75}),
        clock=InventedClock(),
        notify=told.append,
        mappings={"glow": "feature(0)"},
    )
    play(show, threading.Event())
    assert told == []
    assert sink.frames[0].values["glow"] == 0.0


def test_a_window_that_costs_steps_is_drawn_with_the_models_frames_onsets_and_changed_parameters_alone() -> None:
    stage = Stage(click_at(1.0, 2.0), trail=0.5, onset_brightness=1.0, flash_guard=False)
    stage.window.is_drawn_by_processor = stage.window.may_be_eased = True
    # Drawing takes half of a hop, and every second hop is skipped.
    stage.window.on_frame = lambda shown: stage.clock.sleep(0.025)
    for _ in range(100):
        stage.stats.add_frame(1, None, {})
        stage.display.latest_frame.put(frame())
        stage.snapshot(4)
    drawn = len(stage.window.frames)
    stage.snapshot(20)
    assert len(stage.window.frames) == drawn, "a trail moves no more between two frames"
    stage.hear(0.0, 1.03)
    stage.snapshot(1)
    assert len(stage.window.frames) == drawn + 1
    stage.store.set("blackout", True)
    stage.snapshot(1)
    assert not stage.window.frames[-1].pixels_HWC.any()
    stage.snapshot(20)
    assert len(stage.window.frames) == drawn + 2


class SizedWindow(CollectingWindow):
    """A window of 16:9, as a full screen is."""

    shown_size = (160, 90)


def test_frames_get_the_shape_of_their_window_and_no_hard_edge() -> None:
    stage = Stage(click_at(0.1, 0.5), window=SizedWindow(until=10**6))
    stage.display.latest_frame.put(frame())
    stage.snapshot(5)
    assert len(stage.window.frames) == 1, "soft edges stand still"
    row = stage.window.frames[0].pixels_HWC[16, :, 0].astype(int)
    assert len(row) == 57
    assert row[28] == 100
    assert row[0] == row[-1] == 0
    stage.window.shown_size = (320, 320)
    stage.snapshot(5)
    assert [shown.pixels_HWC.shape[:2] for shown in stage.window.frames] == [(32, 57), (32, 32)]


def test_video_feedback_goes_on_between_two_frames() -> None:
    stage = Stage(click_at(0.1, 0.5), feedback=0.5)
    stage.display.latest_frame.put(frame())
    stage.snapshot(5)
    assert len(stage.window.frames) == 5
