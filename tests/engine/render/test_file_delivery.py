"""Frames for files are finished beside the step loop: the same frames, in their order, with all their sound."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from engine.core.errors import SinkError
from engine.core.notices import Notices
from engine.output.frame import Frame
from engine.output.recording.write_queue import MOST_WAITING_FRAMES
from engine.render.delivery import FrameDelivery
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from tests.engine.app.shows import CollectingSink, InventedClock

HOPS = MOST_WAITING_FRAMES - 10
SAMPLES = 5
LIMIT_S = 60.0
"""Generous: what is waited for ends the wait."""


class FileSink(CollectingSink):
    rate = "file"


class Delivery:
    """A delivery with what it tells; live or not."""

    def __init__(self, *sinks: CollectingSink, live: bool = True) -> None:
        self.statistics, self.lines = ShowStatistics(), list[str]()
        clock = InventedClock()
        runtime = Runtime(clock=clock, statistics=self.statistics, notices=Notices(self.lines.append), live=live)
        self.delivery = FrameDelivery(sinks, [], runtime)

    def play(self, *frames: Frame) -> None:
        self.delivery.start()
        for frame in frames:
            self.delivery.deliver(frame)
        self.delivery.close()


def frames(count: int = HOPS, **values: float | bool) -> list[Frame]:
    """Return frames of noise that flash, so that trails and the flash guard have something to do."""
    rng = np.random.default_rng(1)
    return [
        Frame(
            index=index,
            pixels_HWC=rng.integers(0, 256, (48, 64, 3), np.uint8) // (1 + 5 * (index % 2)),
            features_F=np.zeros(1, np.float32),
            sound_TC=np.full((SAMPLES, 1), index, np.float32),
            first_sample=SAMPLES * index,
            time_s=0.05 * (index + 1),
            captured_s=None,
            values={"trail": 0.5, "glow": 0.3, "zoom": 1.1, **values},
        )
        for index in range(count)
    ]


def test_files_get_the_frames_that_an_offline_show_gives_them() -> None:
    live, offline, threads = FileSink(), FileSink(), set[int]()
    live.on_frame = lambda frame: threads.add(threading.get_ident())
    Delivery(live).play(*frames())
    Delivery(offline, live=False).play(*frames())
    assert len(live.frames) == len(offline.frames) == HOPS
    for given, expected, made in zip(live.frames, offline.frames, frames(), strict=True):
        assert np.array_equal(given.pixels_HWC, expected.pixels_HWC)
        assert not np.array_equal(given.pixels_HWC, made.pixels_HWC)
        assert np.array_equal(given.sound_TC, made.sound_TC)
    assert threads.isdisjoint({threading.get_ident()})


def test_a_file_never_holds_the_step_loop_and_loses_pixels_but_no_sound() -> None:
    release = threading.Event()
    slow = FileSink(on_frame=lambda frame: None if release.wait(LIMIT_S) else pytest.fail("held up"))
    playing, count = Delivery(slow), MOST_WAITING_FRAMES + HOPS
    playing.delivery.start()
    for frame in frames(count):
        # Returns although no frame is taken.
        playing.delivery.deliver(frame)
    release.set()
    playing.delivery.close()
    lost = playing.statistics.lost_frames["collector"]
    assert lost >= HOPS - 1
    assert len(slow.frames) + lost == count
    sound_T = np.concatenate([frame.sound_TC for frame in slow.frames])[:, 0]
    assert np.array_equal(sound_T, np.repeat(np.arange(count, dtype=np.float32), SAMPLES))
    end = 0
    for frame in slow.frames:
        assert frame.first_sample == end
        end += len(frame.sound_TC)
        assert frame.skipped_hops == len(frame.sound_TC) // SAMPLES - 1
    assert playing.lines == ["The machine is too slow to finish every frame for the files; frames lost: 1."]


def test_frames_that_no_file_wants_are_not_lost() -> None:
    class Asleep(FileSink):
        standby = True

        def wants(self, values: object) -> bool:
            return False

    playing = Delivery(Asleep())
    for frame in frames(2 * MOST_WAITING_FRAMES):
        # Nothing is taken before it starts.
        playing.delivery.deliver(frame)
    playing.play()
    assert (playing.statistics.lost_frames, playing.lines) == ({}, [])
    assert not playing.delivery.is_seen


def test_a_failing_file_is_dropped_and_the_others_go_on() -> None:
    failing, whole = FileSink(fails_at=3), FileSink()
    playing = Delivery(failing, whole)
    playing.play(*frames())
    assert (len(failing.frames), len(whole.frames), failing.closed) == (3, HOPS, True)
    assert playing.lines == ["collector: the disk is full. The show goes on without collector."]


def test_an_offline_show_ends_with_the_file_that_fails() -> None:
    with pytest.raises(SinkError, match="disk is full"):
        Delivery(FileSink(fails_at=3), live=False).play(*frames())


def test_a_mistake_of_ours_reaches_the_step_loop() -> None:
    class Broken(FileSink):
        def show(self, frame: Frame) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Delivery(Broken()).play(*frames())


def test_a_recording_begins_without_the_trails_before_it() -> None:
    class Recorder(FileSink):
        def wants(self, values: object) -> bool:
            return bool(values["record"])  # type: ignore[index]

    recorded, alone = Recorder(), FileSink()
    before, later = frames(10, record=False), frames(20, record=True)[10:]
    Delivery(recorded).play(*before, *later)
    Delivery(alone).play(*[replace(frame) for frame in later])
    for given, expected in zip(recorded.frames, alone.frames, strict=True):
        assert np.array_equal(given.pixels_HWC, expected.pixels_HWC)
