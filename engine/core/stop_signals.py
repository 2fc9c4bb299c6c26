"""The signals that ask a process to end, and the flag that its loops look at.

Ctrl-C, SIGTERM, SIGHUP (its terminal was closed) and on Windows Ctrl-Break. A handler runs between two instructions of the main
thread, which may hold any lock, so it takes none: it sets an attribute. `threading.Event.set` would deadlock.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""What a process gets when its terminal is closed; None on Windows."""
_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
STOP_SIGNALS: tuple[int, ...] = tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))


class StopFlag(Protocol):
    """What a loop asks before each round; a `threading.Event` is one too."""

    def is_set(self) -> bool: ...

    def set(self) -> None: ...


@contextmanager
def on_stop_signals(ask: Callable[[int], None], numbers: tuple[int, ...] = STOP_SIGNALS) -> Generator[None]:
    """Call `ask` with the number of each signal that comes, and afterwards do what was done before.

    `ask` runs inside the handler: it must take no lock. Only the main thread can handle signals; elsewhere nothing happens. A
    SIGHUP that is ignored, as under nohup, stays ignored.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        ask(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = [number for number in numbers if number != HANGUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopRequest:
    """The flag of a show. Signals beyond the first change nothing once it plays: the files that are open are finished.

    Before that a second Ctrl-C interrupts what is being loaded.
    """

    def __init__(self) -> None:
        self._is_set = self._is_playing = self._hung_up = False
        self._plays_on: Callable[[], bool] = lambda: False

    def ask(self, number: int) -> None:
        """Take note of a signal, for `on_stop_signals`. Raises KeyboardInterrupt for a second Ctrl-C before the show plays."""
        if number == HANGUP:
            self._hung_up = True
            return
        if self._is_set and not self._is_playing and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._is_set = True

    def begin(self, plays_on: Callable[[], bool]) -> None:
        """The show plays from now on. `plays_on` tells whether it goes on without its terminal; it is asked once."""
        self._plays_on, self._is_playing = plays_on, True

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        if self._hung_up:
            self._hung_up = False
            self._is_set = self._is_set or not self._plays_on()
        return self._is_set
