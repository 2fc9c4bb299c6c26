"""Several rooms at one backend: who is stepped, with what, and that nobody notices the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends.backend import Arrays, Step
from engine.model.backends.onnx_cpu import OnnxCpuBackend, open_model
from engine.model.batching import BatchSlot, SlotRequest, StepBatcher
from engine.model.noise import draw_noise
from engine.model.session import Session
from tests.engine.model.probe_model import CARD

ROOMS = 3
FOREVER_S = 60.0
HOPS = 24


class ProbeOfRooms:
    """The probe as a file of several rooms would play it; notes what it was given."""

    name, description = "onnx-cpu", "onnx-cpu, 1 thread"

    def __init__(self, probe: OnnxCpuBackend) -> None:
        self.probe = probe
        self.card = replace(probe.card, rooms=ROOMS)
        self.loudest: list[list[float]] = []
        self.fails = False

    def initial_state(self) -> dict[str, NDArray[np.float32]]:
        return {name: np.stack([value] * ROOMS) for name, value in self.probe.initial_state().items()}

    def step(self, audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: Arrays) -> Step:
        if self.fails:
            raise BackendError("the step failed.")
        given = {"audio": audio_T, **controls, **noise, **state}
        for info in self.card.inputs():
            assert np.shape(given[info.name]) == info.shape
        self.loudest.append(np.abs(audio_T).max(axis=1).tolist())
        steps = [
            self.probe.step(audio_T[r], *({n: v[r] for n, v in part.items()} for part in (controls, noise, state)))  # type: ignore[index]
            for r in range(ROOMS)
        ]
        states = {name: np.stack([step.next_state[name] for step in steps]) for name in state}
        return Step(np.stack([s.pixels_HWC for s in steps]), np.stack([s.features_F for s in steps]), states)


@pytest.fixture
def probe(probe_file: Path) -> OnnxCpuBackend:
    return open_model(probe_file, threads=1)


@pytest.fixture
def of_rooms(probe: OnnxCpuBackend) -> ProbeOfRooms:
    return ProbeOfRooms(probe)


def window(loudness: float) -> NDArray[np.float32]:
    return np.full(CARD.window_samples, loudness, np.float32)


def asked(room: BatchSlot, loudness: float, state: Arrays | None = None) -> SlotRequest:
    noise = draw_noise(CARD.noises, 0, 0)
    return SlotRequest(window(loudness), {"gain": 1.0}, noise, room.initial_state() if state is None else state)


def memory(step: Step) -> float:
    return float(step.features_F[1])


def test_each_room_hears_its_own_sound_and_carries_its_own_state(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms)
    first, second = rooms.join(), rooms.join()
    steps = rooms.step({first: asked(first, 0.25), second: asked(second, 0.5)})
    assert [memory(steps[first]), memory(steps[second])] == pytest.approx([0.25, 0.5])
    again = {room: asked(room, 0.0, steps[room].next_state) for room in (first, second)}
    steps = rooms.step(again)
    assert [memory(steps[first]), memory(steps[second])] == pytest.approx([0.125, 0.25])
    assert of_rooms.loudest == [[0.25, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_a_room_without_a_new_window_keeps_its_state(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms)
    waiting, other = rooms.join(), rooms.join()
    steps = rooms.step({waiting: asked(waiting, 0.5), other: asked(other, 0.5)})
    kept, others = steps[waiting].next_state, steps[other].next_state
    for _ in range(3):
        others = rooms.step({other: asked(other, 0.5, others)})[other].next_state
    assert kept["memory"] == pytest.approx([0.5])
    assert memory(rooms.step({waiting: asked(waiting, 0.0, kept)})[waiting]) == pytest.approx(0.25)


def test_an_earlier_state_can_be_given_again(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms)
    room, other = rooms.join(), rooms.join()
    scene = rooms.step({room: asked(room, 0.5), other: asked(other, 0.25)})
    later = rooms.step({r: asked(r, 0.0, scene[r].next_state) for r in (room, other)})
    back = rooms.step(
        {
            room: asked(room, 0.0, scene[room].next_state),
            other: asked(other, 0.0, later[other].next_state),
        }
    )
    assert [memory(back[room]), memory(back[other])] == pytest.approx([0.25, 0.0625])


def test_who_joins_begins_anew_in_a_place_that_was_left(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms)
    first, leaving = rooms.join(), rooms.join()
    rooms.step({first: asked(first, 0.5), leaving: asked(leaving, 0.5)})
    leaving.leave()
    assert rooms.present == (first,)
    joining = rooms.join()
    assert joining.place == leaving.place
    assert memory(rooms.step({joining: asked(joining, 0.125)})[joining]) == pytest.approx(0.125)


def test_a_full_house_and_a_file_of_one_room_are_refused_in_one_sentence(
    of_rooms: ProbeOfRooms, probe: OnnxCpuBackend
) -> None:
    rooms = StepBatcher(of_rooms)
    for _ in range(ROOMS):
        rooms.join()
    with pytest.raises(BackendError, match="has 3 rooms and all are taken; let one leave"):
        rooms.join()
    with pytest.raises(ModelFileError, match="was exported for one room"):
        StepBatcher(probe)


def test_a_room_is_a_backend_to_its_session(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms, patience_s=0.0)
    session = Session(rooms.join(), seed=3)
    assert session.card.inputs() == CARD.inputs()
    assert session.backend.description == "onnx-cpu, 1 thread, room 1 of 3"
    alone = Session(of_rooms.probe, seed=3)
    shows = [{}, {"gain": 2.0}, {"freeze": True}, {"reset": 1}, {"gain_db": 6.0}]
    for index, controls in enumerate(shows):
        came, expected = (s.step(window(0.25), controls, index) for s in (session, alone))
        assert np.array_equal(came.pixels_HWC, expected.pixels_HWC)
        assert np.array_equal(came.features_F, expected.features_F)


def show(seed: int) -> Iterator[tuple[NDArray[np.float32], dict[str, float | int | bool], int]]:
    """Yield windows, controls and hop indices of one room's own show, with skipped hops and a reset."""
    random = np.random.default_rng(seed)
    for k in range(HOPS):
        controls: dict[str, float | int | bool] = {"gain": float(random.uniform(0.0, 3.0)), "reset": int(k > 9 + seed)}
        yield window(float(random.uniform(0.0, 0.5))), controls, k + (seed if k > 12 else 0)


def pictures(session: Session, seed: int) -> list[bytes]:
    return [session.step(*given).pixels_HWC.tobytes() for given in show(seed)]


def test_rooms_played_from_threads_share_every_step(of_rooms: ProbeOfRooms) -> None:
    expected = [pictures(Session(of_rooms.probe, seed), seed) for seed in range(ROOMS)]
    rooms = StepBatcher(of_rooms, patience_s=FOREVER_S)
    sessions = [Session(rooms.join(), seed) for seed in range(ROOMS)]
    with ThreadPoolExecutor(ROOMS) as threads:
        assert list(threads.map(pictures, sessions, range(ROOMS))) == expected
    assert len(of_rooms.loudest) == HOPS


def test_a_room_that_leaves_is_not_waited_for(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms, patience_s=FOREVER_S)
    staying, leaving = rooms.join(), rooms.join()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(staying.step, *asked(staying, 0.25))
        leaving.leave()
        assert memory(waiting.result()) == pytest.approx(0.25)


def test_a_room_that_does_not_ask_is_waited_for_once(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms, patience_s=0.0)
    playing, _ = rooms.join(), rooms.join()
    playing.step(*asked(playing, 0.5))
    rooms.patience_s = FOREVER_S
    assert memory(playing.step(*asked(playing, 0.25))) == pytest.approx(0.25)


def test_a_failing_step_fails_for_all_and_changes_no_state(of_rooms: ProbeOfRooms) -> None:
    rooms = StepBatcher(of_rooms, patience_s=0.0)
    session = Session(rooms.join())
    session.step(window(0.5), {}, 0)
    of_rooms.fails = True
    with pytest.raises(BackendError, match="the step failed"):
        session.step(window(0.5), {}, 1)
    of_rooms.fails = False
    assert session.step(window(0.0), {}, 2).features_F[1] == pytest.approx(0.25)


def test_several_sessions_may_share_the_backend_of_one_room(probe: OnnxCpuBackend, probe_file: Path) -> None:
    expected = [pictures(Session(open_model(probe_file, threads=1), seed), seed) for seed in range(ROOMS)]
    sessions = [Session(probe, seed) for seed in range(ROOMS)]
    with ThreadPoolExecutor(ROOMS) as threads:
        assert list(threads.map(pictures, sessions, range(ROOMS))) == expected
