"""Effects cost what sinks ask for: none are applied to frames that no sink wants with effects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.audio.sources.samples import SampleSource
from engine.core.clock import WallClock
from engine.output.film import FilmFormat, FilmSink
from engine.output.frame import Frame
from engine.output.recording.segment_writer import RecordingConfig
from engine.output.recording.segments import SegmentedRecorder
from tests.engine.app.shows import CollectingSink, StandingControls, show_sound, varied_sound

RATE_HZ = 48000


def song(seconds: float = 1.0) -> SampleSource:
    return SampleSource("song", varied_sound(seconds, RATE_HZ), RATE_HZ)


class PlainSink(CollectingSink):
    """Wants the model's own frames."""

    with_effects = False


class SwitchedSink(CollectingSink):
    """Wants frames while `record` is on."""

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return bool(values.get("record", False))


def test_without_a_sink_that_wants_effects_none_are_applied(probe_file: Path, effects_s: list[float]) -> None:
    plain = PlainSink()
    show_sound(probe_file, song(), clock=WallClock(), sinks=[plain, SwitchedSink()])
    assert len(plain.frames) == 20
    assert effects_s == []


def test_plain_and_effected_frames_go_to_who_asked_for_them(probe_file: Path, effects_s: list[float]) -> None:
    plain, effected = PlainSink(), CollectingSink()
    controls = StandingControls(mirror=True)
    show_sound(probe_file, song(), clock=WallClock(), sinks=[plain, effected], controls=controls)
    assert len(effects_s) == 20
    for own, shown in zip(plain.frames, effected.frames, strict=True):
        assert np.array_equal(own.pixels_HWC[:, ::-1], shown.pixels_HWC)


def test_a_recorder_on_standby_costs_no_effects(probe_file: Path, effects_s: list[float], tmp_path: Path) -> None:
    """`record` is on from hop 5 to hop 9; hop 10 ends the file."""
    controls, told = StandingControls(), list[str]()
    recorder = SegmentedRecorder(RecordingConfig(folder=tmp_path, keep_free_bytes=0), notify=told.append)

    def switch(frame: Frame) -> None:
        controls.current = {"record": 5 <= frame.index + 1 < 10}

    sinks = [PlainSink(on_frame=switch), recorder]
    show_sound(probe_file, song(), clock=WallClock(), sinks=sinks, controls=controls)  # type: ignore[arg-type]
    hops = [round(time_s * 20) - 1 for time_s in effects_s]
    assert hops[:6] == [5, 6, 7, 8, 9, 10]
    assert len(hops) <= 7
    assert len(told) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_effects_that_begin_again_remember_nothing(probe_file: Path) -> None:
    """A trail that never fades does not carry the frames of one recording into the next."""
    controls, sink = StandingControls(trail=1.0), SwitchedSink()

    def switch(frame: Frame) -> None:
        controls.current = {"trail": 1.0, "record": frame.index + 1 in (2, 3, 10)}

    plain = PlainSink(on_frame=switch)
    show_sound(probe_file, song(), clock=WallClock(), sinks=[plain, sink], controls=controls)
    assert [frame.index for frame in sink.frames] == [2, 3, 10]
    assert np.array_equal(sink.frames[2].pixels_HWC, plain.frames[10].pixels_HWC)


def test_a_film_of_another_shape_has_a_surround(probe_file: Path) -> None:
    wide, own = CollectingSink(), CollectingSink()
    for inner, size in ((wide, (160, 90)), (own, None)):
        controls = StandingControls(background=0.5)
        film = FilmSink(inner, FilmFormat(size=size))
        show_sound(probe_file, song(0.2), clock=WallClock(), sinks=[CollectingSink(), film], controls=controls)  # type: ignore[list-item]
    assert wide.frames[-1].pixels_HWC.shape == (90, 160, 3)
    assert abs(wide.frames[-1].pixels_HWC[45, 2].astype(int) - 128).max() <= 2
    plain = show_sound(probe_file, song(0.2), clock=WallClock())
    assert np.array_equal(own.frames[-1].pixels_HWC, plain[-1].pixels_HWC), "a film of the model's own size has none"


def test_frames_count_all_sound_since_the_start(probe_file: Path) -> None:
    frames = show_sound(probe_file, song(1.02), clock=WallClock())
    position = 0
    for frame in frames:
        assert frame.first_sample == position
        position += len(frame.sound_TC)
