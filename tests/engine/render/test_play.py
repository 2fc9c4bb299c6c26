"""The loop: which hops are stepped, what sinks are given, and what happens when a part fails."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import BackendError, SinkError
from engine.model.backends.onnx_cpu import open_model
from engine.output.frame import Frame
from engine.render.statistics import ShowStatistics
from engine.takes.recorder import RecordedSource, TakeRecorder
from engine.takes.replay import read_take
from engine.takes.take_log import take_header
from tests.engine.app.shows import (
    CollectingSink,
    CollectingWindow,
    InventedClock,
    StandingControls,
    show_sound,
    varied_sound,
)
from tests.engine.model.probe_model import CARD
from tests.engine.model.test_session import FailingBackend

RATE_HZ = 48000


def song(seconds: float = 1.0, repeat: bool = False) -> SampleSource:
    return SampleSource("song", varied_sound(seconds, RATE_HZ), RATE_HZ, repeat)


def failing_backend(probe_file: Path) -> FailingBackend:
    backend = open_model(probe_file, threads=1)
    return FailingBackend(backend)


def test_offline_every_hop_is_stepped_and_no_sound_is_lost(probe_file: Path) -> None:
    stats, sink = ShowStatistics(), CollectingSink()
    frames = show_sound(probe_file, song(1.02), clock=WallClock(), stats=stats, sinks=[sink])
    assert [frame.index for frame in frames] == list(range(21))
    assert np.array_equal(np.concatenate([frame.sound_TC for frame in frames]), varied_sound(1.02, RATE_HZ))
    assert frames[4].time_s == pytest.approx(0.25)
    assert all(frame.captured_s is None for frame in frames)
    assert (stats.steps, stats.skipped_hops) == (21, 0)
    show = sink.show_format
    assert show is not None
    assert (show.fps, show.sound_rate_hz, show.sound_channels, show.live) == (20.0, RATE_HZ, 2, False)
    assert sink.closed


def test_seconds_end_the_show(probe_file: Path) -> None:
    assert len(show_sound(probe_file, song(1.0), clock=WallClock(), seconds=0.5)) == 10


def test_overload_skips_to_the_newest_hop_and_says_so(probe_file: Path) -> None:
    """With an invented clock, each frame takes 130 ms to hand on; hops are 50 ms apart."""
    clock, stats, lines = InventedClock(), ShowStatistics(), []
    sink = CollectingSink(on_frame=lambda frame: clock.sleep(0.13))
    source = PacedSource(song(1.0, repeat=True), clock)
    frames = show_sound(probe_file, source, clock=clock, stats=stats, sinks=[sink], seconds=20.0, notify=lines.append)
    jumps = np.diff([frame.index for frame in frames])
    assert set(jumps[1:]) <= {2, 3}
    assert [frame.skipped_hops for frame in frames[1:]] == [jump - 1 for jump in jumps]
    assert stats.hops == frames[-1].index + 1 == stats.steps + stats.skipped_hops
    # Latency does not accumulate: a frame is never older than one hop, the resampler and two blocks.
    ages_s = stats.handed_age.summary()
    assert ages_s["max_ms"] < 50 + 2 + 10
    sounds = np.concatenate([frame.sound_TC for frame in frames])
    whole = np.tile(varied_sound(1.0, RATE_HZ), (21, 1))
    assert np.array_equal(sounds, whole[: len(sounds)])
    assert 1 <= len(lines) <= 3
    assert "skipped" in lines[0]


def test_without_overload_frame_index_times_hop_is_the_sound_heard(probe_file: Path) -> None:
    clock = InventedClock()
    source = PacedSource(song(1.0, repeat=True), clock)
    frames = show_sound(probe_file, source, clock=clock, seconds=60.0)
    assert [frame.index for frame in frames] == list(range(1200))
    for frame in frames:
        assert frame.captured_s == pytest.approx(1000.0 + frame.time_s, abs=1e-6)


def test_controls_are_read_once_a_step(probe_file: Path) -> None:
    controls = StandingControls(gain=0.0)

    def turn_up(frame: Frame) -> None:
        if frame.index == 9:
            controls.current = {"gain": 4.0}

    sink = CollectingSink(on_frame=turn_up)
    frames = show_sound(probe_file, song(), clock=WallClock(), sinks=[sink], controls=controls)
    levels = [float(frame.features_F[0]) for frame in frames]
    assert not any(levels[:10])
    assert all(levels[10:])


def test_the_control_box_of_the_remotes_drives_the_show(probe_file: Path) -> None:
    store = ParameterStore(parameters_for(CARD), {"gain": 0.0})

    def snapshot(frame: Frame) -> None:
        if frame.index == 4:
            store.set("gain", 2.0)
        elif frame.index == 9:
            store.set("freeze", True)

    sink = CollectingSink(on_frame=snapshot)
    frames = show_sound(probe_file, song(), clock=WallClock(), sinks=[sink], controls=store)
    assert not any(float(frame.features_F[0]) for frame in frames[:5])
    assert all(float(frame.features_F[0]) for frame in frames[5:])
    assert all(np.array_equal(frame.pixels_HWC, frames[9].pixels_HWC) for frame in frames[10:])


def test_a_failing_sink_is_dropped_live_and_ends_an_offline_show(probe_file: Path) -> None:
    failing, other, lines = CollectingSink(fails_at=3), CollectingSink(), []
    clock = InventedClock()
    show_sound(
        probe_file, PacedSource(song(), clock), clock=clock, sinks=[failing, other], seconds=0.5, notify=lines.append
    )
    assert (len(failing.frames), len(other.frames)) == (3, 10)
    assert failing.closed
    assert lines == ["collector: the disk is full. The show goes on without collector."]
    failing, other = CollectingSink(fails_at=3), CollectingSink()
    with pytest.raises(SinkError, match="disk is full"):
        show_sound(probe_file, song(), clock=WallClock(), sinks=[failing, other])
    assert failing.closed
    assert other.closed


def test_a_failing_step_holds_the_frame_live_and_raises_offline(probe_file: Path) -> None:
    backend, lines, stats, clock = failing_backend(probe_file), [], ShowStatistics(), InventedClock()

    def break_and_mend(frame: Frame) -> None:
        backend.fails = 3 <= frame.index < 6

    sink = CollectingSink(on_frame=break_and_mend)
    source = PacedSource(song(), clock)
    frames = show_sound(backend, source, clock=clock, sinks=[sink], stats=stats, seconds=0.5, notify=lines.append)
    assert len(frames) == 10
    for held in frames[4:7]:
        assert np.array_equal(held.pixels_HWC, frames[3].pixels_HWC)
    assert not np.array_equal(frames[7].features_F, frames[3].features_F)
    assert stats.failed_steps == 3
    assert len(lines) == 1
    backend.fails = True
    with pytest.raises(BackendError):
        show_sound(backend, song(), clock=WallClock())


def test_stop_ends_the_show(probe_file: Path) -> None:
    stop, clock = threading.Event(), InventedClock()
    sink = CollectingSink(on_frame=lambda frame: stop.set() if frame.index == 4 else None)
    frames = show_sound(probe_file, PacedSource(song(), clock), clock=clock, sinks=[sink], stop=stop)
    assert len(frames) == 5
    assert sink.closed


def test_the_window_keeps_the_calling_thread_and_gets_the_newest(probe_file: Path) -> None:
    window, sink, stats = CollectingWindow(until=4), CollectingSink(), ShowStatistics()
    source = PacedSource(song(repeat=True), WallClock())
    show_sound(probe_file, source, clock=WallClock(), window=window, sinks=[sink], stats=stats)
    assert window.threads == {threading.get_ident()}
    assert len(window.frames) == 4
    shown = [frame.index for frame in window.frames]
    assert shown == sorted(set(shown))
    assert set(shown) <= {frame.index for frame in sink.frames}
    assert stats.shown_age.summary()["count"] == 4
    assert window.closed
    assert "window" in stats.lost_frames


def test_what_fails_beside_the_window_reaches_the_caller(probe_file: Path) -> None:
    class BrokenControls(StandingControls):
        def values(self) -> dict[str, float | int | bool]:
            raise ZeroDivisionError

    window = CollectingWindow(until=10**6)
    source = PacedSource(song(repeat=True), WallClock())
    with pytest.raises(ZeroDivisionError):
        show_sound(probe_file, source, clock=WallClock(), window=window, controls=BrokenControls())
    assert window.closed


def test_a_window_offline_sees_every_frame(probe_file: Path) -> None:
    window = CollectingWindow(until=10**6)
    show_sound(probe_file, song(), clock=WallClock(), window=window)
    assert [frame.index for frame in window.frames] == list(range(20))


def test_the_frames_follow_the_sound(probe_file: Path) -> None:
    silent, loud = np.zeros((RATE_HZ, 1), np.float32), varied_sound(1.0, RATE_HZ, 1)
    source = SampleSource("half", np.concatenate([silent, loud]), RATE_HZ)
    brightness = [float(frame.pixels_HWC.mean()) for frame in show_sound(probe_file, source, clock=WallClock())]
    assert max(brightness[:19]) < min(brightness[24:])


def test_the_first_window_is_mostly_silence(probe_file: Path) -> None:
    assert CARD.window_samples > CARD.hop_samples
    assert show_sound(probe_file, song(0.05), clock=WallClock())[0].index == 0


def test_a_failing_window_is_dropped_while_there_are_sinks(probe_file: Path) -> None:
    class FailingWindow(CollectingWindow):
        def poll(self) -> bool:
            if len(self.frames) == 2:
                raise SinkError("window: the display is gone.")
            return True

    window, sink, lines = FailingWindow(until=0), CollectingSink(), []
    source = PacedSource(song(), WallClock())
    show_sound(probe_file, source, clock=WallClock(), window=window, sinks=[sink], notify=lines.append)
    assert sink.frames[-1].index == 19
    assert len(window.frames) == 2
    assert window.closed
    assert lines[0] == "window: the display is gone. The show goes on without window."
    source = PacedSource(song(), WallClock())
    with pytest.raises(SinkError, match="display is gone"):
        show_sound(probe_file, source, clock=WallClock(), window=FailingWindow(until=0), sinks=[])


class LostWindow(CollectingWindow):
    """A window whose screen goes after two frames."""

    def poll(self) -> bool:
        if len(self.frames) == 2:
            raise SinkError("window: the display is gone.")
        return True


def test_a_take_outlasts_the_window_that_was_lost_beside_it(probe_file: Path, tmp_path: Path) -> None:
    source, lines = PacedSource(song(), WallClock()), list[str]()
    backend = open_model(probe_file, threads=1)
    header = take_header(backend, source, model=str(probe_file), date="today")
    take = TakeRecorder(tmp_path / "take", header, live=True, notify=pytest.fail)
    take.open()
    try:
        show_sound(
            backend,
            RecordedSource(source, take),
            clock=WallClock(),
            window=LostWindow(until=0),
            sinks=[],
            notify=lines.append,
            controls=ParameterStore(parameters_for(CARD)),
            recorder=take,
        )
    finally:
        take.close()
    assert lines[0] == "window: the display is gone. The show goes on without window."
    assert read_take(tmp_path / "take").seconds == pytest.approx(1.0, abs=0.1)


def test_another_output_at_the_rate_of_the_display_outlasts_a_lost_window(probe_file: Path) -> None:
    class Projector(CollectingSink):
        name = "projector"
        rate = "display"

    source, lines, projector = PacedSource(song(), WallClock()), list[str](), Projector()
    show_sound(
        probe_file, source, clock=WallClock(), window=LostWindow(until=0), sinks=[projector], notify=lines.append
    )
    assert lines[0] == "window: the display is gone. The show goes on without window."
    assert projector.frames[-1].index > 5


def test_what_cannot_open_leaves_nothing_open(probe_file: Path) -> None:
    class Closing(SampleSource):
        closed = False

        def close(self) -> None:
            self.closed = True

    class Unwritable(CollectingSink):
        def open(self, show: object) -> None:
            raise SinkError("show.mp4 cannot be written.")

    source, before = Closing("song", varied_sound(1.0, RATE_HZ), RATE_HZ), CollectingSink()
    with pytest.raises(SinkError, match="cannot be written"):
        show_sound(probe_file, source, clock=WallClock(), sinks=[before, Unwritable()])
    assert source.closed
    assert before.closed


def test_a_hop_whose_frame_is_held_is_told_from_one_that_was_stepped(probe_file: Path) -> None:
    """For the sync meter, which counts only the motion that the model made."""
    controls = StandingControls()

    def freeze(frame: Frame) -> None:
        controls.current = {"freeze": 9 <= frame.index < 14}

    sink, stats = CollectingSink(on_frame=freeze), ShowStatistics()
    frames = show_sound(probe_file, song(1.0), clock=WallClock(), sinks=[sink], controls=controls, stats=stats)
    assert [frame.index for frame in frames if not frame.follows] == [0, *range(10, 15)]
    assert stats.summary()["sync"]["value"] is None
