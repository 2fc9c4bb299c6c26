"""Ping-pong buffers: bookkeeping alone, with arrays in place of a device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.backend import CHECK_EVERY_STEPS, not_finite
from engine.model.backends.ping_pong import DeviceState, PingPong
from engine.model.step import State


class Device:
    """Adds one to its state at each step, and counts what is copied."""

    def __init__(self) -> None:
        self.sets = [np.zeros(1, np.float32), np.zeros(1, np.float32)]
        self.fetched = self.loaded = 0
        self.turns = PingPong(("count",), self._fetch, self._load)

    def step(self, state: State) -> DeviceState:
        read, written = self.turns.begin(state)
        self.sets[written][:] = self.sets[read] + 1
        return self.turns.finish(written)

    def _fetch(self, index: int) -> dict[str, np.ndarray]:
        self.fetched += 1
        return {"count": self.sets[index].copy()}

    def _load(self, index: int, state: State) -> None:
        self.loaded += 1
        self.sets[index][:] = state["count"]


@pytest.fixture
def device() -> Device:
    return Device()


START = {"count": np.zeros(1, np.float32)}


def test_a_show_copies_nothing_but_its_start(device: Device) -> None:
    state: State = START
    for _ in range(100):
        state = device.step(state)
    assert (device.loaded, device.fetched) == (1, 0)
    assert state["count"] == 100


def test_a_state_that_is_held_is_saved_before_it_is_overwritten(device: Device) -> None:
    held = [device.step(START)]
    for _ in range(4):
        held.append(device.step(held[-1]))
    assert [float(state["count"][0]) for state in held] == [1, 2, 3, 4, 5]
    assert [state.on_device for state in held[:3]] == [False] * 3
    assert device.step(held[1])["count"] == 3


def test_frozen_reset_and_thawed(device: Device) -> None:
    frozen = device.step(START)
    for _ in range(3):
        # Freeze takes no step; a reset begins again, and the frozen state can still be taken up.
        assert device.step(START)["count"] == 1
    assert device.step(frozen)["count"] == 2


def test_a_state_looks_like_any_other(device: Device) -> None:
    state = device.step(START)
    assert (list(state), len(state), "count" in state, "other" in state) == (["count"], 1, True, False)
    assert dict(state.items()) == {"count": state["count"]}
    device.sets[0][:] = device.sets[1][:] = -1
    assert state["count"] == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=20))
def test_any_order_of_states_gives_what_values_would_give(chosen: list[int]) -> None:
    device, states, expected = Device(), [START], [0]
    for choice in chosen:
        index = choice % len(states)
        states.append(device.step(states[index]))
        expected.append(expected[index] + 1)
        if choice == 5:
            # Forget one, so that its set may be overwritten.
            del states[0], expected[0]
            if not states:
                states, expected = [START], [0]
    assert [float(state["count"][0]) for state in states] == expected


def test_whether_a_state_is_finite_is_asked_seldom_on_a_device(device: Device) -> None:
    lost = device.step({"count": np.full(1, np.nan, np.float32)})
    assert not_finite(lost, 1) is None
    assert device.fetched == 0
    assert not_finite(lost, CHECK_EVERY_STEPS) == "count"
    assert not_finite({"here": np.full(1, np.inf, np.float32)}, 1) == "here"
    assert not_finite(START, 0) is None
