"""Outputs that block, die or have no room: the step goes on, and so do the others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.core.clock import WallClock
from engine.core.errors import SinkError
from engine.core.notices import Notices
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.video_file import VideoFileSink
from engine.render.statistics import ShowStatistics
from tests.engine.app.shows import CollectingSink, CollectingWindow, InventedClock, show_sound, varied_sound

LIMIT_S = 60.0
"""Generous: what is waited for ends the wait."""


def song() -> SampleSource:
    return SampleSource("song", varied_sound(1.0, 48000), 48000, repeat=True)


def test_a_window_that_blocks_does_not_hold_the_steps(probe_file: Path) -> None:
    """As with a screen that hangs: `show` returns only after twenty more frames were made."""
    stepped, waited = threading.Semaphore(0), []

    class Blocking(CollectingWindow):
        def show(self, frame: Frame) -> None:
            if not waited:
                waited.append(all(stepped.acquire(timeout=LIMIT_S) for _ in range(20)))
            super().show(frame)

    window, stats = Blocking(until=3), ShowStatistics()
    sink = CollectingSink(on_frame=lambda frame: stepped.release())
    source = PacedSource(song(), WallClock())
    show_sound(probe_file, source, clock=WallClock(), window=window, sinks=[sink], stats=stats, seconds=LIMIT_S)
    assert waited == [True]
    first, second = window.frames[0].index, window.frames[1].index
    # What is shown next is the newest, not the one after.
    assert second - first >= 15
    assert stats.lost_frames["window"] >= 15


class NoisyRecorder(VideoFileSink):
    """Records noise, which does not become small."""

    rng = np.random.default_rng(0)

    def open(self, show: ShowFormat) -> None:
        super().open(replace(show, width=256, height=256))

    def show(self, frame: Frame) -> None:
        super().show(replace(frame, pixels_HWC=self.rng.integers(0, 256, (256, 256, 3), np.uint8)))


@pytest.fixture
def little_room() -> Iterator[None]:
    """As on a full disk, every file ends at a megabyte."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
def test_a_disk_without_room_ends_the_recording_and_not_the_show(probe_file: Path, tmp_path: Path) -> None:
    clock, lines, told = InventedClock(), [], threading.Event()

    def tell(line: str) -> None:
        lines.append(line)
        told.set()

    # One frame waits until the recorder has met the end of its room.
    other = CollectingSink(on_frame=lambda frame: told.wait(0.02))
    recorder = NoisyRecorder(tmp_path / "show.mp4")
    source = PacedSource(song(), clock)
    show_sound(probe_file, source, clock=clock, sinks=[other, recorder], seconds=12.0, notify=tell)  # type: ignore[list-item]
    assert len(other.frames) == 240
    assert len(lines) == 1
    assert "show.mp4 failed: File too large; the frames before are in the file." in lines[0]
    assert "The show goes on without" in lines[0]
    assert (tmp_path / "show.mp4").stat().st_size > 500_000


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A file that takes 64 KiB and then nothing more: its reader is there and does not read."""
    path = tmp_path / "slow.mkv"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path
    os.close(reader)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_disk_that_hangs_loses_frames_of_the_recording_and_none_of_the_show(probe_file: Path, pipe: Path) -> None:
    class Recorder(NoisyRecorder):
        def close(self) -> None:
            assert self._write_queue
            # To wait for this disk would be to wait for ever.
            self._write_queue.abandon()

    clock = InventedClock()
    recorder, other = Recorder(pipe), CollectingSink()
    show_sound(probe_file, PacedSource(song(), clock), clock=clock, sinks=[other, recorder], seconds=15.0)  # type: ignore[list-item]
    assert len(other.frames) == 300
    assert recorder.lost_frames > 100


def test_a_sink_that_dies_takes_nobody_with_it(probe_file: Path) -> None:
    clock, lines = InventedClock(), []
    dying = [CollectingSink(fails_at=number) for number in (5, 6, 7)]
    other = CollectingSink()
    show_sound(
        probe_file, PacedSource(song(), clock), clock=clock, sinks=[*dying, other], seconds=2.0, notify=lines.append
    )  # fmt: skip
    assert [len(sink.frames) for sink in (*dying, other)] == [5, 6, 7, 40]
    assert all(sink.closed for sink in dying)
    assert len(lines) == 3


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), BrokenPipeError(), ValueError("closed file")]
)
def test_a_terminal_that_takes_no_lines_does_not_stop_the_show(probe_file: Path, error: Exception) -> None:
    """Standard output may lie on a full disk, be a pipe whose reader has gone, or be closed."""

    def broken(line: str) -> None:
        raise error

    clock = InventedClock()
    sinks = [CollectingSink(fails_at=3), CollectingSink()]
    frames = show_sound(probe_file, PacedSource(song(), clock), clock=clock, sinks=sinks, seconds=1.0, notify=broken)
    assert len(frames) == 3
    assert len(sinks[1].frames) == 20
    notices = Notices(broken)
    notices.tell_sparsely("overload", "{count} hops", 0.0)
    assert notices.lost_lines == 1


def test_a_user_s_mistake_is_still_told() -> None:
    """Only the telling may fail; what a sink says at its opening is not swallowed."""
    with pytest.raises(SinkError):
        VideoFileSink("/nowhere/show.mp4").open(
            ShowFormat(title="", width=16, height=16, fps=20.0, sound_rate_hz=48000, sound_channels=1, live=True)
        )
