"""Models and states that came while a show ran come again at the same hops."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.errors import ModelFileError
from engine.core.stop_signals import IsStopped, never_stopped
from engine.model.backends.onnx_cpu import open_model
from engine.model.switcher import ModelSwitcher
from engine.takes.recorder import TakeRecorder
from engine.takes.replay import ReplayedControls, ReplayedFailures, TakeSource, read_take
from engine.takes.take_log import take_header
from tests.engine.app.shows import InventedClock, varied_sound
from tests.engine.model.probe_model import CARD
from tests.engine.model.switchers import Stage, write_wide
from tests.engine.takes.test_replay import write_different

RATE_HZ = 48000
HOPS = 100


def window(sound_TC: np.ndarray, index: int) -> np.ndarray:
    """Return the latest sound, resampled in the simplest way: every third sample of one channel."""
    resampled_T = sound_TC[: (index + 1) * 2400 : 3, 0]
    return np.concatenate([np.zeros(16000, np.float32), resampled_T])[-16000:]


@pytest.mark.parametrize("seed", range(3))
def test_swaps_and_states_are_replayed_bit_exact(tmp_path: Path, probe_file: Path, seed: int) -> None:
    other = write_different(tmp_path / "other.onnx")
    source = SampleSource("song", varied_sound(HOPS / 20, RATE_HZ), RATE_HZ)
    sound_TC, rng = varied_sound(HOPS / 20, RATE_HZ), random.Random(seed)
    store = ParameterStore(parameters_for(CARD), {"crossfade_s": 0.6})
    told: list[str] = []

    def open_it(path: str, is_stopped: IsStopped = never_stopped):
        return open_model(path, 1)

    switcher = ModelSwitcher(open_it(str(probe_file)), open_it, on_model=lambda card: store.replace_parameters(parameters_for(card)), clock=InventedClock(), window_samples=16000,
                path=str(probe_file), notify=told.append)  # fmt: skip
    header = take_header(switcher.backend, source, model=str(probe_file), date="today")
    take = TakeRecorder(tmp_path / "take", header, live=False, notify=pytest.fail)
    take.open()
    take.add_sound(sound_TC)
    shown, state = [], {}
    for index in range(HOPS):
        snapshot = store.take_snapshot(index)
        if index in (15, 55):
            switcher.swap_to(str(other if index == 15 else probe_file))
            assert switcher.wait_until_open(20)
        if index == 30:
            state = switcher.snapshot_state()
        if index == 45:
            switcher.restore_state(state)
        if rng.random() < 0.3:
            store.set("gain", rng.uniform(0, 4))
        shown.append(switcher.step(window(sound_TC, index), snapshot.values, index).pixels_HWC)
        take.note(index, 0, snapshot, False, switcher.show_events())
    take.close()
    assert told == []

    read = read_take(tmp_path / "take")
    again = ReplayedControls(read, TakeSource(read), parameters_for(CARD))

    def open_again(path: str, is_stopped: IsStopped = never_stopped) -> ReplayedFailures:
        return ReplayedFailures(open_it(path), again)

    player = ModelSwitcher(open_again(read.model), open_again, on_model=lambda card: again.replace_parameters(parameters_for(card)), clock=InventedClock(), window_samples=16000,
                  path=read.model, live=False, notify=pytest.fail)  # fmt: skip
    kinds = []
    for index in range(HOPS):
        snapshot = again.take_snapshot(index)
        for show_event in again.show_events(index):
            kinds.append(show_event["kind"])
            player.repeat(show_event)
        frame = player.step(window(sound_TC, index), snapshot.values, index)
        player.show_events()
        assert np.array_equal(frame.pixels_HWC, shown[index]), index
    assert kinds == ["model", "state", "model"]
    assert len({pixels_HWC.tobytes() for pixels_HWC in shown}) > 60


def test_a_take_of_another_file_is_not_repeated(probe_file: Path, tmp_path: Path) -> None:
    show_event = {
        "kind": "model",
        "model": write_wide(tmp_path),
        "graph_sha256": "0" * 64,
        "fade_hops": 4,
        "is_held": False,
    }
    with pytest.raises(ModelFileError, match="the take was made with 000000000000"):
        Stage(probe_file, live=False).switcher.repeat(show_event)
