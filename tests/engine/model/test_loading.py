"""The loader of models: one at a time, and what nobody wants any more does not hold back the next."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.core.errors import ModelFileError, StoppedError
from engine.core.stop_signals import IsStopped
from engine.model.backend import Backend
from engine.model.loading import LoadedModel, ModelLoader
from tests.engine.model.switchers import Stage

WITHIN_S = 60.0
LOOKS_EVERY_S = 0.01


class SlowTests:
    """Loads models whose names begin with "slow" until it is stopped, others at once."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.stopped: list[str] = []

    def load(self, path: str, is_stopped: IsStopped) -> LoadedModel:
        self.begun.append(path)
        waiting = threading.Event()
        while path.startswith("slow"):
            waiting.wait(LOOKS_EVERY_S)
            if is_stopped():
                self.stopped.append(path)
                raise StoppedError("The first test of the model was stopped before its end.")
        return LoadedModel(path, None, 0.01)  # type: ignore[arg-type]


@pytest.fixture
def tests() -> SlowTests:
    return SlowTests()


@pytest.fixture
def loader(tests: SlowTests) -> ModelLoader:
    return ModelLoader(tests.load)


def test_another_request_ends_the_first_test_of_the_one_before(loader: ModelLoader, tests: SlowTests) -> None:
    delivered: list[str] = []
    for path in ("slow one", "slow two", "good"):
        loader.request(path, lambda loaded: delivered.append(loaded.path))
    assert loader.wait(WITHIN_S)
    loader.deliver()
    assert delivered == ["good"]
    # What was replaced before it began never begins.
    assert (tests.begun, tests.stopped) == (["slow one", "good"], ["slow one"])


def test_a_model_that_is_asked_for_again_is_not_tested_from_the_beginning(
    loader: ModelLoader, tests: SlowTests
) -> None:
    for _ in range(5):
        loader.request("slow", lambda loaded: None)
    assert loader.is_loading
    loader.close()
    assert (tests.begun, tests.stopped) == (["slow"], ["slow"])


def test_a_model_that_was_given_up_and_is_asked_for_again_is_loaded(loader: ModelLoader, tests: SlowTests) -> None:
    delivered: list[str] = []
    loader.request("slow", lambda loaded: None)
    loader.cancel()
    loader.request("good", lambda loaded: delivered.append(loaded.path))
    assert loader.wait(WITHIN_S)
    loader.deliver()
    assert delivered == ["good"]
    loader.request("slow", lambda loaded: None)
    assert not loader.wait(LOOKS_EVERY_S)
    loader.close()
    loader.close()
    assert tests.stopped == ["slow", "slow"]
    assert not loader.is_loading


def test_the_end_of_the_show_is_told_to_who_waits() -> None:
    def load(path: str, is_stopped: IsStopped) -> LoadedModel:
        raise StoppedError("The first test of the model was stopped before its end.")

    loader = ModelLoader(load)
    loader.request("stranger", lambda loaded: None)
    assert loader.wait(WITHIN_S)
    with pytest.raises(StoppedError):
        loader.deliver()
    loader.deliver()


def test_a_mistake_is_told_once() -> None:
    def load(path: str, is_stopped: IsStopped) -> LoadedModel:
        raise ModelFileError("damaged")

    loader = ModelLoader(load)
    loader.request("damaged", lambda loaded: None)
    assert loader.wait(WITHIN_S)
    with pytest.raises(ModelFileError):
        loader.deliver()
    loader.deliver()


@pytest.mark.parametrize("live", [True, False])
def test_the_end_of_a_show_during_a_first_test_costs_no_line(probe_file: Path, live: bool) -> None:
    stage = Stage(probe_file, live=live)

    def open_stopped(path: str) -> Backend:
        raise StoppedError("The first test of the model was stopped before its end.")

    stage.open_model = open_stopped
    stage.swap("stranger.onnx", 0)
    stage.play(1, 3)
    assert (stage.told, stage.switcher.is_loading, stage.switcher.playing.name) == ([], False, "probe")
    stage.switcher.close()
