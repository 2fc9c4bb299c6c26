"""Who is given which frame: sinks at the hop, sinks and windows at the display's rate, with effects or without."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import SinkError
from engine.core.notices import Notices
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.frame import Frame
from engine.render.delivery import FrameDelivery
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from tests.engine.app.shows import CollectingSink, CollectingWindow, InventedClock, show_of, varied_sound
from tests.engine.model.probe_model import CARD

RATE_HZ = 48000


class ChoosySink(CollectingSink):
    """Wants frames while `on` is set."""

    def __init__(self, on: bool, with_effects: bool = True) -> None:
        super().__init__()
        self.on, self.with_effects = on, with_effects

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return self.on


def delivery(*sinks: CollectingSink) -> FrameDelivery:
    runtime = Runtime(clock=InventedClock(), statistics=ShowStatistics(), notices=Notices(lambda line: None), live=True)
    return FrameDelivery(sinks, [], runtime)


def frame(index: int) -> Frame:
    return Frame(
        index=index,
        pixels_HWC=np.full((32, 32, 3), 100, np.uint8),
        features_F=np.zeros(1, np.float32),
        sound_TC=np.zeros((0, 1), np.float32),
        first_sample=0,
        time_s=0.05 * (index + 1),
        captured_s=None,
        values={"brightness": 0.5},
    )


def test_effects_that_no_sink_wants_are_not_applied(effects_s: list[float]) -> None:
    asleep, plain = ChoosySink(on=False), ChoosySink(on=True, with_effects=False)
    to = delivery(asleep, plain)
    for index in range(5):
        to.deliver(frame(index))
    assert effects_s == []
    assert asleep.frames == []
    assert [int(shown.pixels_HWC[0, 0, 0]) for shown in plain.frames] == [100] * 5
    asleep.on = True
    to.deliver(frame(5))
    assert len(effects_s) == 1
    assert [int(shown.pixels_HWC[0, 0, 0]) for shown in asleep.frames] == [50]
    assert int(plain.frames[-1].pixels_HWC[0, 0, 0]) == 100


def test_effects_are_applied_once_however_many_sinks_want_them(effects_s: list[float]) -> None:
    to = delivery(ChoosySink(on=True), ChoosySink(on=True), ChoosySink(on=True))
    to.deliver(frame(0))
    assert len(effects_s) == 1


def test_frames_skipped_at_the_start_are_counted_and_not_told() -> None:
    told: list[str] = []
    statistics = ShowStatistics()
    others = iter([" Other programs take 70 % of the processors."])
    runtime = Runtime(
        clock=InventedClock(),
        statistics=statistics,
        notices=Notices(told.append),
        live=True,
        of_other_programs=lambda: next(others),
    )
    to = FrameDelivery([], [], runtime)
    for index in (0, 2, 7, 58):
        to.deliver(replace(frame(index), skipped_hops=1))
    assert told == []
    to.deliver(replace(frame(61), skipped_hops=2))
    assert statistics.skipped_hops == 6
    to.deliver(replace(frame(64), skipped_hops=2))
    too_slow = "The machine is too slow to compute every frame; frames skipped since the last such line: 2."
    assert told == [f"{too_slow} Other programs take 70 % of the processors."]


def live_show(model: Path, sinks, windows=None, notify=lambda line: None, seconds: float = 1.0):
    source = PacedSource(SampleSource("song", varied_sound(4.0, RATE_HZ), RATE_HZ), WallClock())
    store = ParameterStore(parameters_for(CARD))
    show = show_of(
        source, Session(open_model(model, 1)), sinks, store=store, clock=WallClock(), notify=notify, windows=windows
    )
    play(show, threading.Event(), seconds)


def test_a_sink_at_the_display_s_rate_has_a_thread_of_its_own(probe_file: Path) -> None:
    threads: set[int] = set()
    at_display = CollectingSink(on_frame=lambda shown: threads.add(threading.get_ident()))
    at_display.rate = "display"
    at_hops = CollectingSink()
    live_show(probe_file, [at_hops, at_display])
    assert len(at_display.frames) > 5
    assert threads.isdisjoint({threading.get_ident()})
    assert {shown.index for shown in at_display.frames} <= {shown.index for shown in at_hops.frames}


def test_several_windows_show_the_same_frames_and_one_may_fail(probe_file: Path) -> None:
    told: list[str] = []
    broken, whole = CollectingWindow(until=10**6), CollectingWindow(until=10**6)

    def fail(shown: Frame) -> None:
        if len(broken.frames) == 3:
            raise SinkError("window: its screen is gone.")

    broken.on_frame = fail
    live_show(probe_file, [], [broken, whole], told.append)
    assert broken.closed
    assert len(whole.frames) > len(broken.frames) == 3
    assert [shown.index for shown in whole.frames[:3]] == [shown.index for shown in broken.frames]
    assert "window: its screen is gone. The show goes on without window." in told


def test_one_closed_window_ends_the_show(probe_file: Path) -> None:
    closing, other = CollectingWindow(until=4), CollectingWindow(until=10**6)
    live_show(probe_file, [], [closing, other], seconds=60.0)
    assert len(closing.frames) == 4
    assert other.closed
