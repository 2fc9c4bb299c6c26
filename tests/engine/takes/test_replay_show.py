"""The whole show replayed: effects, onsets, taps, smoothing, mappings, threads; the frames are bit-exact."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import numpy as np
import pytest

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.frame import Frame
from engine.render.play import play
from engine.takes.recorder import RecordedSource, TakeRecorder
from engine.takes.replay import ReplayedControls, ReplayedFailures, TakeSource, read_take
from engine.takes.take_log import take_header
from tests.engine.app.shows import CollectingSink, CollectingWindow, InventedClock, show_of, varied_sound
from tests.engine.model.probe_model import CARD
from tests.engine.takes.test_replay import RATE_HZ, failing_backend

PARAMETERS = (
    "gain",
    "gain_db",
    "low_gain_db",
    "mid_gain_db",
    "high_gain_db",
    "brightness",
    "glow",
    "trail",
    "zoom",
    "onset_brightness",
    "onset_zoom",
    "colour_turn",
    "smoothing_ms",
)


def render(folder: Path, model: Path, mappings: dict[str, str]) -> list[Frame]:
    """Replay a take through the real loop."""
    take, sink = read_take(folder), CollectingSink()
    source = TakeSource(take)
    store = ReplayedControls(take, source, parameters_for(CARD))
    session = Session(ReplayedFailures(open_model(model, threads=1), store))
    show = show_of(source, session, [sink], store=store, clock=InventedClock(), mappings=mappings, replay=store)
    play(show, threading.Event())
    return sink.frames


def assert_same(shown: list[Frame], again: list[Frame]) -> None:
    assert [frame.index for frame in again] == [frame.index for frame in shown]
    for old, new in zip(shown, again, strict=True):
        assert old.values == new.values
        assert old.audio_features == new.audio_features
        assert np.array_equal(old.pixels_HWC, new.pixels_HWC)


@pytest.mark.parametrize("seed", range(3))
def test_the_whole_show_is_replayed_bit_exact(tmp_path, probe_file, seed):
    """Effects, onsets, taps, smoothing and mappings too."""
    rng, clock = random.Random(seed), InventedClock()
    mappings = {"zoom": "1 + 0.3 * onset", "gain": "0.5 + beat", "low_gain_db": "-24 * low"} if seed else {}
    store, backend = ParameterStore(parameters_for(CARD)), failing_backend(probe_file)

    def on_frame(frame: Frame) -> None:
        if rng.random() < 0.4:
            parameter = store.parameters[rng.choice(PARAMETERS)]
            store.set(parameter.name, rng.uniform(parameter.low, parameter.high))
        if rng.random() < 0.1:
            store.set("reset", True)
        if rng.random() < 0.1:
            store.set("tempo_bpm", rng.choice([0.0, 100.0, 133.0]))
        if rng.random() < 0.15:
            clock.sleep(rng.uniform(0.05, 0.4))
        backend.fails = rng.random() < 0.05

    song = SampleSource("song", varied_sound(8.0, RATE_HZ), RATE_HZ)
    source = PacedSource(song, clock)
    take = TakeRecorder(tmp_path, take_header(backend, source, model=str(probe_file), date="today"), live=True)
    take.open()
    shown = CollectingSink(on_frame=on_frame)
    recorded = RecordedSource(source, take)
    show = show_of(recorded, Session(backend), [shown], store=store, clock=clock, mappings=mappings, recorder=take)
    play(show, threading.Event())
    take.close()
    again = render(tmp_path, probe_file, mappings)
    assert_same(shown.frames, again)
    assert sum(frame.skipped_hops for frame in shown.frames) > 10
    assert len({frame.pixels_HWC.tobytes() for frame in again}) > 60


def test_a_show_with_threads_is_replayed_bit_exact(tmp_path, probe_file):
    """Capture, steps and window each in a thread, at the pace of the wall clock; another sets parameters and taps."""
    store, clock, stop = ParameterStore(parameters_for(CARD)), WallClock(), threading.Event()
    rng = random.Random(4)

    def remote() -> None:
        while not stop.wait(0.01):
            store.set(rng.choice(("gain", "glow", "trail", "onset_zoom")), rng.random())
            store.set(rng.choice(("low_gain_db", "mid_gain_db", "high_gain_db")), rng.uniform(-24, 24))
            if rng.random() < 0.2:
                store.set("tap", True)
            if rng.random() < 0.05:
                # A busy machine.
                sum(range(3_000_000))

    source = PacedSource(SampleSource("song", varied_sound(3.0, RATE_HZ), RATE_HZ), clock)
    backend = open_model(probe_file, threads=1)
    take = TakeRecorder(tmp_path, take_header(backend, source, model=str(probe_file), date="today"), live=True)
    take.open()
    shown, setter = CollectingSink(), threading.Thread(target=remote)
    setter.start()
    recorded, window = RecordedSource(source, take), CollectingWindow(until=10**9)
    show = show_of(recorded, Session(backend), [shown], store=store, clock=clock, window=window, recorder=take)
    play(show, threading.Event())
    stop.set()
    setter.join()
    take.close()
    assert_same(shown.frames, render(tmp_path, probe_file, {}))
    assert len(shown.frames) > 10
