"""A disk that hangs costs the scene that waits for it and a sentence; the scenes after it go on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.control.scenes.file_tasks import MOST_HUNG, WITHIN_S, WITHIN_WHILE_OTHERS_WAIT_S, FileTask, FileTasks

SOON_S = 10.0


class Disk:
    """A disk that can hang, and what took effect."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.happened: list[str] = []
        self.told: list[str] = []
        self.tasks = FileTasks("scenes", live=True, notify=self.told.append)

    def task(self, name: str, *, saves: bool = False, hangs: bool = False) -> FileTask:
        def run() -> Callable[[], None]:
            if hangs:
                assert self.answers.wait(60.0)
            return lambda: self.happened.append(name)

        return FileTask(name, saves, run)

    def finish(self, now_s: float) -> None:
        """Let the running task end and take effect."""
        assert self.tasks.wait(SOON_S)
        self.tasks.work(now_s)


def test_later_tasks_go_on_after_one_that_hangs() -> None:
    disk = Disk()
    disk.tasks.add(disk.task("recalling scene 1", hangs=True))
    disk.tasks.work(0.0)
    disk.tasks.work(WITHIN_S - 0.1)
    assert disk.told == []
    disk.tasks.work(WITHIN_S)
    assert disk.told == [
        "The disk of scenes does not answer: recalling scene 1 takes longer than 10 s and is left behind. The show goes on as it is."
    ]
    disk.tasks.add(disk.task("recalling scene 2"))
    disk.tasks.work(WITHIN_S + 1.0)
    disk.finish(WITHIN_S + 2.0)
    disk.answers.set()
    disk.finish(WITHIN_S + 3.0)
    assert disk.happened == ["recalling scene 2"]
    assert len(disk.told) == 1


def test_one_that_hangs_is_left_sooner_while_others_wait() -> None:
    disk = Disk()
    disk.tasks.add(disk.task("recalling scene 1", hangs=True))
    disk.tasks.add(disk.task("recalling scene 2"))
    disk.tasks.work(0.0)
    disk.tasks.work(WITHIN_WHILE_OTHERS_WAIT_S)
    disk.finish(WITHIN_WHILE_OTHERS_WAIT_S)
    disk.answers.set()
    assert disk.happened == ["recalling scene 2"]


def test_a_save_that_hangs_keeps_later_saves_from_overtaking_it_and_is_told_when_it_ends() -> None:
    disk = Disk()
    disk.tasks.add(disk.task("saving scene 1", saves=True, hangs=True))
    disk.tasks.work(0.0)
    disk.tasks.work(WITHIN_S)
    disk.tasks.add(disk.task("saving scene 1 again", saves=True))
    disk.tasks.add(disk.task("recalling scene 2"))
    disk.tasks.work(WITHIN_S)
    disk.finish(WITHIN_S)
    assert disk.told[1:] == ["The disk of scenes still does not answer; saving scene 1 again is left out."]
    assert disk.happened == ["recalling scene 2"]
    disk.answers.set()
    while "saving scene 1" not in disk.happened:
        disk.tasks.work(WITHIN_S + 1.0)
    disk.tasks.add(disk.task("saving scene 3", saves=True))
    disk.tasks.work(WITHIN_S + 2.0)
    disk.finish(WITHIN_S + 2.0)
    assert disk.happened[-1] == "saving scene 3"


def test_threads_that_hang_are_few() -> None:
    disk = Disk()
    for number in range(3 * MOST_HUNG):
        disk.tasks.add(disk.task(f"recalling scene {number}", hangs=True))
        disk.tasks.work(number * WITHIN_S)
        disk.tasks.work((number + 1) * WITHIN_S)
        assert sum(thread.name.startswith("recalling") for thread in threading.enumerate()) <= MOST_HUNG
    assert sum("is left behind" in line for line in disk.told) == MOST_HUNG
    assert sum("still does not answer" in line for line in disk.told) == 2 * MOST_HUNG
    disk.answers.set()


def test_a_show_that_closes_waits_for_saves_and_not_for_recalls() -> None:
    disk = Disk()
    disk.tasks.add(disk.task("recalling scene 1", hangs=True))
    disk.tasks.add(disk.task("saving scene 2", saves=True))
    disk.tasks.work(0.0)
    disk.tasks.close()
    disk.answers.set()
    assert disk.happened == ["saving scene 2"]
    assert disk.told == []
