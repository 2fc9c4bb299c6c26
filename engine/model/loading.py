"""The next model of a show: opened, compared with the one that plays, and warmed, before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.core.clock import Clock
from engine.core.errors import ModelFileError
from engine.model.backends.backend import Backend
from engine.model.card import ModelCard
from engine.model.session import Session
from engine.model.step import resting_inputs

WARM_STEPS = 3
"""The first compiles and allocates; the quickest of the others says how long a step takes."""


class LoadedModel(NamedTuple):
    """A model that is ready to play."""

    path: str
    backend: Backend
    step_s: float


def load_model(
    path: str, open_model: Callable[[str], Backend], shown: ModelCard, window_samples: int, clock: Clock
) -> LoadedModel:
    """Open a model file for the show that `shown` began, and take a few steps of silence.

    Raises ModelFileError for a file that cannot be played, or not in this show, BackendError where it cannot be stepped.
    """
    backend = open_model(path)
    check_fit(shown, backend.card, window_samples, path)
    # A session knows best what it refuses.
    Session(backend)
    return LoadedModel(path, backend, _warm(backend, clock))


def check_fit(shown: ModelCard, card: ModelCard, window_samples: int, path: str) -> None:
    """Raise ModelFileError unless a show that began with `shown`, and gives windows so long, can go on with `card`."""
    if (card.sample_rate_hz, card.hop_samples) != (shown.sample_rate_hz, shown.hop_samples):
        raise ModelFileError(
            f"{path} takes a step every {card.hop_samples} samples at {card.sample_rate_hz} Hz and the show runs at "
            f"{shown.hop_samples} samples at {shown.sample_rate_hz} Hz; begin another show with it, or train it at this rate."
        )
    if card.window_samples > window_samples:
        raise ModelFileError(
            f"{path} hears {card.window_samples} samples at a time and the show keeps {window_samples}; begin the show with it."
        )


def _warm(backend: Backend, clock: Clock) -> float:
    """Step from silence and return how long the quickest step took."""
    inputs = resting_inputs(backend.card)
    took_s: list[float] = []
    for _ in range(WARM_STEPS):
        started_s = clock.now_s()
        inputs = inputs.with_states(backend.step(inputs).next_state)
        took_s.append(clock.now_s() - started_s)
    return min(took_s[1:])
