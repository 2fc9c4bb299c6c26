"""A call that is made again and again, in a thread of its own, until the show ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

CLOSES_WITHIN_S = 1.0


class RepeatingThread:
    """Calls every so many seconds from `start` to `close`; a daemon, so that the process can end even if a call hangs."""

    def __init__(self, name: str, every_s: float, call: Callable[[], None]) -> None:
        self._every_s = every_s
        self._call = call
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, within CLOSES_WITHIN_S; safe to call twice, and without `start`."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSES_WITHIN_S)

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            self._call()
