"""Layered models in a show: crossfades with plain ones, effects over composed frames, and a replay to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.audio.features.audio_features import SILENCE
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.stop_signals import IsStopped, never_stopped
from engine.model.backends.selection import open_backend
from engine.model.switcher import ModelSwitcher
from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import effect_parameters
from engine.takes.recorder import TakeRecorder
from engine.takes.replay import ReplayedControls, ReplayedFailures, TakeSource, read_take
from engine.takes.take_log import take_header
from tests.engine.app.shows import InventedClock, varied_sound
from tests.engine.model.layered_probe import CARD, HEIGHT, WIDTH, write_layered_probe
from tests.engine.output.window.test_gl_window import frame_of
from tests.engine.takes.test_replay_switcher import RATE_HZ, window

HOPS = 50


def open_it(path: str, is_stopped: IsStopped = never_stopped):
    return open_backend(path, "onnx-cpu", 1)


def test_a_show_of_a_layered_and_a_plain_model_is_replayed_bit_exact(tmp_path: Path, probe_file: Path) -> None:
    layered = write_layered_probe(tmp_path / "layered.onnx")
    sound_TC = varied_sound(HOPS / 20, RATE_HZ)
    source = SampleSource("song", sound_TC, RATE_HZ)
    store = ParameterStore(parameters_for(CARD), {"crossfade_s": 0.4})
    switcher = ModelSwitcher(open_it(str(layered)), open_it, on_model=lambda card: store.replace_parameters(parameters_for(card)), clock=InventedClock(), window_samples=16000,
                path=str(layered), notify=pytest.fail)  # fmt: skip
    take = TakeRecorder(tmp_path / "take", take_header(switcher.backend, source, model=str(layered), date="today"), live=False, notify=pytest.fail)  # fmt: skip
    take.open()
    take.add_sound(sound_TC)
    shown = []
    for index in range(HOPS):
        if index in (10, 30):
            switcher.swap_to(str(probe_file if index == 10 else layered))
            assert switcher.wait_until_open(20)
        snapshot = store.take_snapshot(index)
        shown.append(switcher.step(window(sound_TC, index), snapshot.values, index))
        take.note(index, 0, snapshot, False, switcher.show_events())
    take.close()
    composed = [index for index, frame in enumerate(shown) if frame.layers is not None]
    assert composed == [*range(11), *range(39, HOPS)]
    assert {frame.pixels_HWC.shape for frame in shown} == {(HEIGHT, WIDTH, 3)}

    read = read_take(tmp_path / "take")
    again = ReplayedControls(read, TakeSource(read), parameters_for(CARD))
    player = ModelSwitcher(ReplayedFailures(open_it(read.model), again), lambda path, is_stopped: ReplayedFailures(open_it(path), again), on_model=lambda card: again.replace_parameters(parameters_for(card)), clock=InventedClock(), window_samples=16000,
                  path=read.model, live=False, notify=pytest.fail)  # fmt: skip
    for index in range(HOPS):
        snapshot = again.take_snapshot(index)
        for show_event in again.show_events(index):
            player.repeat(show_event)
        frame = player.step(window(sound_TC, index), snapshot.values, index)
        assert np.array_equal(frame.pixels_HWC, shown[index].pixels_HWC), index
    assert len({frame.pixels_HWC.tobytes() for frame in shown}) > 40


def test_effects_leave_a_frame_that_is_drawn_as_it_is(tmp_path: Path) -> None:
    switcher = ModelSwitcher(open_it(str(write_layered_probe(tmp_path / "layered.onnx"))), open_it, on_model=lambda card: None, clock=InventedClock(), window_samples=16000)  # fmt: skip
    shown = switcher.step(np.zeros(16000, np.float32), {}, 0)
    frame = frame_of(shown.pixels_HWC, layers=shown.layers)
    values = {parameter.name: parameter.default for parameter in parameters_for(CARD)}
    still = effect_parameters(values, SILENCE)
    turned = effect_parameters({**values, "colour_turn": 0.3}, SILENCE)
    assert frame.with_pixels(EffectChain().apply(frame.pixels_HWC, still, 0.0)).layers is frame.layers
    assert frame.with_pixels(EffectChain().apply(frame.pixels_HWC, turned, 0.0)).layers is None
