"""Takes of earlier versions: read with their old keys, and replayed bit-exact with the sound as it was before it was cleaned."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.app.assembly import Modulators, assemble
from engine.app.replay_show import build_replay
from engine.audio.conditioning import Conditioner
from engine.audio.sources.samples import SampleSource
from engine.control.parameter import Value
from engine.control.parameter_store import ControlEvent, ParameterStore
from engine.control.parameter_table import parameters_for
from engine.model.backends.onnx_cpu import open_model
from engine.model.rest import RestingBackend
from engine.model.session import Session
from engine.render.play import play
from engine.render.steering import Steering
from engine.takes.former_sound import AT_REST_SINCE_VERSION, FormerCleaner, FormerConditioner, SteadyConditioner
from engine.takes.recorder import RecordedSource, TakeRecorder
from engine.takes.replay import ReplayedControls, TakeSource, read_take
from engine.takes.take_log import LOG, HopLine, take_header
from engine.takes.take_log_reading import read_header, read_lines
from tests.engine.app.shows import CollectingSink, InventedClock, varied_sound
from tests.engine.audio.test_conditioning import known
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.takes.test_replay import RATE_HZ, Show, live_show, replayed, stormy
from tests.engine.takes.test_replay_assembled import runtime

HASH = "0" * 64
VERSION_1 = f"""\
{{"take":{{"format_version":1,"date":"2025-01-31T20:15:00+0000","model":"water.onnx","card_name":"water","graph_sha256":"{HASH}",\
"sample_rate_hz":16000,"hop_samples":800,"source":"mic","source_rate_hz":48000,"source_channels":2,"seed":0,\
"backend":"onnx-cpu","description":"onnx-cpu, 2 threads","threads":null,"versions":{{"numpy":"2.0"}},"settings":{{"out":["null"]}},\
"mappings":{{"glow":"value"}}}}}}
{{"hop":0,"heard":2249,"values":{{"gain_db":0.0,"freeze":false,"seed":3}}}}
{{"hop":3,"heard":9600,"skipped":2,"failed":true,"gone":["freeze"],"events":[["scene",2]]}}
{{"hop":5,"heard":14400,"happenings":[{{"kind":"model","model":"other.onnx","graph_sha256":"{HASH}","state":\
{{"memory":{{"array":"{HASH}.npy"}}}},"fade_hops":40,"is_held":false}},{{"kind":"glide","seconds":2.0}}]}}
{{"hop":7,"heard":19200,"show_events":[{{"kind":"hold"}}]}}
{{"end":"the show is over","hop":7,"heard":19200}}
"""


def test_old_keys_are_read(tmp_path: Path) -> None:
    log = tmp_path / LOG
    log.write_text(VERSION_1)
    header = read_header(VERSION_1.splitlines()[0], log)
    assert (header.format_version, header.model, header.mappings) == (1, "water.onnx", {"glow": "value"})
    model = {"kind": "model", "model": "other.onnx", "graph_sha256": HASH, "fade_hops": 40, "is_held": False}
    assert list(read_lines(log)) == [
        HopLine(hop=0, received_samples=2249, values={"gain_db": 0.0, "freeze": False, "seed": 3}),
        HopLine(
            hop=3,
            received_samples=9600,
            skipped_hops=2,
            failed=True,
            removed=("freeze",),
            events=(ControlEvent("scene", 2),),
        ),
        HopLine(
            hop=5,
            received_samples=14400,
            show_events=(
                {**model, "state": {"memory": {"array": f"{HASH}.npy"}}},
                {"kind": "glide", "seconds": 2.0},
            ),
        ),
        HopLine(hop=7, received_samples=19200, show_events=({"kind": "hold"},)),
        HopLine(hop=7, received_samples=19200, end="the show is over"),
    ]


def write_as_version_1(log: Path) -> None:
    """Rewrite a log with the keys of version 1."""
    first, *rest = map(json.loads, log.read_text().splitlines())
    names = {"received_samples": "heard", "skipped_hops": "skipped", "removed": "gone", "show_events": "happenings"}
    first["take"] |= {"format_version": 1, "seed": 0}
    lines = [{names.get(name, name): value for name, value in line.items()} for line in rest]
    log.write_text("".join(json.dumps(line) + "\n" for line in (first, *lines)))


@pytest.mark.parametrize("seed", [0, 1])
def test_an_old_take_is_replayed_bit_exact(tmp_path: Path, probe_file: Path, seed: int) -> None:
    show = live_show(tmp_path, probe_file, seed, cleaner=FormerCleaner(RATE_HZ))
    show.play(stormy(show, seed))
    show.take.close()
    write_as_version_1(tmp_path / LOG)
    assert '"heard"' in (tmp_path / LOG).read_text()
    again = replayed(tmp_path)
    assert again.frames == show.frames
    assert again.events == show.events
    assert str(again.show_events) == str(show.show_events)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_a_take_of_version_2_is_replayed_with_its_offset_and_the_mean_of_its_channels(
    tmp_path: Path, probe_file: Path, channels: int
) -> None:
    sound_TC = 0.25 + 0.5 * varied_sound(0.5, CARD.sample_rate_hz, channels)
    sound_TC[100, 0] = np.nan
    backend = open_model(probe_file, 1)
    source = SampleSource("song", sound_TC, CARD.sample_rate_hz)
    header = replace(take_header(backend, source, model=str(probe_file), date="today"), format_version=2)
    recorder = TakeRecorder(tmp_path, header, live=False, notify=pytest.fail)
    recorder.open()
    Show(RecordedSource(source, recorder), backend, ParameterStore(parameters_for(CARD)), take=recorder).play()
    recorder.close()

    take = read_take(tmp_path)
    replayed_source, heard = TakeSource(take), list[np.ndarray]()
    store = ReplayedControls(take, replayed_source, parameters_for(CARD))
    replay = build_replay(
        take, replayed_source, backend, store, runtime(InventedClock(), False, []), lambda parts: ([], [])
    )
    feed = replay.show.capture.analyser.feed
    replay.show.capture.analyser.feed = lambda sound_T: (heard.append(sound_T), feed(sound_T))[1]  # type: ignore[method-assign]
    play(replay.show, threading.Event())

    sound_TC[100, 0] = 0.0
    expected_T = sound_TC[:, 0]
    for channel in range(1, channels):
        expected_T = expected_T + sound_TC[:, channel]
    expected_T = expected_T * np.float32(1.0 / channels)
    assert np.array_equal(np.concatenate(heard)[: len(expected_T)], expected_T)


@pytest.mark.parametrize("levels", [False, True])
def test_a_take_of_version_4_is_replayed_from_the_initial_state_with_the_gain_of_then(
    tmp_path: Path, levels: bool
) -> None:
    then = FormerConditioner(CARD.sample_rate_hz, CARD.hop_samples)
    shown = recorded_show(tmp_path, 4, then, levels)
    log = tmp_path / "take" / LOG
    text = log.read_text()
    assert '"conditioning"' in text
    log.write_text(text.replace('"conditioning"', '"auto_gain"'))
    assert then.gain_db != 0.0 if levels else then.gain_db == 0.0
    assert_replays(tmp_path / "take", shown)


@pytest.mark.parametrize("version", [5, 6])
def test_a_take_of_versions_5_and_6_is_replayed_with_the_emphasis_of_then(tmp_path: Path, version: int) -> None:
    then = SteadyConditioner(CARD.sample_rate_hz, CARD.hop_samples)
    shown = recorded_show(tmp_path / "then", version, then, True)
    assert_replays(tmp_path / "then" / "take", shown)
    now = recorded_show(tmp_path / "now", version, Conditioner(CARD.sample_rate_hz, CARD.hop_samples), True)
    assert any(not np.array_equal(a.pixels_HWC, b.pixels_HWC) for a, b in zip(shown.frames, now.frames, strict=True))


def recorded_show(folder: Path, version: int, conditioner: Conditioner, levels: bool) -> CollectingSink:
    """Play a show of such a version into the take `folder`/take, and return what it showed."""
    folder.mkdir(exist_ok=True)
    states = (replace(CARD.states[0], initial=1.0),)
    model = write_probe(folder / "model.onnx", replace(CARD, states=states), training_sound=known(-30.0))
    backend = open_model(model, 1)
    if version >= AT_REST_SINCE_VERSION:
        backend = RestingBackend(backend)
    source = SampleSource("song", varied_sound(2.0, CARD.sample_rate_hz), CARD.sample_rate_hz)
    header = replace(take_header(backend, source, model=str(model), date="today"), format_version=version)
    recorder = TakeRecorder(folder / "take", header, live=False, notify=pytest.fail)
    recorder.open()
    parameters = parameters_for(CARD)
    store, shown = ParameterStore(parameters, {"conditioning": levels, "gain_db": 3.0}), CollectingSink()
    steering = Steering(store=store, recorder=recorder)
    modulators, there = Modulators(parameters, {}, pytest.fail), runtime(InventedClock(), False, [])
    recorded = RecordedSource(source, recorder)
    show = assemble(recorded, Session(backend), [shown], steering, modulators, there, conditioner=conditioner)
    play(show, threading.Event())
    recorder.close()
    return shown


def assert_replays(folder: Path, shown: CollectingSink) -> None:
    take, again = read_take(folder), CollectingSink()
    source = TakeSource(take)
    store = ReplayedControls(take, source, parameters_for(CARD))
    there = runtime(InventedClock(), False, [])
    replay = build_replay(take, source, open_model(take.model, 1), store, there, lambda parts: ([again], []))
    play(replay.show, threading.Event())
    assert shown.frames
    assert all(
        np.array_equal(old.pixels_HWC, new.pixels_HWC) for old, new in zip(shown.frames, again.frames, strict=True)
    )


def test_a_take_from_before_soft_edges_is_replayed_without_them(tmp_path: Path, probe_file: Path) -> None:
    """Their default would change what a rendering at another size shows."""
    show = live_show(tmp_path, probe_file, 0)
    show.play()
    show.take.close()
    log = tmp_path / LOG
    assert first_values(tmp_path)["soft_edges"] is True
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        line.get("values", {}).pop("soft_edges", None)
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert first_values(tmp_path)["soft_edges"] is False


def first_values(folder: Path) -> Mapping[str, Value]:
    take = read_take(folder)
    return ReplayedControls(take, TakeSource(take), parameters_for(CARD)).take_snapshot(0).values
