"""A disk that hangs costs a caller a sentence, and no more than a few threads."""

from __future__ import annotations

import threading

import pytest

from engine.core.answered_calls import MOST_RUNNING, AnsweredCalls
from engine.core.errors import ConfigError, SourceError


def test_an_answer_comes_back_and_a_mistake_is_one_for_a_page() -> None:
    calls = AnsweredCalls("the disk of scenes")
    assert calls.run("list of scenes", lambda: 7) == 7

    def fail() -> None:
        raise SourceError("There is no microphone; connect one.")

    def disk_full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigError, match="no microphone"):
        calls.run("list of inputs", fail)
    with pytest.raises(ConfigError, match="saving failed: No space left on device"):
        calls.run("saving", disk_full)


def test_what_hangs_is_left_behind_and_there_are_never_many() -> None:
    calls, answers = AnsweredCalls("the disk of scenes", within_s=0.01), threading.Event()

    def hang() -> bool:
        return answers.wait(60.0)

    for _ in range(MOST_RUNNING):
        with pytest.raises(ConfigError, match="The disk of scenes does not answer: saving takes longer"):
            calls.run("saving", hang)
    with pytest.raises(ConfigError, match=f"has not answered the last {MOST_RUNNING} times"):
        calls.run("saving", hang)
    assert sum(thread.name == "saving" for thread in threading.enumerate()) == MOST_RUNNING
    answers.set()
    for thread in threading.enumerate():
        if thread.name == "saving":
            thread.join(10.0)
    assert AnsweredCalls.run(calls, "list of scenes", lambda: 7) == 7
