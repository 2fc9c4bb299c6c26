"""Loading the next model of a show: opened, checked against the show and warmed up in the background, before it plays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from engine.core.background_task import BackgroundTask
from engine.core.clock import Clock
from engine.core.errors import ModelFileError
from engine.core.stop_signals import IsStopped, never_stopped
from engine.model.backend import Backend
from engine.model.capture_gate import CAPTURES
from engine.model.card import ModelCard
from engine.model.session import Session
from engine.model.step import resting_inputs

WARM_UP_STEPS = 3
"""The first step compiles and allocates; the fastest of the others is taken for the duration of a step."""

CLOSE_WITHIN_S = 1.0
OpenModel = Callable[[str, IsStopped], Backend]
"""Opens a model file; a first test of it ends as soon as the second argument says so."""


class LoadedModel(NamedTuple):
    """A model that is ready to play."""

    path: str
    backend: Backend
    step_s: float
    """Duration of one step."""


def load_model(
    path: str,
    open_model: OpenModel,
    first: ModelCard,
    window_samples: int,
    clock: Clock,
    is_stopped: IsStopped = never_stopped,
) -> LoadedModel:
    """Open a model file for a show that began with `first`, and take a few steps on silence.

    Raises ModelFileError for a file that cannot be played, or not in this show, BackendError where a step fails, StoppedError.
    """
    with CAPTURES.opening():
        backend = open_model(path, is_stopped)
        check_fit(first, backend.card, window_samples, path)
        # For what a session refuses.
        Session(backend)
        return LoadedModel(path, backend, _warm_up(backend, clock))


def check_fit(first: ModelCard, card: ModelCard, window_samples: int, path: str) -> None:
    """Raise ModelFileError unless a show that began with `first` and gives `window_samples` can change to `card`."""
    if (card.sample_rate_hz, card.hop_samples) != (first.sample_rate_hz, first.hop_samples):
        raise ModelFileError(
            f"{path} takes a step every {card.hop_samples} samples at {card.sample_rate_hz} Hz and the show runs at "
            f"{first.hop_samples} samples at {first.sample_rate_hz} Hz; start another show with it, or train it at this rate."
        )
    if card.window_samples > window_samples:
        raise ModelFileError(
            f"{path} needs a window of {card.window_samples} samples and the show keeps {window_samples}; "
            "start the show with it."
        )


def _warm_up(backend: Backend, clock: Clock) -> float:
    """Take steps on silence and return the duration of the fastest."""
    inputs = resting_inputs(backend.card)
    took_s: list[float] = []
    for _ in range(WARM_UP_STEPS):
        started_s = clock.now_s()
        inputs = inputs.with_states(backend.step(inputs).next_state)
        took_s.append(clock.now_s() - started_s)
    return min(took_s[1:])


class _Request(NamedTuple):
    """A model that was asked for."""

    path: str
    when_loaded: Callable[[LoadedModel], None]


class _Loading(NamedTuple):
    """A model that is being loaded."""

    path: str
    task: BackgroundTask[LoadedModel]
    given_up: threading.Event


class ModelLoader:
    """Loads the models that are asked for, one at a time. A request replaces the one before it that is not loaded yet, and ends its
    first test."""

    def __init__(self, load: Callable[[str, IsStopped], LoadedModel]) -> None:
        self._load = load
        self._request: _Request | None = None
        self._loading: _Loading | None = None

    @property
    def is_loading(self) -> bool:
        """Whether a model was asked for and is not delivered yet."""
        return self._request is not None

    def request(self, path: str, when_loaded: Callable[[LoadedModel], None]) -> None:
        """Load a model file; `deliver` gives it to `when_loaded`."""
        self._request = _Request(path, when_loaded)
        if self._loading and self._loading.path != path:
            self._loading.given_up.set()
        self._continue(self._request)

    def cancel(self) -> None:
        """Forget the model that was asked for, and end its first test."""
        self._request = None
        if self._loading:
            self._loading.given_up.set()

    def close(self) -> None:
        """Cancel, and wait a moment for the end of a first test; what takes longer is left behind."""
        self.cancel()
        if self._loading:
            self._loading.task.wait(CLOSE_WITHIN_S)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait at most so long until the requested model is loaded, and return whether it is."""
        while self._request:
            loading = self._continue(self._request)
            if not loading.task.wait(timeout_s):
                return False
            if self._serves(loading):
                break
        return True

    def deliver(self) -> None:
        """Hand over the requested model, if it is loaded. Raises UserError when it cannot be played."""
        if self._request is None:
            if self._loading and self._loading.task.is_done:
                self._loading = None
            return
        loading, request = self._continue(self._request), self._request
        if not self._serves(loading) or not loading.task.is_done:
            return
        self._request = self._loading = None
        request.when_loaded(loading.task.result())

    def load_now(self, path: str) -> LoadedModel:
        """Load a model file while the caller waits. Raises UserError when it cannot be played."""
        task = self._start(path).task
        task.wait()
        return task.result()

    def _continue(self, request: _Request) -> _Loading:
        """Return what is being loaded, which is for an earlier request until that has ended.

        There are never two at a time: many requests at once would fill the memory.
        """
        if self._loading is None or (not self._serves(self._loading) and self._loading.task.is_done):
            self._loading = self._start(request.path)
        return self._loading

    def _serves(self, loading: _Loading) -> bool:
        """Return whether what is being loaded is what was asked for last. Asked for again, a model is not tested from the beginning."""
        return self._request is not None and loading.path == self._request.path and not loading.given_up.is_set()

    def _start(self, path: str) -> _Loading:
        given_up = threading.Event()
        # In a thread of its own even where the caller waits: ONNX Runtime changes how the thread that opens a model rounds the
        # smallest numbers, and a replay has to step as the show did.
        task = BackgroundTask(f"opening {path}", lambda: self._load(path, given_up.is_set))
        return _Loading(path, task, given_up)
