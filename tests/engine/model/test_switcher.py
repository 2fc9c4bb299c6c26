"""Hot swaps, crossfades and states, with real model files."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import BackendError, ConfigError
from engine.core.fit import cover
from engine.model.backend import Backend
from engine.model.backends.onnx_cpu import open_model
from engine.model.crossfade import CrossfadePlan, mix_light
from engine.model.session import Session
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.model.switchers import Stage, other_card, window, write_wide


@pytest.fixture
def wide(tmp_path: Path) -> str:
    return write_wide(tmp_path)


def alone(path: str | Path, hops: range, **controls: float | int | bool) -> list[np.ndarray]:
    """Return what a session of its own shows."""
    session = Session(open_model(path, 1))
    return [session.step(window(k)[-CARD.window_samples :], controls, k).pixels_HWC for k in hops]


def share(passed_hops: int) -> float:
    """Return the share of the new frame in the crossfades of these tests, which take four hops."""
    return CrossfadePlan(4, False).share(passed_hops)


def same(frames: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(frames) == len(others) and all(map(np.array_equal, frames, others))


def test_without_a_swap_a_switcher_plays_as_a_session_does(probe_file: Path) -> None:
    stage = Stage(probe_file, gain=1.5)
    assert same(stage.play(0, 6), alone(probe_file, range(6), gain=1.5))
    assert stage.switcher.card == stage.switcher.playing == CARD
    assert stage.switcher.show_events() == ()


def test_a_swap_crossfades_while_both_models_play(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file)
    stage.play(0, 5)
    stage.swap(wide, 5)
    frames = stage.play(6, 13)
    old = alone(probe_file, range(13))[6:]
    new = [cover(pixels_HWC, CARD.width, CARD.height) for pixels_HWC in alone(wide, range(6, 13))]
    assert same(frames[:4], [mix_light(old[k], new[k], share(k)) for k in range(4)])
    assert same(frames[4:], new[4:])
    assert not stage.switcher.is_crossfading
    assert (stage.switcher.playing.name, stage.switcher.card.name) == ("wide", "probe")
    assert stage.told == []


def test_every_frame_has_the_size_of_the_show(probe_file: Path, wide: str) -> None:
    stage = Stage(Path(wide))
    stage.play(0, 2)
    stage.swap(probe_file, 2)
    assert {image.shape for image in stage.play(3, 10)} == {(24, 48, 3)}


def test_the_store_gets_the_new_controls_at_the_swap_and_the_old_model_keeps_its_values(
    probe_file: Path, wide: str
) -> None:
    stage = Stage(probe_file, gain=3.0)
    stage.play(0, 2)
    stage.swap(wide, 2)
    assert "gain" not in stage.store.values()
    assert stage.store.values()["strength"] == 2.0
    stage.store.set("strength", 1.25)
    stage.play(3, 8)
    old, new = stage.opened[probe_file.name], stage.opened["wide.onnx"]
    assert {given["gain"] for given in old.controls} == {3.0}
    assert {given["strength"] for given in new.controls[-5:]} == {1.25}


def test_without_a_crossfade_it_is_a_cut(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file, crossfade_s=0.0)
    stage.play(0, 2)
    stage.swap(wide, 2)
    steps = stage.opened[probe_file.name].steps
    new = [cover(pixels_HWC, CARD.width, CARD.height) for pixels_HWC in alone(wide, range(3, 6))]
    assert same(stage.play(3, 6), new)
    assert stage.opened[probe_file.name].steps == steps


def damaged(folder: Path) -> Path:
    path = write_probe(folder / "damaged.onnx")
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "missing.onnx", "There is no model file"),
        (damaged, "damaged"),
        (lambda folder: write_probe(folder / "slow.onnx", other_card(hop_samples=400)), "the show runs at 800 samples"),
        (lambda folder: write_probe(folder / "other.onnx", other_card(sample_rate_hz=8000)), "at 8000 Hz"),
        (
            lambda folder: write_probe(folder / "long.onnx", other_card(window_samples=20000)),
            "needs a window of 20000 samples",
        ),
        (lambda folder: folder, "is a folder, not a file"),
    ],
)
def test_a_model_that_cannot_be_played_costs_a_notice(probe_file, tmp_path, make, sentence) -> None:
    stage = Stage(probe_file)
    stage.play(0, 3)
    stage.swap(make(tmp_path), 3)
    assert same(stage.play(4, 8), alone(probe_file, range(8))[4:])
    assert len(stage.told) == 1
    assert sentence in stage.told[0]
    assert stage.told[0].endswith("probe keeps playing.")
    assert "gain" in stage.store.values()


def test_a_failure_in_the_loading_thread_does_not_end_the_show(probe_file: Path) -> None:
    stage = Stage(probe_file)

    def open_without_memory(path: str) -> Backend:
        raise MemoryError

    stage.open_model = open_without_memory
    stage.swap("big.onnx", 0)
    assert "too little memory" in stage.told[0]


def test_the_last_request_counts(probe_file: Path, wide: str, tmp_path: Path) -> None:
    stage = Stage(probe_file)
    stage.switcher.swap_to(str(tmp_path / "missing.onnx"))
    stage.swap(wide, 0)
    stage.play(1, 8)
    assert stage.switcher.playing.name == "wide"
    assert stage.told == []


def test_models_are_loaded_one_at_a_time_however_many_are_requested(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file)
    loading, most, let_go = [], [], threading.Event()
    open_one = stage.open_model

    def open_slowly(path: str):
        loading.append(path)
        most.append(len(loading))
        assert let_go.wait(60.0)
        loading.remove(path)
        return open_one(path)

    stage.open_model = open_slowly
    for _ in range(20):
        stage.switcher.swap_to(str(probe_file))
    stage.switcher.swap_to(wide)
    stage.play(0, 2)
    let_go.set()
    assert stage.switcher.wait_until_open(60.0)
    stage.play(2, 9)
    assert stage.switcher.playing.name == "wide"
    assert most == [1, 1]


def test_a_cancelled_model_does_not_play(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file)
    stage.play(0, 2)
    stage.swap(wide, 2)
    stage.switcher.cancel_pending()
    assert same(stage.play(3, 5), alone(probe_file, range(5))[3:])
    assert "gain" in stage.store.values()


def test_where_two_steps_do_not_fit_the_old_frame_is_held(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file)
    stage.step_s["wide.onnx"] = 0.03
    stage.opened[probe_file.name].step_s = 0.03
    last = stage.play(0, 3)[-1]
    stage.swap(wide, 3)
    old = stage.opened[probe_file.name]
    steps, last = old.steps, alone(probe_file, range(4))[3]
    new = [cover(pixels_HWC, CARD.width, CARD.height) for pixels_HWC in alone(wide, range(4, 10))]
    assert same(stage.play(4, 10)[:3], [mix_light(last, new[k], share(k)) for k in range(3)])
    assert old.steps == steps


def test_offline_two_steps_always_fit(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file, live=False)
    stage.step_s["wide.onnx"] = 1.0
    stage.play(0, 3)
    stage.switcher.swap_to(wide)
    steps = stage.opened[probe_file.name].steps
    stage.play(3, 10)
    assert stage.opened[probe_file.name].steps == steps + 4


def test_a_hop_lost_during_a_crossfade_stops_the_old_model(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file)
    stage.play(0, 3)
    stage.swap(wide, 3)
    stage.play(4, 6)
    steps = stage.opened[probe_file.name].steps
    stage.play(7, 12)
    assert stage.opened[probe_file.name].steps == steps


def test_when_a_new_model_fails_the_old_one_plays_again(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file, gain=2.0)
    stage.play(0, 3)
    stage.swap(wide, 3)
    stage.play(4, 6)
    stage.opened["wide.onnx"].fails = True
    assert same(stage.play(6, 7), alone(probe_file, range(7), gain=2.0)[6:])
    assert stage.told == ["wide: the step failed. probe keeps playing."]
    assert stage.switcher.playing.name == "probe"
    assert "gain" in stage.store.values()


def test_a_cut_to_a_model_that_fails_loses_no_frame(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file, crossfade_s=0.0, gain=2.0)
    stage.play(0, 3)
    stage.swap(wide, 3)
    stage.opened["wide.onnx"].fails = True
    assert same(stage.play(4, 5), alone(probe_file, range(5), gain=2.0)[4:])


def test_when_the_old_model_fails_its_last_frame_fades_out(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file)
    stage.play(0, 3)
    stage.swap(wide, 3)
    stage.play(4, 5)
    stage.opened[probe_file.name].fails = True
    last = alone(probe_file, range(5))[-1]
    new = [cover(pixels_HWC, CARD.width, CARD.height) for pixels_HWC in alone(wide, range(4, 9))]
    assert same(stage.play(5, 6), [mix_light(last, new[1], share(1))])
    assert same(stage.play(6, 9)[-1:], new[-1:])
    assert stage.switcher.playing.name == "wide"


def test_a_failing_step_outside_a_crossfade_reaches_the_step_loop(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file)
    last = stage.play(0, 2)[-1]
    stage.opened[probe_file.name].fails = True
    with pytest.raises(BackendError):
        stage.play(2, 3)
    assert np.array_equal(stage.switcher.held(stage.store.values()).pixels_HWC, last)
    stage.switcher.swap_to(wide)
    assert stage.switcher.wait_until_open(60.0)
    stage.switcher.held(stage.store.values())
    assert stage.play(4, 12)[-1].any()
    assert stage.switcher.playing.name == "wide"


def test_a_second_swap_during_a_crossfade_starts_from_the_mixed_frame(
    probe_file: Path, wide: str, tmp_path: Path
) -> None:
    third = write_probe(tmp_path / "third.onnx", replace(CARD, name="third", window_samples=1600))
    stage = Stage(probe_file)
    stage.play(0, 3)
    stage.swap(wide, 3)
    stage.switcher.swap_to(str(third))
    assert stage.switcher.wait_until_open(60.0)
    seen = stage.play(4, 5)[0]
    assert np.array_equal(stage.play(5, 6)[0], mix_light(seen, alone_at(third, 5), share(0)))
    stage.play(6, 12)
    assert stage.switcher.playing.name == "third"


def alone_at(path: Path, index: int) -> np.ndarray:
    backend = open_model(path, 1)
    return Session(backend).step(window(index)[-backend.card.window_samples :], {}, index).pixels_HWC


def test_before_the_first_frame_there_is_no_crossfade(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file, live=False)
    stage.switcher.swap_to(wide)
    new = [cover(pixels_HWC, CARD.width, CARD.height) for pixels_HWC in alone(wide, range(3))]
    assert same(stage.play(0, 3), new)


def test_a_state_is_saved_and_restored(probe_file: Path) -> None:
    stage = Stage(probe_file, crossfade_s=0.0)
    stage.play(0, 4)
    kept = stage.switcher.snapshot_state()
    expected = stage.play(4, 7)
    stage.play(7, 10)
    stage.switcher.restore_state(kept)
    assert same(stage.play(4, 7), expected)


def test_a_restored_state_is_crossfaded_to(probe_file: Path) -> None:
    stage = Stage(probe_file)
    kept = {"memory": np.full(1, 3.0, np.float32)}
    stage.play(0, 3)
    stage.switcher.restore_state(kept)
    going_on = alone(probe_file, range(8))[3:]
    stage_of_its_own = Stage(probe_file, crossfade_s=0.0)
    stage_of_its_own.switcher.restore_state(kept)
    restored = stage_of_its_own.play(3, 8)
    assert same(stage.play(3, 8)[:4], [mix_light(going_on[k], restored[k], share(k)) for k in range(4)])


def test_a_saved_state_is_not_changed_by_the_show(probe_file: Path) -> None:
    stage = Stage(probe_file)
    stage.play(0, 3)
    kept = stage.switcher.snapshot_state()
    before = {name: values.copy() for name, values in kept.items()}
    stage.switcher.restore_state(kept)
    stage.play(3, 9)
    assert all(np.array_equal(kept[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({}, "lacks 'memory'"),
        ({"memory": np.zeros(1, np.float32), "more": np.zeros(1, np.float32)}, "has an unknown 'more'"),
        ({"memory": np.zeros(2, np.float32)}, r"float32 \[1\] was expected"),
        ({"memory": np.zeros(1)}, "is float64"),
        ({"memory": np.full(1, np.nan, np.float32)}, "not finite"),
    ],
)
def test_a_state_of_another_kind_is_refused(probe_file: Path, state, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Stage(probe_file).switcher.restore_state(state)


def test_a_reset_reaches_the_playing_model_and_not_the_next(probe_file: Path, tmp_path: Path) -> None:
    twin = write_probe(tmp_path / "twin.onnx", replace(CARD, name="twin"))
    stage = Stage(probe_file, crossfade_s=0.0)
    stage.play(0, 3)
    stage.store.set("reset", True)
    stage.play(3, 4)
    kept = {"memory": np.full(1, 3.0, np.float32)}
    stage.switcher.swap_to(str(twin), state=kept, graph_sha256=CARD.graph_sha256)
    assert stage.switcher.wait_until_open(60.0)
    stage.play(4, 6)
    assert stage.switcher.snapshot_state()["memory"][0] > 1.5
    stage.store.set("reset", True)
    stage.play(6, 7)
    assert stage.switcher.snapshot_state()["memory"][0] < 0.5


def test_a_state_of_another_graph_is_not_restored(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file, live=False)
    stage.play(0, 2)
    stage.switcher.swap_to(wide, state={"memory": np.full(1, 9.0, np.float32)}, graph_sha256="0" * 64)
    stage.play(2, 4)
    assert "not the model that the state belongs to" in stage.told[0]
    assert stage.switcher.snapshot_state()["memory"][0] < 1.0


def repeated(
    show: Stage, show_events: dict[int, tuple], values: dict, first: Path, hops: list[int]
) -> list[np.ndarray]:
    """Play a show again from what was noted of it."""
    again = Stage(first, live=False)
    frames = []
    for index in hops:
        for show_event in show_events[index]:
            again.switcher.repeat(show_event)
        frames.append(again.switcher.step(window(index), values[index], index).pixels_HWC)
    return frames


def test_stored_events_are_repeated_bit_exact(probe_file: Path, wide: str) -> None:
    stage = Stage(probe_file, gain=1.5)
    stage.step_s["wide.onnx"] = 0.03
    stage.opened[probe_file.name].step_s = 0.03
    hops = [*range(8), *range(10, 30)]
    frames, show_events, values = [], {}, {}
    for index in hops:
        if index == 3:
            stage.switcher.swap_to(wide)
            assert stage.switcher.wait_until_open(60.0)
        if index == 12:
            stage.switcher.restore_state({"memory": np.full(1, 0.8, np.float32)})
        if index == 14:
            stage.opened["wide.onnx"].step_s = 0.0
        if index == 20:
            stage.switcher.swap_to(str(probe_file))
            assert stage.switcher.wait_until_open(60.0)
        # It fails in the midst of its fade, and the model before takes over.
        stage.opened[probe_file.name].fails = index == 22
        values[index] = stage.store.values()
        frames.append(stage.switcher.step(window(index), values[index], index).pixels_HWC)
        show_events[index] = stage.switcher.show_events()
    kinds = {index: [said["kind"] for said in happened] for index, happened in show_events.items() if happened}
    assert kinds == {4: ["model"], 12: ["state"], 21: ["model"], 22: ["return"]}
    assert show_events[4][0]["is_held"]
    assert same(repeated(stage, show_events, values, probe_file, hops), frames)
