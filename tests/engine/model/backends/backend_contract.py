"""The contract of every backend, one function for each promise. `test_backend_contract.py` checks all backends that run here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.demo import demo_sound
from engine.core.errors import BackendError
from engine.model.backend import Backend
from engine.model.card import ModelCard
from engine.model.noise import draw_noise
from engine.model.step import State, Step, StepInputs, resting_inputs
from tests.engine.model.probe_model import CARD

# T audio samples

SEED = 7
FRAME_LEVELS, FEATURE_ERROR, STATE_ERROR = 1, 1e-4, 1e-3
"""How far one backend may be from another after 64 carried steps: levels of 255, and parts of the largest value."""


def windows(card: ModelCard, steps: int) -> list[NDArray[np.float32]]:
    """Return windows of the demonstration sound."""
    sound_T = demo_sound().mean(axis=1).astype(np.float32)
    starts_end = len(sound_T) - card.window_samples
    starts = [index * card.hop_samples % starts_end for index in range(steps)]
    return [sound_T[start : start + card.window_samples].copy() for start in starts]


def play(
    backend: Backend, sounds: Sequence[NDArray[np.float32]], state: State | None = None, first: int = 0
) -> tuple[list[Step], State]:
    """Take a step for every window; `first` is the index of the first one's noise."""
    state = backend.initial_state() if state is None else state
    resting = resting_inputs(backend.card)
    steps: list[Step] = []
    for index, window_T in enumerate(sounds, first):
        values = {"audio": window_T, **draw_noise(backend.card.noises, SEED, index)}
        steps.append(backend.step(resting.with_values(values, state)))
        state = steps[-1].next_state
    return steps, state


def copied(step: Step) -> Step:
    state, outputs = ({n: v.copy() for n, v in part.items()} for part in (step.next_state, step.outputs))
    return Step(step.pixels_HWC.copy(), step.features_F.copy(), state, outputs)


def assert_equal(ours: Step, theirs: Step) -> None:
    """Assert that two steps are bit-exact."""
    assert np.array_equal(ours.pixels_HWC, theirs.pixels_HWC)
    assert np.array_equal(ours.features_F, theirs.features_F)
    assert sorted(ours.next_state) == sorted(theirs.next_state)
    for name, value in ours.next_state.items():
        assert np.array_equal(value, theirs.next_state[name]), name
    assert sorted(ours.outputs) == sorted(theirs.outputs)
    for name, value in ours.outputs.items():
        assert np.array_equal(value, theirs.outputs[name]), name


def check_cut_anywhere_equals_whole(backend: Backend, steps: int = 8) -> None:
    sounds = windows(backend.card, steps)
    whole = [copied(step) for step in play(backend, sounds)[0]]
    for cut in range(1, steps):
        _, middle = play(backend, sounds[:cut])
        tail, _ = play(backend, sounds[cut:], middle, cut)
        for ours, theirs in zip(tail, whole[cut:], strict=True):
            assert_equal(ours, theirs)


def check_what_was_given_and_what_came_stay(backend: Backend, steps: int = 6) -> None:
    """A state that is held can be read and played from again after any number of steps."""
    sounds = windows(backend.card, steps)
    originals = [sound.copy() for sound in sounds]
    start = backend.initial_state()
    start_copy = {name: value.copy() for name, value in start.items()}
    held: list[Step] = []
    copies: list[Step] = []
    state: State = start
    for index in range(steps):
        held += play(backend, sounds[index : index + 1], state, index)[0]
        # Every second state is read at once, the others only at the end.
        copies.append(copied(held[-1]) if index % 2 else held[-1])
        state = held[-1].next_state
    for ours, theirs in zip(held, copies, strict=True):
        assert_equal(ours, theirs)
    for index in range(1, steps):
        again, _ = play(backend, sounds[index : index + 1], held[index - 1].next_state, index)
        assert_equal(again[0], held[index])
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(sounds, originals, strict=True))
    assert all(np.array_equal(start[name], value) for name, value in start_copy.items())


def check_shapes_and_kinds_are_the_cards(backend: Backend, steps: int = 3) -> None:
    card = backend.card
    expected = {info.name: (info.shape, info.dtype) for info in (*card.input_tensors(), *card.output_tensors())}
    for step in play(backend, windows(card, steps))[0]:
        assert (step.pixels_HWC.shape, str(step.pixels_HWC.dtype)) == expected["frame"]
        assert (step.features_F.shape, str(step.features_F.dtype)) == expected["features"]
        assert {n: (v.shape, str(v.dtype)) for n, v in step.next_state.items()} == {
            spec.name: expected[spec.name] for spec in card.states
        }
        assert {n: (v.shape, str(v.dtype)) for n, v in step.outputs.items()} == {
            spec.name: expected[spec.name] for spec in card.outputs
        }


def check_the_future_cannot_change_the_past(backend: Backend, steps: int = 6) -> None:
    sounds = windows(backend.card, steps)
    changed = [*sounds[:4], *(np.flip(sound).copy() * 0.5 + 0.1 for sound in sounds[4:])]
    ours, theirs = (play(backend, given)[0] for given in (sounds, changed))
    for before, after in zip(ours[:4], theirs[:4], strict=True):
        assert_equal(before, after)
    assert not np.array_equal(ours[4].features_F, theirs[4].features_F)


def check_two_shows_do_not_mix(backend: Backend, steps: int = 5) -> None:
    """A crossfade steps two states on one backend alternately."""
    one, other = windows(backend.card, 2 * steps)[:steps], windows(backend.card, 2 * steps)[steps:]
    alone = [copied(step) for step in play(backend, one)[0]]
    ours, theirs = backend.initial_state(), backend.initial_state()
    for index in range(steps):
        step = play(backend, one[index : index + 1], ours, index)[0][0]
        ours, theirs = step.next_state, play(backend, other[index : index + 1], theirs, index)[1]
        assert_equal(step, alone[index])


def check_close(backend: Backend, reference: Backend, steps: int = 64) -> None:
    """Each carries its own states over `steps` steps."""
    sounds = windows(backend.card, steps)
    for ours, theirs in zip(play(backend, sounds)[0], play(reference, sounds)[0], strict=True):
        assert np.abs(ours.pixels_HWC.astype(int) - theirs.pixels_HWC).max() <= FRAME_LEVELS
        assert _error(ours.features_F, theirs.features_F) <= FEATURE_ERROR
        for name, value in theirs.next_state.items():
            assert _error(ours.next_state[name], value) <= STATE_ERROR, name


def _error(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    return float(np.abs(ours - theirs).max() / max(1.0, float(np.abs(theirs).max())))


promises = pytest.mark.parametrize(
    "check",
    [
        check_cut_anywhere_equals_whole,
        check_what_was_given_and_what_came_stay,
        check_shapes_and_kinds_are_the_cards,
        check_the_future_cannot_change_the_past,
        check_two_shows_do_not_mix,
    ],
    ids=lambda check: check.__name__.removeprefix("check_"),
)
"""What every backend keeps with every model; the checks below are of the probe."""


def check_decay_ends_at_zero(backend: Backend) -> None:
    """A state that decays reaches zero and never the denormal numbers before it."""
    state: State = {"memory": np.full(1, 1e-30, np.float32)}
    for _ in range(60):
        state = backend.step(resting_inputs(CARD).with_states(state)).next_state
        value = abs(float(state["memory"][0]))
        assert value == 0.0 or value >= np.finfo(np.float32).tiny


def check_a_failing_step_leaves_the_next_one_whole(wrong: str, backend: Backend) -> None:
    """A step with a wrong input is one BackendError in one line."""
    right = resting_inputs(CARD)
    with pytest.raises(BackendError, match="the step failed") as caught:
        backend.step(with_fault(right, wrong))
    assert "\n" not in str(caught.value)
    assert backend.step(right).next_state["memory"].shape == (1,)


def with_fault(right: StepInputs, wrong: str) -> StepInputs:
    """Return inputs with a short window, a state of another shape, or a control of another name."""
    arrays = dict(right.without_states)
    if wrong == "audio":
        arrays["audio"] = arrays["audio"][:3]
    if wrong == "control":
        arrays["loudness"] = arrays.pop("gain")
    return StepInputs(arrays, {"memory": np.zeros(2, np.float32)} if wrong == "state" else right.states)
