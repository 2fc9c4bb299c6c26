"""A show put together as run_live.py does, with scenes, another model and mappings, and its take put together as a replay."""

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
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.scenes.scene_files import Scene, Scenes
from engine.core.notices import Notices
from engine.model.backends.onnx_cpu import open_model
from engine.output.frame import Frame
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from tests.engine.app.shows import CollectingSink, InventedClock, varied_sound
from tests.engine.audio.test_conditioning import known
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.model.switchers import OPEN_WITHIN_S, write_wide

RATE_HZ = 48000
KNOWN = known(-20.0)
DONE_AT = {
    4: [("save_scene", 1), ("glow", 0.6)],
    9: [("scene", 2)],
    18: [("strength", 1.5), ("tap", 1), ("seed", 7)],
    26: [("tap", 1), ("conditioning", False), ("reset_on_bar", 1)],
    30: [("scene", 1)],
    38: [("freeze", True)],
    42: [("freeze", False), ("crossfade_s", 0.0), ("scene", 1)],
    48: [("smoothing_ms", 80.0), ("gain", 3.0), ("reset", 1), ("scene", 9)],
}


def runtime(clock: InventedClock, live: bool, told: list[str]) -> Runtime:
    return Runtime(clock=clock, statistics=ShowStatistics(), notices=Notices(told.append), live=live)


def configuration(folder: Path, model: Path) -> LiveConfig:
    return LiveConfig(
        model=str(model),
        backend="onnx-cpu",
        threads=1,
        scenes=str(folder / "scenes"),
        take=str(folder / "take"),
        mappings={"zoom": "value + 0.3 * onset", "glow": "value * feature(0)"},
    )


def test_scenes_models_and_mappings_are_replayed_bit_exact(tmp_path: Path) -> None:
    wide, clock, told = write_wide(tmp_path), InventedClock(), list[str]()
    first = write_probe(tmp_path / "first.onnx", training_sound=KNOWN)
    Scenes(tmp_path / "scenes").save(Scene(number=2, model=wide, values={"strength": 0.7, "zoom": 1.5}))
    store = ParameterStore(parameters_for(CARD), {"crossfade_s": 0.3})
    source = PacedSource(SampleSource("song", varied_sound(3.0, RATE_HZ), RATE_HZ), clock)
    shown = CollectingSink()
    with ExitStack() as releasing:
        built = build_from_source(
            configuration(tmp_path, first),
            open_model(first, 1),
            source,
            store,
            runtime(clock, True, told),
            lambda parts: ([shown], []),
            releasing,
        )

        def on_frame(frame: Frame) -> None:
            assert built.controllers.scene_controller.wait(OPEN_WITHIN_S)
            assert built.controllers.switcher.wait_until_open(OPEN_WITHIN_S)
            for name, value in DONE_AT.get(frame.index, ()):
                store.set(name, value)
            if frame.index == 33:
                clock.sleep(0.12)

        shown.on_frame = on_frame
        play(built.show, threading.Event())
    assert told[0].startswith("take ")
    assert told[1].startswith("Scene 1 is saved in ")
    assert told[-1].startswith("There is no scene 9 in ")

    # The first model was moved after the show; a scene had recalled it, too.
    moved = first.rename(tmp_path / "moved.onnx")
    take, told = read_take(tmp_path / "take", str(moved)), list[str]()
    again_source, again = TakeSource(take), CollectingSink()
    again_store = ReplayedControls(take, again_source, parameters_for(CARD))
    replay = build_replay(
        take,
        again_source,
        open_model(take.model, 1),
        again_store,
        runtime(clock, False, told),
        lambda parts: ([again], []),
    )
    play(replay.show, threading.Event())

    assert told == []
    assert [frame.index for frame in again.frames] == [frame.index for frame in shown.frames]
    assert any(frame.skipped_hops for frame in shown.frames)
    assert {"strength" in frame.values for frame in shown.frames} == {True, False}
    for old, new in zip(shown.frames, again.frames, strict=True):
        assert old.values == new.values, old.index
        assert old.audio_features == new.audio_features
        assert np.array_equal(old.pixels_HWC, new.pixels_HWC), old.index
