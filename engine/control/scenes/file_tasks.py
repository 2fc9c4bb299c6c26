"""The files of scenes, read and written one after the other while the show goes on.

A disk that hangs costs the scene that waits for it and a sentence: its task is left behind, and those after it go on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from engine.core.background_task import BackgroundTask
from engine.core.errors import UserError

WITHIN_S = 10.0
"""A task that takes longer is left behind."""
WITHIN_WHILE_OTHERS_WAIT_S = 2.0
MOST_HUNG = 4
"""Tasks left behind that have not ended; with so many of them no other begins."""
CLOSE_WITHIN_S = 5.0


class FileTask(NamedTuple):
    """A scene file to read or write."""

    name: str
    """What it does, e.g. "saving scene 3"."""
    saves: bool
    """Whether it writes; a save is never dropped for a later task."""
    run: Callable[[], Callable[[], None]]
    """Works in the background and returns what to do then in the step thread."""


class _Begun(NamedTuple):
    file_task: FileTask
    task: BackgroundTask[Callable[[], None]]
    at_s: float


class FileTasks:
    """All calls come from the step thread."""

    def __init__(self, place: str, *, live: bool, notify: Callable[[str], None]) -> None:
        """`place` is the folder, for people; offline the show waits for every task."""
        self._place = place
        self._live = live
        self._notify = notify
        self._waiting: deque[FileTask] = deque()
        self._running: _Begun | None = None
        self._hung: list[_Begun] = []

    def __len__(self) -> int:
        """Return how many tasks wait."""
        return len(self._waiting)

    def add(self, file_task: FileTask) -> None:
        """Put a task behind the others; `work` begins it."""
        self._waiting.append(file_task)

    def drop_recalls(self) -> None:
        """Forget the recalls that have not begun."""
        self._waiting = deque(file_task for file_task in self._waiting if file_task.saves)

    def work(self, now_s: float) -> None:
        """Let the task that is done take effect and begin the next; one after the other, so that a scene just saved is found."""
        self._attend_hung()
        while self._running or self._waiting:
            if self._running is None:
                self._begin(now_s)
                continue
            if not self._live:
                self._running.task.wait()
            if self._running.task.is_done:
                self._finish(self._running)
            elif not self._leave_if_hung(self._running, now_s):
                return

    def wait(self, timeout_s: float) -> bool:
        """Wait until the running task is done, at most so long; `work` lets it take effect. For tests."""
        return self._running is None or self._running.task.wait(timeout_s)

    def close(self) -> None:
        """Finish all saves; nobody needs a recall any more."""
        self.drop_recalls()
        if self._running and not self._running.file_task.saves:
            self._running = None
        for hung in self._hung:
            if hung.file_task.saves:
                hung.task.wait(CLOSE_WITHIN_S)
        self._attend_hung()
        self._begin(math.inf)
        while self._running and self._running.task.wait(CLOSE_WITHIN_S):
            self._finish(self._running)
            self._begin(math.inf)
        unfinished = [hung.file_task.name for hung in self._hung if hung.file_task.saves]
        unfinished += [file_task.name for file_task in self._waiting if file_task.saves]
        if self._running and self._running.file_task.saves:
            unfinished.insert(0, self._running.file_task.name)
        if unfinished:
            self._notify(f"The disk of {self._place} does not answer; {', '.join(unfinished)} did not end.")

    def _begin(self, now_s: float) -> None:
        """Begin the next task that may begin."""
        while self._waiting and self._running is None:
            file_task = self._waiting.popleft()
            # A save that comes late must not write over a later one.
            saves_hang = file_task.saves and any(hung.file_task.saves for hung in self._hung)
            if saves_hang or len(self._hung) >= MOST_HUNG:
                self._notify(f"The disk of {self._place} still does not answer; {file_task.name} is left out.")
            else:
                self._running = _Begun(file_task, BackgroundTask(file_task.name, file_task.run), now_s)

    def _leave_if_hung(self, running: _Begun, now_s: float) -> bool:
        """Leave a task behind that takes too long, and tell whether it did."""
        # A slow disk shall not cost the saves that wait for this one.
        limit_s = WITHIN_WHILE_OTHERS_WAIT_S if self._waiting and not running.file_task.saves else WITHIN_S
        if now_s - running.at_s < limit_s:
            return False
        self._running = None
        self._hung.append(running)
        self._notify(
            f"The disk of {self._place} does not answer: {running.file_task.name} takes longer than {limit_s:g} s and is left "
            "behind. The show goes on as it is."
        )
        return True

    def _attend_hung(self) -> None:
        """Tell how the saves that were left behind ended; a recall comes too late."""
        for hung in [hung for hung in self._hung if hung.task.is_done]:
            self._hung.remove(hung)
            if hung.file_task.saves:
                self._take_effect(hung)

    def _finish(self, running: _Begun) -> None:
        self._running = None
        self._take_effect(running)

    def _take_effect(self, ended: _Begun) -> None:
        try:
            ended.task.result()()
        except UserError as error:
            self._notify(f"{error} The show goes on as it is.")
