"""Early steps in takes: the frames of the hops are those of a show without them, and a replay repeats each early frame."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session
from engine.output.frame import Frame
from engine.render.play import play
from engine.render.statistics import ShowStatistics
from engine.takes.recorder import RecordedSource, TakeRecorder
from engine.takes.replay import ReplayedControls, ReplayedFailures, TakeSource, read_take
from engine.takes.take_log import LOG, take_header
from engine.takes.take_log_reading import read_lines
from tests.engine.app.shows import CollectingSink, CollectingWindow, InventedClock, show_of
from tests.engine.model.probe_model import CARD

RATE_HZ = CARD.sample_rate_hz
CONTROLS = {"flash_guard": False, "conditioning": True, "gate_db": -50.0, "gain_db": -2.0, "low_gain_db": -6.0}


def clicks(seconds: float) -> NDArray[np.float32]:
    """Return quiet noise with a loud burst every 0.13 s, so that they begin at many places of a hop."""
    random = np.random.default_rng(3)
    sound_T = 0.01 * random.standard_normal(round(seconds * RATE_HZ))
    for begin in range(RATE_HZ // 5, len(sound_T) - 400, round(0.13 * RATE_HZ)):
        sound_T[begin : begin + 400] += random.uniform(-0.8, 0.8, 400)
    return sound_T[:, None].astype(np.float32)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, probe_file: Path) -> tuple[Path, list[Frame], list[Frame]]:
    """Play a show with early steps; return its take, its frames at the rate of the hop and its early frames in the window."""
    folder, stats = tmp_path_factory.mktemp("early"), ShowStatistics()
    source = PacedSource(SampleSource("song", clicks(1.6), RATE_HZ), WallClock())
    backend, store = open_model(probe_file, threads=1), ParameterStore(parameters_for(CARD), CONTROLS)
    take = TakeRecorder(folder, take_header(backend, source, model=str(probe_file), date="today"), live=True)
    take.open()
    sink, window = CollectingSink(), CollectingWindow(until=10**9)
    # By this clock steps take no time, so there is always room for one.
    show = show_of(
        RecordedSource(source, take), Session(backend), [sink], store=store, clock=InventedClock(), stats=stats,
        window=window, recorder=take, early_steps=True,
    )  # fmt: skip
    play(show, threading.Event())
    take.close()
    early_samples = [sample for line in read_lines(folder / LOG) for sample in line.early_samples]
    assert stats.early_steps == len(early_samples) > 0
    return folder, sink.frames, [frame for frame in window.frames if frame.is_early]


def replayed(folder: Path, model: Path, with_window: bool) -> tuple[list[Frame], list[Frame]]:
    """Replay a take; return the frames for a film and those in the window."""
    take = read_take(folder)
    source, sink, window = TakeSource(take), CollectingSink(), CollectingWindow(until=10**9)
    store = ReplayedControls(take, source, parameters_for(CARD))
    session = Session(ReplayedFailures(open_model(model, threads=1), store))
    # A window's own loop shows the newest frame and may miss one on a busy machine; as a sink, what it would show is given whole.
    sinks = [sink, window] if with_window else [sink]
    show = show_of(source, session, sinks, store=store, clock=InventedClock(), replay=store)
    play(show, threading.Event())
    return sink.frames, window.frames


def copy_with_log(folder: Path, to: Path, changed: Callable[[str], str]) -> None:
    """Copy a take, with each line of its log changed."""
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    lines = (folder / LOG).read_text().splitlines(keepends=True)
    (to / LOG).write_text("".join(map(changed, lines)))


def without_early_steps(line: str) -> str:
    fields = json.loads(line)
    fields.pop("early_samples", None)
    return json.dumps(fields) + "\n"


def same(one: list[Frame], other: list[Frame]) -> bool:
    return [(f.index, f.pixels_HWC.tobytes()) for f in one] == [(f.index, f.pixels_HWC.tobytes()) for f in other]


def test_a_film_has_the_frames_of_the_hops_alone(
    shown: tuple[Path, list[Frame], list[Frame]], probe_file: Path
) -> None:
    folder, frames, _ = shown
    film, _ = replayed(folder, probe_file, with_window=False)
    assert same(film, frames)
    assert not any(frame.is_early for frame in film)


def test_a_window_repeats_each_early_frame(shown: tuple[Path, list[Frame], list[Frame]], probe_file: Path) -> None:
    folder, frames, early = shown
    film, in_window = replayed(folder, probe_file, with_window=True)
    assert same(film, frames)
    assert same([frame for frame in in_window if not frame.is_early], frames)
    again = {round(frame.time_s * RATE_HZ): frame for frame in in_window if frame.is_early}
    assert sorted(again) == [sample for line in read_lines(folder / LOG) for sample in line.early_samples]
    # The window of the show shows the newest frame, so it may have missed one.
    for frame in early:
        assert np.array_equal(frame.pixels_HWC, again[round(frame.time_s * RATE_HZ)].pixels_HWC)


def test_the_frames_are_those_of_a_show_without_early_steps(
    shown: tuple[Path, list[Frame], list[Frame]], probe_file: Path, tmp_path: Path
) -> None:
    folder, frames, _ = shown
    copy_with_log(folder, tmp_path, without_early_steps)
    film, _ = replayed(tmp_path, probe_file, with_window=False)
    assert same(film, frames)


def test_early_steps_that_end_outside_their_hop_are_damage_and_left_out(
    shown: tuple[Path, list[Frame], list[Frame]], probe_file: Path, tmp_path: Path
) -> None:
    folder, frames, _ = shown
    copy_with_log(folder, tmp_path, with_ends_elsewhere)
    film, in_window = replayed(tmp_path, probe_file, with_window=True)
    assert same(film, frames)
    _, undamaged = replayed(folder, probe_file, with_window=True)
    assert same([frame for frame in in_window if frame.is_early], [frame for frame in undamaged if frame.is_early])


def with_ends_elsewhere(line: str) -> str:
    fields = json.loads(line)
    if "early_samples" in fields:
        fields["early_samples"] = [0, *fields["early_samples"], 10**9]
    return json.dumps(fields) + "\n"
