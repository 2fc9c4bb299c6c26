"""The whole show replayed: effects, hits, taps, smoothing, mappings, threads; what was written to files comes again, bit for bit."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import numpy as np
import pytest

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.modulation.modulator import Modulator
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.frame import Frame
from engine.render.play import play
from engine.render.statistics import ShowStatistics
from engine.render.step_loop import Direction
from engine.takes.recorder import RecordedSource, TakeRecorder
from engine.takes.replay import ReplayedControls, ReplayedFailures, TakeSource, read_take
from engine.takes.take_log import take_header
from tests.engine.app.shows import CollectingPresenter, CollectingSink, InventedClock, varied_sound
from tests.engine.model.probe_model import CARD
from tests.engine.takes.test_replay import RATE_HZ, failing_backend

KNOBS = (
    "gain",
    "gain_db",
    "brightness",
    "glow",
    "trail",
    "zoom",
    "onset_brightness",
    "onset_zoom",
    "colour_turn",
    "smoothing_ms",
)


def directed(parameters, mappings: dict[str, str], **parts) -> Direction:
    """Direct a show by mappings and what else is given."""
    return Direction(
        modulator=Modulator(parameters, mappings), display_modulator=Modulator(parameters, mappings), **parts
    )


def render(folder: Path, model: Path, mappings: dict[str, str]) -> list[Frame]:
    """Replay a take through the real loop."""
    take, sink = read_take(folder), CollectingSink()
    source = TakeSource(take)
    store = ReplayedControls(take, source, parameters_for(CARD))
    session = Session(ReplayedFailures(open_model(model, threads=1), store))
    play(
        source,
        session,
        [sink],
        store=store,
        clock=InventedClock(),
        stats=ShowStatistics(),
        stop=threading.Event(),
        notify=lambda line: None,
        direction=directed(parameters_for(CARD), mappings, replay=store),
    )
    return sink.frames


def assert_same(shown: list[Frame], again: list[Frame]) -> None:
    assert [frame.index for frame in again] == [frame.index for frame in shown]
    for old, new in zip(shown, again, strict=True):
        assert old.values == new.values
        assert old.audio_features == new.audio_features
        assert np.array_equal(old.pixels_HWC, new.pixels_HWC)


@pytest.mark.parametrize("seed", range(3))
def test_the_whole_show_is_replayed_to_the_bit(tmp_path, probe_file, seed):
    """Effects, hits, taps, smoothing and mappings too: what was written to files comes again."""
    chance, clock = random.Random(seed), InventedClock()
    mappings = {"zoom": "1 + 0.3 * onset", "gain": "0.5 + beat"} if seed else {}
    store, backend = ParameterStore(parameters_for(CARD)), failing_backend(probe_file)

    def on_frame(frame: Frame) -> None:
        if chance.random() < 0.4:
            parameter = store.parameters[chance.choice(KNOBS)]
            store.set(parameter.name, chance.uniform(parameter.low, parameter.high))
        if chance.random() < 0.1:
            store.set("reset", True)
        if chance.random() < 0.1:
            store.set("tempo_bpm", chance.choice([0.0, 100.0, 133.0]))
        if chance.random() < 0.15:
            clock.sleep(chance.uniform(0.05, 0.4))
        backend.fails = chance.random() < 0.05

    song = SampleSource("song", varied_sound(8.0, RATE_HZ), RATE_HZ)
    source = PacedSource(song, clock)
    take = TakeRecorder(tmp_path, take_header(backend, source, model=str(probe_file), date="today"), live=True)
    take.open()
    shown = CollectingSink(on_frame=on_frame)
    settings = {
        "clock": clock,
        "stats": ShowStatistics(),
        "stop": threading.Event(),
        "notify": lambda line: None,
        "direction": directed(parameters_for(CARD), mappings, witness=take),
    }
    play(RecordedSource(source, take), Session(backend), [shown], store=store, **settings)
    take.close()
    again = render(tmp_path, probe_file, mappings)
    assert_same(shown.frames, again)
    assert sum(frame.skipped_hops for frame in shown.frames) > 10
    assert len({frame.pixels_HWC.tobytes() for frame in again}) > 60


def test_a_show_with_threads_of_its_own_is_replayed_to_the_bit(tmp_path, probe_file):
    """Ears, steps and window each in a thread, at the pace of the wall clock; knobs and taps come from another."""
    store, clock, stop = ParameterStore(parameters_for(CARD)), WallClock(), threading.Event()
    chance = random.Random(4)

    def remote() -> None:
        while not stop.wait(0.01):
            store.set(chance.choice(("gain", "glow", "trail", "onset_zoom")), chance.random())
            if chance.random() < 0.2:
                store.set("tap", True)
            if chance.random() < 0.05:
                # A busy machine.
                sum(range(3_000_000))

    source = PacedSource(SampleSource("song", varied_sound(3.0, RATE_HZ), RATE_HZ), clock)
    backend = open_model(probe_file, threads=1)
    take = TakeRecorder(tmp_path, take_header(backend, source, model=str(probe_file), date="today"), live=True)
    take.open()
    shown, hands = CollectingSink(), threading.Thread(target=remote)
    hands.start()
    play(
        RecordedSource(source, take),
        Session(backend),
        [shown],
        store=store,
        clock=clock,
        stats=ShowStatistics(),
        stop=threading.Event(),
        window=CollectingPresenter(until=10**9),
        direction=directed(parameters_for(CARD), {}, witness=take),
        notify=lambda line: None,
    )
    stop.set()
    hands.join()
    take.close()
    assert_same(shown.frames, render(tmp_path, probe_file, {}))
    assert len(shown.frames) > 10
