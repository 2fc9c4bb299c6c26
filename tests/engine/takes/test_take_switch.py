"""Takes that begin and end while a show plays: the model's frames are those of the show, from the first hop of the take on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.app.config import LiveConfig
from engine.app.replay_show import build_replay
from engine.app.show_builder import build_from_source
from engine.audio.conditioning import GainHistory
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ControlSnapshot, ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.scenes.scene_files import Scene, Scenes
from engine.core.fit import cover
from engine.core.notices import Notices
from engine.model.backends.onnx_cpu import open_model
from engine.model.backends.selection import open_backend
from engine.model.swap import state_event
from engine.output.frame import Frame
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from engine.takes.recorder import TakeRecorder
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from engine.takes.take_log import LOG, TakeHeader, take_header
from engine.takes.take_log_reading import read_lines
from engine.takes.take_switch import WAITS, Moment, TakeSwitch
from tests.engine.app.shows import CollectingSink, InventedClock, varied_sound
from tests.engine.audio.test_conditioning import known
from tests.engine.model.layered_probe import write_layered_probe
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.model.switchers import OPEN_WITHIN_S, write_wide

Done = Mapping[int, list[tuple[str, float]]]
"""What is set after a hop."""


class Stage:
    """A show of invented time, and what it told."""

    def __init__(self, folder: Path, rate_hz: int, seconds: float, **settings: str) -> None:
        self.folder, self.rate_hz, self.seconds = folder, rate_hz, seconds
        self.model = write_probe(folder / "probe.onnx", training_sound=known(-20.0))
        places = {"scenes": str(folder / "scenes"), "takes": str(folder / "takes"), **settings}
        self.config = LiveConfig(model=str(self.model), backend="onnx-cpu", threads=1, **places)
        self.told: list[str] = []
        self.clock = InventedClock()
        self.recording: dict[int, bool] = {}

    # The flash guard remembers the seconds before, and a replay begins without them.
    def play(self, done: Done, on_frame: Callable[[Frame], None] = lambda frame: None) -> list[Frame]:
        store = ParameterStore(parameters_for(CARD), {"record_take": bool(self.config.take), "flash_guard": False})
        song = SampleSource("song", varied_sound(self.seconds, self.rate_hz), self.rate_hz)
        shown = CollectingSink()
        with ExitStack() as releasing:
            built = build_from_source(
                self.config,
                open_model(self.model, 1),
                PacedSource(song, self.clock),
                store,
                self._runtime(True),
                lambda parts: ([shown], []),
                releasing,
            )

            def act(frame: Frame) -> None:
                assert built.controllers.scene_controller.wait(OPEN_WITHIN_S)
                assert built.controllers.switcher.wait_until_open(OPEN_WITHIN_S)
                assert built.show.recorder
                self.recording[frame.index] = built.show.recorder.is_recording
                for name, value in done.get(frame.index, ()):
                    store.set(name, value)
                on_frame(frame)

            shown.on_frame = act
            play(built.show, threading.Event())
        return shown.frames

    def replay(self, folder: Path) -> list[Frame]:
        take = read_take(folder)
        source, again = TakeSource(take), CollectingSink()
        store = ReplayedControls(take, source, parameters_for(CARD))
        backend = open_backend(take.model, "onnx-cpu", 1)
        replay = build_replay(take, source, backend, store, self._runtime(False), lambda parts: ([again], []))
        play(replay.show, threading.Event())
        return again.frames

    def takes(self) -> list[Path]:
        return sorted((self.folder / "takes").iterdir())

    def _runtime(self, live: bool) -> Runtime:
        statistics, notices = ShowStatistics(), Notices(self.told.append)
        return Runtime(clock=self.clock, statistics=statistics, notices=notices, live=live)


def assert_same(shown: list[Frame], again: list[Frame], first_hop: int) -> None:
    """Check that a replay gives the frames of the show from `first_hop` on."""
    by_hop = {frame.index - first_hop: frame for frame in shown}
    assert again
    for new in again:
        old = by_hop[new.index]
        assert np.array_equal(old.features_F, new.features_F), old.index
        assert np.array_equal(old.pixels_HWC, new.pixels_HWC), old.index
        assert np.array_equal(old.sound_TC, new.sound_TC), old.index
        assert old.given_values["gain_db"] == new.given_values["gain_db"]
    assert len({frame.pixels_HWC.tobytes() for frame in again}) > 5


def assert_same_but_for_the_size(shown: list[Frame], again: list[Frame], first_hop: int) -> None:
    """Check that a replay gives the frames of a show that began with a model of another size."""
    by_hop = {frame.index - first_hop: frame for frame in shown}
    assert len(again) > 5
    for new in again:
        old = by_hop[new.index]
        assert np.array_equal(old.features_F, new.features_F), old.index
        height, width = old.pixels_HWC.shape[:2]
        assert np.array_equal(old.pixels_HWC, cover(new.pixels_HWC, width, height)), old.index
    assert len({frame.pixels_HWC.tobytes() for frame in again}) > 5


@pytest.mark.parametrize("rate_hz", [48000, 44100, 16000])
def test_the_models_frames_of_a_take_from_the_middle_are_those_of_the_show(tmp_path: Path, rate_hz: int) -> None:
    stage = Stage(tmp_path, rate_hz, 17.0)
    done = {
        5: [("tap", 1), ("gain_db", 3.0), ("idle", 0.3), ("seed", 5)],
        10: [("reset", 1), ("reset_on_bar", 1)],
        279: [("record_take", True)],
        290: [("gain", 2.0), ("tap", 1)],
        300: [("reset", 1), ("gain_db", -2.0)],
        330: [("record_take", False)],
    }

    def busy(frame: Frame) -> None:
        if frame.index == 310:
            stage.clock.sleep(0.17)

    shown = stage.play(done, busy)
    (folder,) = stage.takes()
    take = read_take(folder)
    assert (take.header.earlier_hops, take.ending) == (281, "record_take was switched off")
    # The lead-in is cut off: all sound since the start would be 14 s.
    assert 10.0 < take.header.lead_in_samples / rate_hz < 13.0
    again = stage.replay(folder)
    assert [again[0].index, again[-1].index + 281] == [0, 330]
    assert any(frame.skipped_hops for frame in again)
    assert_same(shown, again, 281)
    assert [line for line in stage.told if "take" in line] == [f"take     {folder}", f"The take {folder} has ended."]
    assert [stage.recording[hop] for hop in (280, 281, 330, 331)] == [False, True, True, False]


def test_a_take_of_the_start_ends_and_others_follow(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 48000, 4.0, take=str(tmp_path / "friday"))
    off, on = ("record_take", False), ("record_take", True)
    shown = stage.play({20: [off], 30: [on], 40: [off], 45: [on]})
    assert_same(shown, stage.replay(tmp_path / "friday"), 0)
    assert read_take(tmp_path / "friday").hops == 21
    second, third = stage.takes()
    assert second.name.startswith("take-20")
    assert [read_take(folder).header.earlier_hops for folder in (second, third)] == [32, 47]
    assert_same(shown, stage.replay(second), 32)
    assert_same(shown, stage.replay(third), 47)
    assert read_take(third).ending == "the show is over"


def test_a_take_waits_for_the_end_of_a_crossfade_and_of_freeze(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 48000, 4.0)
    Scenes(tmp_path / "scenes").save(Scene(number=2, model=write_wide(tmp_path), values={}))
    done = {
        9: [("crossfade_s", 0.4), ("scene", 2)],
        13: [("record_take", True)],
        30: [("record_take", False), ("freeze", True)],
        32: [("record_take", True)],
        40: [("freeze", False)],
        55: [("crossfade_s", 0.2), ("scene", 2)],
    }
    shown = stage.play(done)
    first, second = stage.takes()
    begun = read_take(first).header.earlier_hops
    assert 17 < begun < 24
    assert read_take(first).header.card_name == "wide"
    assert read_take(second).header.earlier_hops == 42
    assert stage.told.count(WAITS) == 2
    # The show's frames are the new model's, fitted into the size of the first one.
    assert_same_but_for_the_size(shown, stage.replay(first), begun)
    # Until the crossfade: what is blended before it is fitted is rounded another way.
    assert_same_but_for_the_size(shown, stage.replay(second)[:14], 42)


def test_a_take_of_a_layered_model_has_the_frames_of_the_show(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 48000, 2.0)
    layered = write_layered_probe(tmp_path / "layered.onnx")
    Scenes(tmp_path / "scenes").save(Scene(number=2, model=str(layered), values={}))
    shown = stage.play({3: [("crossfade_s", 0.1), ("scene", 2)], 20: [("record_take", True)]})
    (folder,) = stage.takes()
    assert (read_take(folder).header.card_name, read_take(folder).header.earlier_hops) == ("layered probe", 22)
    assert_same_but_for_the_size(shown, stage.replay(folder), 22)


def test_a_reset_on_the_bar_comes_in_the_replay_where_it_came_in_the_show(tmp_path: Path) -> None:
    """One is asked for before the take and one within it; the beat of the replay has other bars."""
    stage = Stage(tmp_path, 48000, 6.0)
    done = {
        0: [("tempo_bpm", 120.0)],
        47: [("reset_on_bar", 1)],
        50: [("record_take", True)],
        90: [("reset_on_bar", 1)],
    }
    shown = stage.play(done)
    (folder,) = stage.takes()
    _, waited, within = [line.hop + 52 for line in read_lines(folder / LOG) if "reset" in line.values]
    assert 53 < waited < 90
    assert within == waited + 40
    assert_same(shown, stage.replay(folder), 52)


def test_the_input_trim_of_the_first_hop_holds_for_what_was_heard_before(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 48000, 3.0)
    shown = stage.play({1: [("low_gain_db", 12.0), ("high_gain_db", -9.0)], 40: [("record_take", True)]})
    (folder,) = stage.takes()
    by_hop = {frame.index - 42: frame for frame in shown}
    again = stage.replay(folder)
    assert again[0].index == 0
    for new in again:
        old = by_hop[new.index]
        np.testing.assert_allclose(new.features_F, old.features_F, rtol=1e-5, err_msg=str(old.index))
        assert np.abs(old.pixels_HWC.astype(int) - new.pixels_HWC).max() <= 1, old.index


def test_no_take_begins_with_a_hop_whose_sound_is_gone(tmp_path: Path) -> None:
    """After a stall of the step thread: the sound goes on meanwhile, and the newest seconds alone are kept."""
    model = write_probe(tmp_path / "probe.onnx")
    source = SampleSource("song", varied_sound(0.1, CARD.sample_rate_hz), CARD.sample_rate_hz)
    header = take_header(open_model(model, 1), source, model=str(model), date="today")
    block_TC = np.zeros((CARD.hop_samples, source.channels), np.float32)
    on = ControlSnapshot({"record_take": True}, ())
    begun: list[int] = []

    def make_take(header: TakeHeader, gain_curve_T: NDArray[np.float32] | None) -> TakeRecorder:
        begun.append(header.earlier_hops)
        return TakeRecorder(tmp_path / "take", header, live=True)

    moment = Moment(header=header, state=state_event({}), gain=GainHistory())
    switch = TakeSwitch(source.rate_hz, lambda: moment, make_take, lambda line: None)
    switch.add_sound(block_TC)
    switch.note(0, 0, on)
    for _ in range(300):
        switch.add_sound(block_TC)
    switch.note(300, 299, on)
    assert begun == []
    switch.add_sound(block_TC)
    switch.note(301, 0, on)
    switch.close()
    assert begun == [301]


def test_a_take_that_has_to_wait_for_long_says_so_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, 48000, 2.0)
    reset = ("reset", 1)
    shown = stage.play({10: [("record_take", True)], **{hop: [reset] for hop in range(11, 20)}})
    (folder,) = stage.takes()
    begun = read_take(folder).header.earlier_hops
    assert begun == 21
    assert stage.told.count(WAITS) == 1
    assert_same(shown, stage.replay(folder), begun)


def test_a_folder_that_cannot_be_written_costs_a_line_and_not_the_show(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stage = Stage(tmp_path, 48000, 2.0, takes=str(tmp_path / "file" / "takes"))
    shown = stage.play({5: [("record_take", True)]})
    assert len(shown) == 40
    (line,) = stage.told
    assert line.startswith("Cannot write a take to ")
    assert line.endswith("Not a directory; choose another folder with --take or --takes.")
    assert not stage.recording[39]
