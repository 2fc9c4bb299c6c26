"""A call is made again and again until it is closed."""

from __future__ import annotations

import threading

from engine.core.repeating_thread import RepeatingThread


def test_it_calls_until_it_is_closed() -> None:
    calls: list[int] = []
    many = threading.Event()

    def call() -> None:
        calls.append(threading.get_ident())
        if len(calls) == 3:
            many.set()

    thread = RepeatingThread("again", 0.001, call)
    assert not calls
    thread.start()
    assert many.wait(10.0)
    thread.close()
    made = len(calls)
    thread.close()
    assert set(calls) != {threading.get_ident()}
    assert len(calls) == made


def test_closing_without_a_start_is_nothing() -> None:
    RepeatingThread("never", 0.001, lambda: None).close()
