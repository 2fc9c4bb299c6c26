"""A take of a show whose model had a parameter that its file no longer has: the frames are those of the show."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.app.config import LiveConfig
from engine.app.replay_show import build_replay
from engine.app.show_builder import build_from_source
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for, replayed_parameters
from engine.model.backends.onnx_cpu import open_model
from engine.render.play import play
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from tests.engine.app.shows import CollectingSink, InventedClock, varied_sound
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.takes.test_replay_assembled import runtime

RATE_HZ = 16000
FIXED = replace(CARD, controls=(), fixed_controls=CARD.controls)


def test_a_parameter_that_was_left_out_since_is_replayed_as_it_was(tmp_path: Path) -> None:
    model, clock, shown = write_probe(tmp_path / "probe.onnx"), InventedClock(), CollectingSink()
    config = LiveConfig(
        model=str(model), backend="onnx-cpu", take=str(tmp_path / "take"), mappings={"gain": "value * (0.5 + level)"}
    )
    source = PacedSource(SampleSource("song", varied_sound(1.0, RATE_HZ), RATE_HZ), clock)
    with ExitStack() as releasing:
        store = ParameterStore(parameters_for(CARD), {"gain": 3.0})
        live = runtime(clock, True, [])
        built = build_from_source(
            config, open_model(model, 1), source, store, live, lambda parts: ([shown], []), releasing
        )
        play(built.show, threading.Event())

    write_probe(model, FIXED)
    take, again, told = read_take(tmp_path / "take"), CollectingSink(), list[str]()
    again_source, backend = TakeSource(take), open_model(model, 1)
    controls = ReplayedControls(take, again_source, replayed_parameters(backend.card))
    replay = build_replay(
        take, again_source, backend, controls, runtime(clock, False, told), lambda parts: ([again], [])
    )
    play(replay.show, threading.Event())

    assert backend.card.controls == ()
    assert told == []
    assert len(again.frames) == len(shown.frames) == 20
    for old, new in zip(shown.frames, again.frames, strict=True):
        assert np.array_equal(old.pixels_HWC, new.pixels_HWC), old.index
    assert max(frame.values["gain"] for frame in again.frames) > 3.0
