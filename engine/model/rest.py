"""The state of rest: where silence brings a model, from which a show begins and to which a reset leads.

The initial state of a card is a constant, mostly zeros, which no sound ever leads to: the first frames after it show what the model
never learned. So the model is stepped through silence first, but for one that goes on from a frame that it is given.
"""

from __future__ import annotations

from engine.core.errors import BackendError
from engine.model.backend import Backend, WrappedBackend, not_finite
from engine.model.capture_gate import CAPTURES
from engine.model.noise import draw_noise
from engine.model.step import State, resting_inputs

REST_S, MOST_STEPS = 1.0, 30
"""How much silence a model gets, in at most so many steps: the shipped one settles in a fraction of a second, and a show shall begin
soon."""


class RestingBackend(WrappedBackend):
    """A backend whose initial state is the state of rest."""

    def __init__(self, inner: Backend) -> None:
        """Step `inner` through silence; where a step fails or a state is not finite, its own initial state is taken."""
        super().__init__(inner)
        self._rest: State = rest_state(inner)

    def initial_state(self) -> State:
        """Return the state of rest."""
        return dict(self._rest)


def rest_state(backend: Backend) -> State:
    """Return the state after some silence, in host memory. It depends on the model and the backend alone."""
    card, state = backend.card, backend.initial_state()
    if card.batch > 1:
        # No session plays it; whoever makes one says so.
        return state
    if card.pictures:
        # It goes on from the frame that it is given, as in training; a second of silence would lead away from that.
        return state
    resting = resting_inputs(card)
    try:
        # The thread that plays shall capture its steps as a graph, not this one.
        with CAPTURES.opening():
            for index in range(min(max(1, round(REST_S / card.hop_s)), MOST_STEPS)):
                state = backend.step(resting.with_values(draw_noise(card.noises, 0, index), state)).next_state
            rest = {name: values.copy() for name, values in state.items()}
    except (BackendError, RuntimeError, MemoryError):
        return backend.initial_state()
    return backend.initial_state() if not_finite(rest, 0) else rest
