"""Who keeps and recalls scenes while the show runs: files are read and written beside it, and take effect between hops.

turn = box.take_snapshot(index)
values = modulator.values(turn.values, ...)
picture = deck.step(window, values, index)
happenings = desk.happenings()      # for the take
desk.attend(turn)                   # takes effect from the next hop on
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from engine.control.parameter import Value
from engine.control.parameter_store import ControlSnapshot, ControlSource
from engine.control.parameter_table import parameters_for
from engine.control.scenes.scene_files import Scene, Scenes
from engine.core.background_task import BackgroundTask
from engine.core.errors import ConfigError, UserError
from engine.core.show_event import GLIDE, ShowEvent
from engine.model.backends.selection import read_card
from engine.model.switcher import ModelSwitcher

RECALL, SAVE = "scene", "save_scene"
NOT_KEPT = frozenset({
    "flash_guard", "overlay", "record", "blackout", "freeze", "crossfade_s", "look_ahead_ms", "tempo_bpm", "auto_gain", "gate_db",
})  # fmt: skip
"""What belongs to the evening, the venue and the people in it rather than to a scene. A scene written by hand may say them."""
CLOSE_WITHIN_S = 5.0
MOST_WAITING = 16
"""Scenes that may wait to be written."""


class _Job(NamedTuple):
    """A file to be read or written."""

    name: str
    keeps: bool
    """Whether it writes, which is not left out."""
    do: Callable[[], Callable[[], None]]
    """Does it beside the show, and returns what is then to be done in the show."""


class SceneController:
    """Serves the events `scene` and `save_scene`. All calls come from the thread that steps."""

    def __init__(
        self,
        scenes: Scenes,
        switcher: ModelSwitcher,
        store: ControlSource,
        *,
        glide: Callable[[float], None],
        live: bool = True,
        notify: Callable[[str], None] = print,
    ) -> None:
        """`glide` is told for how many seconds the knobs shall be on their way; offline files are read while the show waits."""
        self._scenes = scenes
        self._switcher = switcher
        self._store = store
        self._glide = glide
        self._live = live
        self._notify = notify
        self._jobs: deque[_Job] = deque()
        self._task: BackgroundTask[Callable[[], None]] | None = None
        self._told: list[ShowEvent] = []
        # What takes effect between two hops belongs to the later one.
        self._due: list[ShowEvent] = []
        self.number = 0
        """The scene that was recalled or kept last; 0 before any was."""
        self.name = ""
        """Its number and its name, for people."""
        self._asked = 0
        """The same, also where it could not be recalled: else nobody got past it with the next one's key."""

    def attend(self, snapshot: ControlSnapshot) -> None:
        """Begin what was asked for in this hop, and let what is ready take effect."""
        # Whatever floods of events come, what waits is bounded: of recalls the last one counts.
        kept = dict.fromkeys(event.number for event in snapshot.events if event.name == SAVE)
        if kept:
            self._save(tuple(kept), snapshot.values)
        recalled = [event.number for event in snapshot.events if event.name == RECALL]
        if recalled:
            self._drop_recalls()
            self._asked = recalled[-1]
            self._jobs.append(_Job(f"recalling scene {recalled[-1]}", False, self._recalling(recalled[-1])))
        self._work()
        self._due, self._told = self._told, []

    def show_events(self) -> tuple[ShowEvent, ...]:
        """Take what a take has to know of the last step."""
        due, self._due = self._due, []
        return (*due, *self._switcher.show_events())

    def following(self) -> int:
        """Return the number of the scene after the one asked for last, for a key; 1 where there are none. For any thread."""
        return self._scenes.after(self._asked) or 1

    def repeat(self, show_event: ShowEvent) -> None:
        """Do again what happened at this hop: after its turn, before its values and its step. Raises UserError."""
        if show_event["kind"] == GLIDE:
            self._glide(float(show_event["seconds"]))
        else:
            self._switcher.repeat(show_event)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the file in work is read or written, at most so long; it takes effect after the next hop. For tests."""
        return self._task is None or self._task.wait(timeout_s)

    def close(self) -> None:
        """Finish what is being written."""
        while self._task and self._task.wait(CLOSE_WITHIN_S):
            self._finish(self._task)
            self._drop_recalls()
            self._start()

    def _work(self) -> None:
        """Finish the job that is over and begin the next; they are done one after the other, so that a scene just kept is found."""
        while self._task or self._jobs:
            if self._task is None:
                self._start()
            assert self._task
            if not self._live:
                self._task.wait()
            if not self._task.is_done:
                return
            self._finish(self._task)

    def _start(self) -> None:
        if self._jobs:
            job = self._jobs.popleft()
            self._task = BackgroundTask(job.name, job.do)

    def _drop_recalls(self) -> None:
        self._jobs = deque(job for job in self._jobs if job.keeps)

    def _finish(self, task: BackgroundTask[Callable[[], None]]) -> None:
        self._task = None
        try:
            task.result()()
        except UserError as error:
            self._notify(f"{error} The show goes on as it is.")

    def _save(self, numbers: tuple[int, ...], values: Mapping[str, Value]) -> None:
        card = self._switcher.playing
        try:
            state = self._switcher.snapshot_state()
        except UserError as error:
            # It lies on a device that has just been lost.
            self._notify(f"{error} No scene is kept.")
            return
        settable = [p.name for p in parameters_for(card) if not p.happens and p.name not in NOT_KEPT]
        for number in numbers:
            if len(self._jobs) >= MOST_WAITING:
                self._notify(
                    f"Scene {number} is not kept: {MOST_WAITING} others wait for the disk; ask again in a moment."
                )
                return
            scene = Scene(
                number=number,
                name=f"{card.name} {number}",
                model=self._switcher.playing_path,
                model_sha256=card.graph_sha256,
                values={name: values[name] for name in settable if name in values},
                state=state,
            )
            self._jobs.append(_Job(f"keeping scene {number}", True, self._keeping(scene)))

    def _keeping(self, scene: Scene) -> Callable[[], Callable[[], None]]:
        def save() -> Callable[[], None]:
            path = self._scenes.save(scene)
            return lambda: self._kept(scene.number, path)

        return save

    def _kept(self, number: int, path: Path) -> None:
        self.number = self._asked = number
        self.name = str(number)
        self._notify(f"Scene {number} is kept in {path}.")

    def _recalling(self, number: int) -> Callable[[], Callable[[], None]]:
        playing_sha256 = self._switcher.playing.graph_sha256

        def load() -> Callable[[], None]:
            scene, notices = self._scenes.load(number)
            found = scene.model_sha256
            if scene.model and scene.model_sha256 != playing_sha256:
                found = _checksum(scene)
            return lambda: self._recall(scene, notices, found)

        return load

    def _recall(self, scene: Scene, notices: tuple[str, ...], found_sha256: str) -> None:
        for notice in notices:
            self._notify(notice)
        self.number = scene.number
        self.name = f"{scene.number} {scene.name}".strip()
        if scene.model and found_sha256 != self._switcher.playing.graph_sha256:
            self._switcher.swap_to(
                scene.model,
                state=scene.state,
                graph_sha256=scene.model_sha256,
                when_taken=lambda: self._set(scene),
            )
            return
        if scene.model:
            self._switcher.stay()
        self._set(scene)
        if scene.state is not None and scene.model_sha256 != found_sha256:
            self._notify(
                f"Scene {scene.number} was kept with another {Path(scene.model).name}; "
                "its knobs are recalled and its state is not."
            )
        elif scene.state is not None:
            self._switcher.restore_state(scene.state)

    def _set(self, scene: Scene) -> None:
        """Let the knobs glide to the scene's values."""
        seconds = float(self._store.values().get("crossfade_s", 0.0))
        self._glide(seconds)
        self._told.append({"kind": GLIDE, "seconds": seconds})
        refused: list[str] = []
        for name, value in scene.values.items():
            parameter = self._store.parameters.get(name)
            try:
                if parameter and parameter.happens:
                    raise ConfigError(f"{name} is given rather than set.")
                self._store.set(name, value)
            except ConfigError as error:
                refused.append(str(error).split(" Known are ")[0].rstrip("."))
        name = f" '{scene.name}'" if scene.name else ""
        but = f" but for this: {'; '.join(refused)}" if refused else ""
        self._notify(f"Scene {scene.number}{name if not refused else ''} is recalled{but}.")


def _checksum(scene: Scene) -> str:
    """Return the checksum of the model file that a scene names. Raises ConfigError where there is none."""
    try:
        return read_card(scene.model).graph_sha256
    except UserError as error:
        raise ConfigError(f"Scene {scene.number} names a model that cannot be played: {error}") from error
