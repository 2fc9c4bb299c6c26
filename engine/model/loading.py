"""Loading the next model of a show: opened, checked against the show and warmed up in the background, before it plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.core.background_task import BackgroundTask
from engine.core.clock import Clock
from engine.core.errors import ModelFileError
from engine.model.backend import Backend
from engine.model.capture_gate import CAPTURES
from engine.model.card import ModelCard
from engine.model.session import Session
from engine.model.step import resting_inputs

WARM_UP_STEPS = 3
"""The first step compiles and allocates; the fastest of the others is taken for the duration of a step."""


class LoadedModel(NamedTuple):
    """A model that is ready to play."""

    path: str
    backend: Backend
    step_s: float
    """Duration of one step."""


def load_model(
    path: str, open_model: Callable[[str], Backend], first: ModelCard, window_samples: int, clock: Clock
) -> LoadedModel:
    """Open a model file for a show that began with `first`, and take a few steps on silence.

    Raises ModelFileError for a file that cannot be played, or not in this show, BackendError where a step fails.
    """
    with CAPTURES.opening():
        backend = open_model(path)
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


class ModelLoader:
    """Loads the models that are asked for, one at a time. A request replaces the one before it that is not loaded yet."""

    def __init__(self, load: Callable[[str], LoadedModel]) -> None:
        self._load = load
        self._request: _Request | None = None
        self._task: tuple[_Request, BackgroundTask[LoadedModel]] | None = None

    @property
    def is_loading(self) -> bool:
        """Whether a model was asked for and is not delivered yet."""
        return self._request is not None

    def request(self, path: str, when_loaded: Callable[[LoadedModel], None]) -> None:
        """Load a model file; `deliver` gives it to `when_loaded`."""
        self._request = _Request(path, when_loaded)
        self._continue(self._request)

    def cancel(self) -> None:
        """Forget the model that was asked for."""
        self._request = None

    def wait(self, timeout_s: float | None) -> bool:
        """Wait at most so long until the requested model is loaded, and return whether it is."""
        while self._request:
            request, task = self._continue(self._request)
            if not task.wait(timeout_s):
                return False
            if request is self._request:
                break
        return True

    def deliver(self) -> None:
        """Hand over the requested model, if it is loaded. Raises UserError when it cannot be played."""
        if self._request is None:
            if self._task and self._task[1].is_done:
                self._task = None
            return
        request, task = self._continue(self._request)
        if request is not self._request or not task.is_done:
            return
        self._request = self._task = None
        request.when_loaded(task.result())

    def load_now(self, path: str) -> LoadedModel:
        """Load a model file while the caller waits. Raises UserError when it cannot be played."""
        task = self._start(path)
        task.wait()
        return task.result()

    def _continue(self, request: _Request) -> tuple[_Request, BackgroundTask[LoadedModel]]:
        """Return the running task and its request, which is an earlier one until that has ended.

        There are never two at a time: many requests at once would fill the memory.
        """
        if self._task is None or (self._task[0] is not request and self._task[1].is_done):
            self._task = request, self._start(request.path)
        return self._task

    def _start(self, path: str) -> BackgroundTask[LoadedModel]:
        # In a thread of its own even where the caller waits: ONNX Runtime changes how the thread that opens a model rounds the
        # smallest numbers, and a replay has to step as the show did.
        return BackgroundTask(f"opening {path}", lambda: self._load(path))
