"""Captures and openings keep out of each other's way, and the thread that plays never waits."""

from __future__ import annotations

import threading

import pytest

from engine.core.errors import ModelFileError
from engine.model.capture_gate import CaptureGate


def test_a_capture_is_allowed_while_nothing_is_opened() -> None:
    gate = CaptureGate()
    with gate.capturing() as allowed:
        assert allowed
    with gate.opening(), gate.opening(), gate.capturing() as allowed:
        assert not allowed
    with gate.capturing() as allowed:
        assert allowed


def test_an_opening_that_fails_holds_nothing_off() -> None:
    gate = CaptureGate()
    with pytest.raises(ModelFileError), gate.opening():
        raise ModelFileError("damaged")
    with gate.capturing() as allowed:
        assert allowed


def test_an_opening_waits_for_the_end_of_a_capture_and_a_capture_for_nothing() -> None:
    gate, opened = CaptureGate(), threading.Event()

    def open_model() -> None:
        with gate.opening():
            opened.set()

    with gate.capturing() as allowed:
        assert allowed
        loader = threading.Thread(target=open_model)
        loader.start()
        assert not opened.is_set()
        with gate.capturing() as another:
            assert not another
    loader.join()
    assert opened.is_set()
