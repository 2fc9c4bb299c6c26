"""A show whose beat follows a clock outside, with scenes that wait for the bar, and its take: the replay has the same beats and frames."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.app.replay_show import build_replay
from engine.app.show_builder import build_from_source
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.scenes.scene_files import Scene, Scenes
from engine.control.tempo.beat_follower import BeatFollower, FollowedSound
from engine.control.tempo.tempo_input import TempoPosition
from engine.model.backends.onnx_cpu import open_model
from engine.output.frame import Frame
from engine.render.play import play
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from engine.takes.take_log import LOG
from engine.takes.take_log_reading import read_lines
from tests.engine.app.shows import CollectingSink, InventedClock, varied_sound
from tests.engine.model.probe_model import CARD
from tests.engine.model.switchers import OPEN_WITHIN_S
from tests.engine.takes.test_replay_assembled import configuration, runtime

RATE_HZ = 48000
DONE_AT = {
    5: [("quantise", "bar"), ("crossfade_s", 0.0)],
    # In the middle of a bar.
    25: [("scene", 2)],
    60: [("tempo_source", "sound"), ("tap", 1)],
    70: [("tempo_source", "auto"), ("tap", 1), ("tempo_bpm", 93.0)],
    90: [("tempo_source", "sound")],
}
LOST_AT = range(50, 64)


class Sequencer:
    """A clock outside: it jumps and changes its tempo at set times."""

    name = "midi"

    def __init__(self, clock: InventedClock) -> None:
        self._begun_s = clock.now_s()
        self.is_there = True

    def position(self, now_s: float) -> TempoPosition | None:
        passed_s = now_s - self._begun_s
        bpm, shift = (120.0, 0.3) if passed_s < 2.0 else (131.7, 1.9)
        return TempoPosition(now_s, shift + passed_s * bpm / 60.0, bpm, True) if self.is_there else None


def test_the_beat_of_a_clock_outside_is_replayed_bit_exact(tmp_path: Path, probe_file: Path) -> None:
    clock, told = InventedClock(), list[str]()
    Scenes(tmp_path / "scenes").save(Scene(number=2, values={"zoom": 2.5}))
    store = ParameterStore(parameters_for(CARD))
    source = PacedSource(SampleSource("song", varied_sound(6.0, RATE_HZ), RATE_HZ), clock)
    shown, sequencer = CollectingSink(), Sequencer(clock)
    config = replace(
        configuration(tmp_path, probe_file), mappings={"glow": "value + 0.5 * beat", "brightness": "0.5 + bar"}
    )
    with ExitStack() as releasing:
        built = build_from_source(
            config,
            open_model(probe_file, 1),
            source,
            store,
            runtime(clock, True, told),
            lambda parts: ([shown], []),
            releasing,
        )
        capture = built.show.capture
        sound = FollowedSound(CARD.sample_rate_hz, capture.newest_sample, store.values, store.follow)
        follower = BeatFollower(sound, (sequencer,), clock)

        def on_frame(frame: Frame) -> None:
            assert built.controllers.scene_controller.wait(OPEN_WITHIN_S)
            for name, value in DONE_AT.get(frame.index, ()):
                store.set(name, value)
            sequencer.is_there = frame.index not in LOST_AT
            follower.attend(clock.now_s())

        shown.on_frame = on_frame
        play(built.show, threading.Event())

    recalled = next(frame for frame in shown.frames if frame.values["zoom"] == 2.5)
    before = shown.frames[shown.frames.index(recalled) - 1]
    assert recalled.index > 27
    # Features end with whole analysis frames of 4 ms, so the bar may begin within one of them.
    hop_beats, frame_beats = 0.1, 0.009
    since_bar = (recalled.audio_features.beats + frame_beats) % 4
    assert since_bar < hop_beats + frame_beats
    assert before.values["zoom"] == 1.0
    points = [point for line in read_lines(tmp_path / "take" / LOG) for point in line.beat_points]
    assert {round(point.bpm, 1) for point in points} == {120.0, 131.7, 0.0}
    assert len(points) < 20
    beats = [frame.audio_features.beats for frame in shown.frames]
    assert beats == sorted(beats)

    take = read_take(tmp_path / "take")
    again_source, again = TakeSource(take), CollectingSink()
    again_store = ReplayedControls(take, again_source, parameters_for(CARD))
    replay = build_replay(
        take, again_source, open_model(take.model, 1), again_store, runtime(clock, False, told), lambda _: ([again], [])
    )
    play(replay.show, threading.Event())
    assert len(again.frames) == len(shown.frames) > 100
    for old, new in zip(shown.frames, again.frames, strict=True):
        assert old.audio_features == new.audio_features, old.index
        assert old.values == new.values, old.index
        assert np.array_equal(old.pixels_HWC, new.pixels_HWC), old.index
