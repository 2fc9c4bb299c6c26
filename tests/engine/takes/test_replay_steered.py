"""What is steered beside parameters is recorded: playlist, models, mappings and inputs give the same frames in a replay."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from engine.app.config import LiveConfig
from engine.app.replay_show import build_replay
from engine.app.show_builder import build_from_source
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.audio.sources.switchable import SwitchableSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.scenes.playlist import PlaylistEntry
from engine.control.scenes.playlist_file import Order, write_order
from engine.control.scenes.scene_files import Scene, Scenes
from engine.core.notices import Notices
from engine.model.backends.onnx_cpu import open_model
from engine.output.frame import Frame
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from tests.engine.app.shows import CollectingSink, InventedClock, varied_sound
from tests.engine.model.probe_model import CARD
from tests.engine.model.switchers import OPEN_WITHIN_S, write_wide

RATE_HZ = 48000


class Steered:
    """A live show of a paced song, steered at chosen hops, and its replay."""

    def __init__(self, folder: Path, model: Path, seconds: float = 3.0, **values: object) -> None:
        self.folder, self.model = folder, model
        self.clock, self.told = InventedClock(), list[str]()
        self.store = ParameterStore(parameters_for(CARD), {"crossfade_s": 0.2, **values})
        song = PacedSource(SampleSource("song", varied_sound(seconds, RATE_HZ), RATE_HZ), self.clock)
        self.source = SwitchableSource(song)
        self.shown = CollectingSink()

    def runtime(self, live: bool) -> Runtime:
        return Runtime(clock=self.clock, statistics=ShowStatistics(), notices=Notices(self.told.append), live=live)

    def play(self, done_at: dict[int, object], mappings: dict[str, str] | None = None) -> list[Frame]:
        """Play the show; `done_at` says which call is made after which hop, with the show's controllers."""
        config = LiveConfig(
            model=str(self.model),
            backend="onnx-cpu",
            threads=1,
            scenes=str(self.folder / "scenes"),
            take=str(self.folder / "take"),
            mappings=mappings or {},
        )
        with ExitStack() as releasing:
            built = build_from_source(
                config,
                open_model(self.model, 1),
                self.source,
                self.store,
                self.runtime(True),
                lambda parts: ([self.shown], []),
                releasing,
            )

            def on_frame(frame: Frame) -> None:
                assert built.controllers.scene_controller.wait(OPEN_WITHIN_S)
                assert built.controllers.switcher.wait_until_open(OPEN_WITHIN_S)
                if call := done_at.get(frame.index):
                    call(built.controllers)

            self.shown.on_frame = on_frame
            play(built.show, threading.Event())
        return self.shown.frames

    def replay(self) -> list[Frame]:
        take, again = read_take(self.folder / "take"), CollectingSink()
        source = TakeSource(take)
        store = ReplayedControls(take, source, parameters_for(CARD))
        replay = build_replay(
            take, source, open_model(take.model, 1), store, self.runtime(False), lambda parts: ([again], [])
        )
        play(replay.show, threading.Event())
        return again.frames

    def assert_replayed(self) -> None:
        again = self.replay()
        assert [frame.index for frame in again] == [frame.index for frame in self.shown.frames]
        for old, new in zip(self.shown.frames, again, strict=True):
            assert old.values == new.values, old.index
            assert old.audio_features == new.audio_features, old.index
            assert np.array_equal(old.pixels_HWC, new.pixels_HWC), old.index


def test_a_playlist_is_replayed(tmp_path: Path, probe_file: Path) -> None:
    scenes = Scenes(tmp_path / "scenes")
    scenes.save(Scene(number=1, values={"zoom": 1.2}))
    scenes.save(Scene(number=2, model=write_wide(tmp_path), values={"strength": 0.7, "zoom": 1.8}))
    entries = (PlaylistEntry(1, 0.5, "seconds"), PlaylistEntry(2, 1, "bars"), PlaylistEntry(9, 0.5, "seconds"))
    write_order(scenes.folder, Order(playlist=entries))
    show = Steered(tmp_path, probe_file, 5.0, playlist=True, tempo_bpm=180.0)
    frames = show.play({60: lambda parts: show.store.set("next_scene", True)})
    assert next(line for line in show.told if "scene 9" in line).endswith("The playlist goes on with scene 1.")
    assert {"strength" in frame.values for frame in frames} == {True, False}
    assert max(frame.values["zoom"] for frame in frames) > 1.7
    show.assert_replayed()


def test_a_model_that_was_chosen_is_replayed(tmp_path: Path, probe_file: Path) -> None:
    wide = write_wide(tmp_path)
    show = Steered(tmp_path, probe_file)
    frames = show.play({
        8: lambda parts: parts.show_controller.ask(lambda: parts.switcher.swap_to(wide)),
        30: lambda parts: parts.show_controller.ask(lambda: parts.switcher.swap_to(str(probe_file))),
    })  # fmt: skip
    assert ["strength" in frame.values for frame in frames[::12]] == [False, True, True, False, False]
    show.assert_replayed()


def test_mappings_that_changed_are_replayed_also_those_of_a_model_that_came_at_that_moment(
    tmp_path: Path, probe_file: Path
) -> None:
    wide = write_wide(tmp_path)
    show = Steered(tmp_path, probe_file)

    def drive(parameter: str, expression: str) -> object:
        return lambda parts: parts.show_controller.ask(lambda: parts.show_controller.drive(parameter, expression))

    def drive_the_new_model(parts) -> None:
        assert parts.switcher.playing.name == "probe"
        drive("strength", "0.5 + onset")(parts)

    frames = show.play(
        {
            5: drive("zoom", "1.5 + 0.5 * onset"),
            12: lambda parts: parts.show_controller.ask(lambda: parts.switcher.swap_to(wide)),
            13: drive_the_new_model,
            25: drive("gain", "1.0"),
            30: drive("zoom", ""),
            40: drive("strength", "1.25"),
        },
        mappings={"glow": "0.3 * level"},
    )
    zooms = [frame.values["zoom"] for frame in frames]
    # What is asked for before hop 6 is done at its end.
    assert set(zooms[:7]) == set(zooms[32:]) == {1.0}
    assert min(zooms[7:32]) >= 1.5
    assert frames[-1].values["strength"] == 1.25
    # A parameter of the model that no longer plays.
    assert next(line for line in show.told if "gain" in line).endswith("The show goes on as it is.")
    assert max(frame.values["glow"] for frame in frames) > 0.0
    show.assert_replayed()


def test_an_input_that_was_changed_is_replayed(tmp_path: Path, probe_file: Path) -> None:
    show = Steered(tmp_path, probe_file)
    loud_TC = np.random.default_rng(9).uniform(-0.9, 0.9, (3 * 44100, 1)).astype(np.float32)
    other = PacedSource(SampleSource("other", loud_TC, 44100), show.clock)

    def change(parts) -> None:
        other.start()
        show.source.switch_to(other)

    frames = show.play({20: change})
    assert len(frames) > 60
    assert any(line == "The sound comes from other now." for line in show.told)
    assert frames[40].audio_features.high_rms > 2 * frames[15].audio_features.high_rms
    show.assert_replayed()
