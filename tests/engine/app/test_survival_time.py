"""Steps that take too long, sound that stays away, machines that sleep: what becomes of the age of the frame, at invented times."""

from __future__ import annotations

import ast
import time
from collections import deque
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import engine
from engine.audio.sources.microphone import Microphone
from engine.audio.sources.paced import LONGEST_LAG_S, PacedSource
from engine.audio.sources.samples import SampleSource
from engine.audio.sources.watchdog import BEGINS_WITHIN_S, LONGEST_AWAY_S, STALL_S, Watchdog
from engine.model.backend import Backend, WrappedBackend
from engine.model.backends.onnx_cpu import open_model
from engine.model.step import Step, StepInputs
from engine.output.frame import Frame
from engine.render.statistics import ShowStatistics
from tests.engine.app.shows import CollectingSink, InventedClock, show_sound, varied_sound
from tests.engine.audio.sources.devices import GivenDevice
from tests.engine.model.probe_model import CARD

RATE_HZ, BLOCK = 48000, 480
BLOCK_S = BLOCK / RATE_HZ
NORMAL_AGE_S = CARD.hop_s / 2
"""Two blocks and the resampler are far below it."""


class TimedSink(CollectingSink):
    """Notes when each frame was handed on and how old it was."""

    def __init__(self, clock: InventedClock) -> None:
        super().__init__(on_frame=self._note)
        self._clock = clock
        self.moments: list[tuple[float, float]] = []

    def _note(self, frame: Frame) -> None:
        assert frame.captured_s is not None
        now_s = self._clock.now_s()
        self.moments.append((now_s, now_s - frame.captured_s))

    def ages_from(self, begin_s: float, end_s: float = float("inf")) -> list[float]:
        return [age_s for at_s, age_s in self.moments if begin_s <= at_s < end_s]

    def longest_still_s(self) -> float:
        return max(after - before for (before, _), (after, _) in pairwise(self.moments))


class SlowBackend(WrappedBackend):
    """A real backend whose steps take `takes_s` by the invented clock from `slow_from_s` to `slow_until_s`, and 5 ms otherwise."""

    def __init__(self, inner: Backend, clock: InventedClock, takes_s: float, slow_s: tuple[float, float]) -> None:
        super().__init__(inner)
        self.clock, self.takes_s = clock, takes_s
        self.slow_from_s, self.slow_until_s = slow_s

    def step(self, inputs: StepInputs) -> Step:
        slow = self.slow_from_s <= self.clock.now_s() < self.slow_until_s
        self.clock.sleep(self.takes_s if slow else 0.005)
        return super().step(inputs)


@pytest.mark.parametrize("factor", [2.0, 10.0])
def test_overload_skips_hops_and_the_age_is_normal_within_one_step_after_it(probe_file: Path, factor: float) -> None:
    clock, stats, lines = InventedClock(), ShowStatistics(), []
    begin_s = clock.now_s()
    opened = open_model(probe_file, threads=1)
    backend = SlowBackend(opened, clock, factor * CARD.hop_s, (begin_s + 2.0, begin_s + 5.0))
    sink = TimedSink(clock)
    source = PacedSource(SampleSource("song", varied_sound(1.0, RATE_HZ), RATE_HZ, repeat=True), clock)
    frames = show_sound(backend, source, clock=clock, sinks=[sink], stats=stats, seconds=8.0, notify=lines.append)
    # While it lasts a frame is as old as its step takes, and never older than that and the hop before it.
    assert max(sink.ages_from(begin_s)) < factor * CARD.hop_s + CARD.hop_s
    last_slow_s = max(at_s for at_s, age_s in sink.moments if age_s > NORMAL_AGE_S)
    assert max(sink.ages_from(last_slow_s + 1e-9)) <= NORMAL_AGE_S
    assert last_slow_s <= begin_s + 5.0 + factor * CARD.hop_s + CARD.hop_s
    assert stats.hops == frames[-1].index + 1 == stats.steps + stats.skipped_hops
    assert stats.skipped_hops == sum(frame.skipped_hops for frame in frames)
    assert stats.skipped_hops == pytest.approx(3.0 / CARD.hop_s * (1 - 1 / factor), rel=0.15)
    assert 1 <= len(lines) <= 2


class ScriptedMicrophone(Microphone):
    """The real callback, ring and watchdog; blocks come at the times of a script, and the sound ends with it."""

    def __init__(self, clock: InventedClock, arrivals_s: list[float]) -> None:
        self._given = GivenDevice("scripted", channels=1, rates_hz=(RATE_HZ,))
        super().__init__(self._given, None, clock)
        self._invented = clock
        self._arrivals_s = deque(arrivals_s)
        self.largest_read = 0

    def read(self) -> tuple[NDArray[np.float32], float | None]:
        now_s = self._invented.now_s()
        while self._arrivals_s and self._arrivals_s[0] <= now_s:
            # The driver's thread runs beside the others, at its own times.
            self._invented.time_s = self._arrivals_s.popleft()
            self._given.streams[0].bring(np.full((BLOCK, 1), 0.1, np.float32), 0.0)
        self._invented.time_s = now_s
        came = super().read()
        self.largest_read = max(self.largest_read, len(came[0]))
        return came

    def wait(self, timeout_s: float) -> None:
        self._invented.sleep(0.002)

    def close(self) -> None: ...


def steady(begin_s: float, seconds: float) -> list[float]:
    return [begin_s + (number + 1) * BLOCK_S for number in range(round(seconds / BLOCK_S))]


def stalled(begin_s: float, at_s: float, until_s: float, end_s: float, pace: float) -> list[float]:
    """Return arrivals that stay away from `at_s` to `until_s`; what was held up comes `pace` times faster than it sounds."""
    arrivals_s, free_s = [], 0.0
    for due_s in steady(begin_s, end_s - begin_s):
        arrival_s = due_s if due_s < at_s else max(due_s, until_s, free_s)
        arrivals_s.append(arrival_s)
        free_s = arrival_s + BLOCK_S / pace
    return arrivals_s


def show_microphone(
    probe_file: Path,
    microphone: ScriptedMicrophone,
    clock: InventedClock,
    seconds: float,
    stats: ShowStatistics,
    lines: list[str],
) -> TimedSink:
    sink = TimedSink(clock)
    show_sound(
        probe_file, microphone, clock=clock, sinks=[sink], stats=stats, seconds=seconds, notify=lines.append
    )  # fmt: skip
    return sink


@pytest.mark.parametrize("pace", [1.0, 4.0, 100.0])
def test_a_stalled_capture_is_silence_and_its_backlog_does_not_make_the_frame_late(
    probe_file: Path, pace: float
) -> None:
    clock, stats, lines = InventedClock(), ShowStatistics(), []
    begin_s = clock.now_s()
    microphone = ScriptedMicrophone(clock, stalled(begin_s, begin_s + 3, begin_s + 6, begin_s + 12, pace))
    sink = show_microphone(probe_file, microphone, clock, 10.0, stats, lines)
    assert sink.longest_still_s() < STALL_S + 2 * CARD.hop_s < 1.0
    assert max(sink.ages_from(begin_s)) <= NORMAL_AGE_S
    # The show's time is that of the clock all along: it neither lags behind by the backlog nor loses the silence.
    frame, (at_s, _) = sink.frames[-1], sink.moments[-1]
    assert frame.time_s == pytest.approx(at_s - begin_s, abs=2 * CARD.hop_s)
    assert stats.hops == frame.index + 1
    assert [line.split(";")[0] for line in lines if "scripted" in line] == [
        "mic: scripted gives no sound",
        "mic: scripted is back",
    ]


def test_a_process_that_was_stopped_goes_on_with_what_is_now(probe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither callback nor steps for five seconds, then everything that the server kept, at once."""
    clock, stats, lines = InventedClock(), ShowStatistics(), []
    begin_s = clock.now_s()
    microphone = ScriptedMicrophone(clock, stalled(begin_s, begin_s + 3, begin_s + 8, begin_s + 14, 200.0))
    read = microphone.read

    def stopped() -> tuple[NDArray[np.float32], float | None]:
        if begin_s + 3 <= clock.now_s() < begin_s + 8:
            clock.time_s = begin_s + 8.0
        return read()

    monkeypatch.setattr(microphone, "read", stopped)
    sink = show_microphone(probe_file, microphone, clock, 12.0, stats, lines)
    assert max(sink.ages_from(begin_s)) <= NORMAL_AGE_S
    assert sink.frames[-1].time_s == pytest.approx(sink.moments[-1][0] - begin_s, abs=2 * CARD.hop_s)
    assert stats.skipped_hops == pytest.approx(5.0 / CARD.hop_s, abs=4)


def test_a_machine_that_slept_for_a_night_goes_on_where_it_stopped(
    probe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, stats = InventedClock(), ShowStatistics()
    begin_s, night_s = clock.now_s(), 8 * 3600.0
    arrivals_s = [*steady(begin_s, 3.0), *steady(begin_s + 3.0 + night_s, 6.0)]
    microphone = ScriptedMicrophone(clock, arrivals_s)
    read = microphone.read

    def asleep() -> tuple[NDArray[np.float32], float | None]:
        if begin_s + 3 <= clock.now_s() < begin_s + night_s:
            clock.time_s = begin_s + 3 + night_s
        return read()

    monkeypatch.setattr(microphone, "read", asleep)
    sink = show_microphone(probe_file, microphone, clock, 8.0, stats, [])
    assert microphone.largest_read <= LONGEST_AWAY_S * RATE_HZ
    # What had come and was not yet heard when the machine fell asleep is one frame.
    assert sum(age_s > NORMAL_AGE_S for age_s in sink.ages_from(begin_s)) <= 1
    assert sink.frames[-1].index + 1 == stats.hops == round(8.0 / CARD.hop_s)


def test_a_file_goes_on_where_it_stopped_when_the_machine_slept(probe_file: Path) -> None:
    clock, sound = InventedClock(), varied_sound(10.0, RATE_HZ)
    source = PacedSource(SampleSource("song", sound, RATE_HZ), clock)
    slept: list[int] = []

    def sleep_once(frame: Frame) -> None:
        if frame.index == 30 and not slept:
            slept.append(frame.index)
            clock.sleep(max(3600.0, 2 * LONGEST_LAG_S))

    sink = CollectingSink(on_frame=sleep_once)
    frames = show_sound(probe_file, source, clock=clock, sinks=[sink], seconds=4.0)
    assert [frame.index for frame in frames] == list(range(80))
    heard = np.concatenate([frame.sound_TC for frame in frames])
    assert np.array_equal(heard, sound[: len(heard)])


def test_a_device_that_is_slow_to_begin_is_not_called_lost() -> None:
    watchdog = Watchdog(RATE_HZ, 0.0)
    silent = sum(watchdog.silence(number / 100) for number in range(round(100 * BEGINS_WITHIN_S)))
    assert not watchdog.stalled
    assert silent == pytest.approx(RATE_HZ * BEGINS_WITHIN_S, abs=RATE_HZ / 50)
    assert watchdog.admit(BLOCK, BEGINS_WITHIN_S).admitted
    assert watchdog.flowing_since_s == BEGINS_WITHIN_S


def test_no_decision_can_depend_on_the_time_of_day() -> None:
    """One file reads clocks, and the one it reads for decisions cannot be set: a changed clock or time zone changes nothing."""
    clock = time.get_clock_info("perf_counter")
    assert clock.monotonic
    assert not clock.adjustable
    readers = []
    for path in Path(engine.__file__).parent.rglob("*.py"):
        imported = {
            alias.name.split(".")[0] if isinstance(node, ast.Import) else node.module
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        }
        readers += [path.name] if imported & {"time", "datetime"} else []
    assert readers == ["clock.py"]
