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
from typing import Any, Protocol

from engine.core.clock import Clock, WallClock

HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""What a process gets when its terminal is closed; None on Windows."""
_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
STOP_SIGNALS: tuple[int, ...] = tuple(int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name))

ONE_REQUEST_S = 1.0

IsStopped = Callable[[], bool]
"""Asked, again and again, by what takes long: whether nobody needs its result any more."""


def never_stopped() -> bool:
    """For what nobody breaks off."""
    return False


class StopFlag(Protocol):
    """What a loop asks before each round; a `threading.Event` is one too."""

    def is_set(self) -> bool: ...

    def set(self) -> None: ...


def handle_stop_signals(ask: Callable[[int], None], numbers: tuple[int, ...] = STOP_SIGNALS) -> Callable[[], None]:
    """Call `ask` with the number of each signal that comes; return what handles them as before.

    `ask` runs inside the handler: it must take no lock. Only the main thread can handle signals; elsewhere nothing happens. A
    SIGHUP that is ignored, as under nohup, stays ignored.
    """
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        ask(number)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    if threading.current_thread() is threading.main_thread():
        handled = [number for number in numbers if number != HANGUP or signal.getsignal(number) != signal.SIG_IGN]
        before.update({number: signal.signal(number, handle) for number in handled})
    return restore


@contextmanager
def on_stop_signals(ask: Callable[[int], None], numbers: tuple[int, ...] = STOP_SIGNALS) -> Generator[None]:
    """Handle the signals as `handle_stop_signals` does, and afterwards as before."""
    restore = handle_stop_signals(ask, numbers)
    try:
        yield
    finally:
        restore()


class StopRequest:
    """The flag that signals set. All that come within a second are one: terminals, shells and launchers send several.

    A later Ctrl-C raises KeyboardInterrupt, as long as that costs no file: while something is loaded or computed.
    """

    def __init__(self, is_interruptible: Callable[[], bool] = lambda: True, clock: Clock | None = None) -> None:
        self._is_interruptible = is_interruptible
        self._clock = clock or WallClock()
        self._plays_on: Callable[[], bool] = lambda: False
        self._asked_s: float | None = None
        self._hung_up = False

    def ask(self, number: int) -> None:
        """Take note of a signal, for `handle_stop_signals`. Raises KeyboardInterrupt."""
        now_s = self._clock.now_s()
        if number == HANGUP:
            self._hung_up = True
        elif self._asked_s is None:
            self._asked_s = now_s
        elif number == signal.SIGINT and now_s - self._asked_s >= ONE_REQUEST_S and self._is_interruptible():
            raise KeyboardInterrupt

    def begin(self, plays_on: Callable[[], bool]) -> None:
        """A show plays from now on, and finishes its files whatever comes. `plays_on` is asked, once, whether it goes on without its
        terminal."""
        self._plays_on, self._is_interruptible = plays_on, lambda: False

    def set(self) -> None:
        if self._asked_s is None:
            self._asked_s = self._clock.now_s()

    def is_asked(self) -> bool:
        """Return whether a signal asked for the end. A closed terminal does not count here: while a show is opened, nobody knows yet
        whether it goes on without one."""
        return self._asked_s is not None

    def is_set(self) -> bool:
        if self._hung_up:
            self._hung_up = False
            if not self._plays_on():
                self.set()
        return self._asked_s is not None
