"""A call in the background: its result, its errors as sentences, and a waiting that ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from engine.core.background_task import BackgroundTask
from engine.core.errors import BackendError, ConfigError, UserError


def failing(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_a_result_is_there_once_the_task_is_done() -> None:
    may_go_on = threading.Event()
    task = BackgroundTask("counting", lambda: may_go_on.wait(60) and 7)
    assert not task.is_done
    assert not task.wait(0.0)
    may_go_on.set()
    assert task.wait(60)
    assert task.is_done
    assert task.result() == 7


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (ConfigError("There is no such scene."), ConfigError, "There is no such scene."),
        (OSError(28, "No space left on device"), UserError, "saving failed: No space left on device."),
        (MemoryError(), BackendError, "saving failed: this machine has too little memory."),
    ],
)
def test_a_failure_is_raised_with_the_result(error: Exception, kind: type[UserError], sentence: str) -> None:
    task = BackgroundTask("saving", failing(error))
    task.wait()
    with pytest.raises(kind) as raised:
        task.result()
    assert str(raised.value) == sentence
