"""A real loudspeaker, PulseAudio's null output: what is heard on its monitor, when, and what happens when the server dies."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.input_layout import UNNAMED
from engine.audio.listening import loudspeaker as module
from engine.audio.listening.listened_source import ListenedSource
from engine.audio.listening.loudspeaker import Loudspeaker
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.core.clock import WallClock
from engine.ops.calibration.clicks import click_sound
from engine.output.frame import Frame
from tests.conftest import PulseServer
from tests.engine.app.shows import CollectingSink, show_sound
from tests.engine.audio.listening.monitor import Monitor
from tests.engine.audio.sources.devices import closes_at_once

WITHIN_S = 40.0
WANTED_S = 0.06
"""Less than the driver holds."""
ATTEMPTS, GAPS_AT_THE_START = 3, 1
NEAR_S = 0.03
"""What the times of the sound server may be wrong by."""


class FastClock(WallClock):
    """A clock that runs `factor` times as fast as the sound server's."""

    __slots__ = ("_factor",)

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def now_s(self) -> float:
        return super().now_s() * self._factor


def clicks(rate_hz: int, seconds: float, channels: int = 2) -> NDArray[np.float32]:
    """Return a click every 0.4 s, each 2 % louder than the one before so that they can be told apart, over a quiet noise."""
    sound_TC = 1e-4 * np.random.default_rng(7).standard_normal((round(seconds * rate_hz), channels))
    for number, begin in enumerate(range(0, len(sound_TC) - rate_hz // 10, round(0.4 * rate_hz))):
        click_T = click_sound(rate_hz) * 0.5 * 1.02**number
        sound_TC[begin : begin + len(click_T)] += click_T[:, None]
    return sound_TC.astype(np.float32)


def played(
    server: PulseServer, probe_file: Path, sound_TC: NDArray[np.float32], rate_hz: int, clock: WallClock
) -> tuple[NDArray[np.float32], float, list[Frame], Loudspeaker]:
    """Play a show that is listened to; return what was heard, the time of its first sample, and the frames.

    Where other programs keep the processor for too long there are gaps, and the show is played once more.
    """
    for _ in range(ATTEMPTS):
        heard = played_once(server, probe_file, sound_TC, rate_hz, clock)
        if heard[-1].gaps <= GAPS_AT_THE_START:
            break
    return heard


def played_once(
    server: PulseServer, probe_file: Path, sound_TC: NDArray[np.float32], rate_hz: int, clock: WallClock
) -> tuple[NDArray[np.float32], float, list[Frame], Loudspeaker]:
    monitor = Monitor(server, clock)
    loudspeaker = Loudspeaker(None, rate_hz, sound_TC.shape[1], clock)
    source = PacedSource(SampleSource("clicks", sound_TC, rate_hz), clock)
    sink = CollectingSink()
    try:
        show_sound(
            probe_file,
            ListenedSource(source, UNNAMED, loudspeaker, lambda: WANTED_S),
            clock=clock,
            sinks=[sink],
            seconds=WITHIN_S,
        )
    finally:
        heard_TC, begin_s = monitor.close()
    return heard_TC, begin_s, sink.frames, loudspeaker


def onsets(mono_T: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the first sample of each click."""
    loud = np.flatnonzero(np.abs(mono_T) > 0.1)
    return loud[np.diff(loud, prepend=-(10**9)) > 2000]


def test_clicks_are_heard_as_long_after_their_frames_as_was_asked_and_to_the_bit(
    pulse_server: PulseServer, probe_file: Path
) -> None:
    clock, sound_TC = WallClock(), clicks(48000, 9.0)
    heard_TC, begin_s, frames, loudspeaker = played(pulse_server, probe_file, sound_TC, 48000, clock)
    assert loudspeaker.delay_s == WANTED_S < loudspeaker.driver_s
    # Frames say when the source played: sample n at start + n / rate.
    starts_s = [frame.captured_s - frame.time_s for frame in frames if frame.captured_s is not None]
    start_s = float(np.median(starts_s))
    heard, there = onsets(heard_TC[:, 0]), onsets(sound_TC[:, 0])
    # The server takes up to two seconds to begin.
    assert len(heard) >= 12
    late_s = begin_s + heard / 48000 - (start_s + there[-len(heard) :] / 48000)
    assert np.median(late_s) == pytest.approx(WANTED_S, abs=NEAR_S)
    assert late_s[4:] == pytest.approx(WANTED_S, abs=2 * NEAR_S)
    # Between two clicks with no correction every sample is the source's.
    exact = 0
    for ours, theirs in zip(heard, there[-len(heard) :], strict=True):
        length = min(12000, len(sound_TC) - theirs, len(heard_TC) - ours)
        exact += np.array_equal(heard_TC[ours : ours + length], sound_TC[theirs : theirs + length])
    assert exact >= len(heard) // 2


@pytest.mark.parametrize(("rate_hz", "channels"), [(44100, 1), (22050, 2)])
def test_any_rate_and_mono_are_heard_on_both_sides(
    pulse_server: PulseServer, probe_file: Path, rate_hz: int, channels: int
) -> None:
    heard_TC, *_ = played(pulse_server, probe_file, clicks(rate_hz, 5.0, channels), rate_hz, WallClock())
    assert len(onsets(heard_TC[:, 0])) >= 4
    assert np.abs(heard_TC[:, 1]).max() > 0.3


def test_a_clock_that_differs_is_followed(pulse_server: PulseServer, probe_file: Path) -> None:
    """In the ten seconds after the beginning the loudspeaker falls 15 ms behind."""
    clock = FastClock(1.0015)
    *_, loudspeaker = played(pulse_server, probe_file, clicks(48000, 14.0), 48000, clock)
    left_out, added = loudspeaker.corrected_samples
    assert left_out - added > 200


def test_a_second_close_does_not_wait_again_for_a_server_that_hangs(
    pulse_server: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, answers = threading.Event(), threading.Event()

    def restart() -> None:
        is_asked.set()
        answers.wait()

    monkeypatch.setattr(module, "restart_portaudio", restart)
    monkeypatch.setattr(module, "SILENT_S", -1.0)
    loudspeaker = Loudspeaker(None, 48000, 2, WallClock())
    assert "was lost" in loudspeaker.attend()[0]
    assert is_asked.wait(WITHIN_S)
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.01)
    loudspeaker.close()
    assert closes_at_once(loudspeaker.close, monkeypatch, module)
    answers.set()


def test_a_dead_server_costs_two_lines_and_the_loudspeaker_comes_back(
    pulse_server: PulseServer, probe_file: Path
) -> None:
    clock, lines, stop = WallClock(), list[str](), threading.Event()
    loudspeaker = Loudspeaker(None, 48000, 2, clock)
    source = PacedSource(SampleSource("clicks", clicks(48000, 5.0), 48000, repeat=True), clock)
    restarted = threading.Event()

    def notify(line: str) -> None:
        lines.append(line)
        if "was lost" in line:
            pulse_server.start()
            restarted.set()
        elif "is back" in line:
            stop.set()

    def follow(frame: Frame) -> None:
        if frame.index == 40:
            pulse_server.stop(signal.SIGKILL)

    sink = CollectingSink(on_frame=follow)
    listened = ListenedSource(source, UNNAMED, loudspeaker, lambda: WANTED_S)
    show_sound(probe_file, listened, clock=clock, sinks=[sink], stop=stop, seconds=WITHIN_S, notify=notify)
    assert restarted.is_set()
    assert stop.is_set()
    assert len(sink.frames) > 60
