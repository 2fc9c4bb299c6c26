"""Saves and recalls scenes while the show runs. Files are read and written in the background and take effect between hops.

snapshot = store.take_snapshot(index)
values = modulator.values(snapshot.values, ...)
frame = switcher.step(window_T, values, index)
show_events = scene_controller.show_events()      # for the take
scene_controller.attend(snapshot, now_s, features)    # takes effect from the next hop on

show_controller.py adds the playlist and what other threads ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from engine.audio.features.audio_features import SILENCE, AudioFeatures
from engine.control.beat_boundary import BeatBoundaries
from engine.control.left_out import left_out_controls
from engine.control.parameter import Value
from engine.control.parameter_store import ControlSnapshot, ControlSource
from engine.control.parameter_table import ShowValues, parameters_for
from engine.control.scenes.file_tasks import FileTask, FileTasks
from engine.control.scenes.scene_files import Scene, Scenes, number_after
from engine.core.errors import ConfigError, UserError
from engine.core.show_event import GLIDE, ShowEvent
from engine.model.backends.selection import read_card
from engine.model.switcher import ModelSwitcher

ORIGIN = "scene"
"""Origin of the values that a scene sets."""
MOST_WAITING = 16
"""Scenes that may wait to be written."""
WhenFailed = Callable[[UserError], None]
"""Gets why a scene could not be recalled, in the step thread."""


class _Request(NamedTuple):
    """How a scene was asked for."""

    when_failed: WhenFailed | None
    at_once: bool


class _Ready(NamedTuple):
    """A scene that was read."""

    recall: Callable[[], None]
    at_once: bool


class SceneController:
    """Handles the events `scene` and `save_scene`. All calls come from the step thread."""

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
        """`glide` gets the seconds that parameters take to their new values; offline the show waits for files."""
        self._scenes = scenes
        self._switcher = switcher
        self._store = store
        self._glide = glide
        self._notify = notify
        self._file_tasks = FileTasks(str(scenes.folder), live=live, notify=notify)
        self._steps = 0
        """How many scenes further the next one is that was asked for and is not known yet."""
        self._next_events: list[ShowEvent] = []
        # Events between two hops belong to the later one.
        self._last_events: list[ShowEvent] = []
        self.number = 0
        """The scene that was recalled or saved last; 0 before the first."""
        self.name = ""
        """Its number and name, to show."""
        self._boundaries = BeatBoundaries()
        self._ready: _Ready | None = None
        """The scene that was read and waits for its beat."""
        self._told: set[str] = set()
        """Sentences on controls that are left out."""
        self._requested = 0
        """The scene requested last, also one that could not be recalled: the next scene must get past it."""

    def attend(self, snapshot: ControlSnapshot, now_s: float, next_features: AudioFeatures = SILENCE) -> None:
        """At the time `now_s`, start what this hop's events request, and let finished tasks take effect.

        A scene that was read takes effect once the beat or bar that `quantise` names begins, by the features of the next hop.
        """
        self._boundaries.advance(next_features)
        # In a flood of events the queue stays bounded: of several recalls the last one counts.
        saved = dict.fromkeys(event.number for event in snapshot.events if event.name == ShowValues.save_scene.name)
        if saved:
            self._save(tuple(saved), snapshot.values)
        recalled = [event.number for event in snapshot.events if event.name == ShowValues.scene.name]
        if recalled:
            self.recall(recalled[-1])
        self._file_tasks.work(now_s)
        ready = self._ready
        if ready and (ready.at_once or self._boundaries.is_chosen(ShowValues(snapshot.values).quantise)):
            self._ready = None
            try:
                ready.recall()
            except UserError as error:
                self._notify(f"{error} The show goes on as it is.")
        self._last_events, self._next_events = self._next_events, []

    def recall(self, number: int, when_failed: WhenFailed | None = None, at_once: bool = False) -> None:
        """Recall a scene; the next `attend` begins. One that is asked for and does not play yet is dropped.

        `at_once` says that it does not wait for what `quantise` names: it comes at its time already.
        """
        self._drop_recalls()
        self._requested, self._steps = number, 0
        request = _Request(when_failed, at_once)
        self._file_tasks.add(FileTask(f"recalling scene {number}", False, self._recalling(number, request)))

    def recall_next(self, steps: int = 1) -> None:
        """Recall the scene that comes so many after the one requested last; the next `attend` begins."""
        self._drop_recalls()
        self._steps += steps

        def find() -> Callable[[], None]:
            ordered = self._scenes.ordered()
            return lambda: self._recall_after(ordered)

        self._file_tasks.add(FileTask("finding the next scene", False, find))

    def note(self, show_event: ShowEvent) -> None:
        """Let a show event belong to the next hop, before `attend`."""
        self._next_events.append(show_event)

    def show_events(self) -> tuple[ShowEvent, ...]:
        """Return the show events of the last step, for the take."""
        due, self._last_events = self._last_events, []
        return (*due, *self._switcher.show_events())

    @property
    def is_waiting(self) -> bool:
        """Whether a scene was read and waits for its beat or bar, or its model is being loaded."""
        return self._ready is not None or self._switcher.is_loading

    @property
    def requested(self) -> int:
        """The scene requested last, also one that could not be recalled."""
        return self._requested

    @property
    def waiting(self) -> int:
        """Number of scene files that wait to be read or written."""
        return len(self._file_tasks)

    def repeat(self, show_event: ShowEvent) -> None:
        """Repeat a show event of a take at its hop: after the snapshot, before values and step. Raises UserError."""
        if show_event["kind"] == GLIDE:
            self._glide(float(show_event["seconds"]))
        else:
            self._switcher.repeat(show_event)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the running file task is done, at most so long; it takes effect after the next hop. For tests."""
        return self._file_tasks.wait(timeout_s)

    def close(self) -> None:
        """Finish all saves."""
        self._file_tasks.close()

    def _save(self, numbers: tuple[int, ...], values: Mapping[str, Value]) -> None:
        card = self._switcher.playing
        try:
            state = self._switcher.snapshot_state()
        except UserError as error:
            # The state is on a device that has just been lost.
            self._notify(f"{error} No scene is saved.")
            return
        saved = [p.name for p in parameters_for(card) if p.in_scenes and not p.happens]
        for number in numbers:
            if len(self._file_tasks) >= MOST_WAITING:
                self._notify(
                    f"Scene {number} is not saved: {MOST_WAITING} others wait for the disk; try again in a moment."
                )
                return
            scene = Scene(
                number=number,
                name=f"{card.name} {number}",
                model=self._switcher.playing_path,
                model_sha256=card.graph_sha256,
                values={name: values[name] for name in saved if name in values},
                state=state,
            )
            self._file_tasks.add(FileTask(f"saving scene {number}", True, self._saving(scene)))

    def _saving(self, scene: Scene) -> Callable[[], Callable[[], None]]:
        def save() -> Callable[[], None]:
            path = self._scenes.save(scene)
            return lambda: self._saved(scene.number, path)

        return save

    def _saved(self, number: int, path: Path) -> None:
        self.number = self._requested = number
        self.name = str(number)
        self._notify(f"Scene {number} is saved in {path}.")

    def _recall_after(self, ordered: tuple[int, ...]) -> None:
        steps, self._steps = self._steps, 0
        # Once round is the same scene again.
        steps = steps if steps <= len(ordered) else steps % len(ordered) if ordered else 0
        number: int | None = self._requested
        for _ in range(steps):
            number = number_after(ordered, number or 0)
        if not ordered:
            self._notify("There is no scene yet; save one first.")
        elif steps and number:
            self.recall(number)

    def _drop_recalls(self) -> None:
        self._file_tasks.drop_recalls()
        self._ready = None

    def _tell_failed(self, error: UserError) -> None:
        self._notify(f"{error} The show goes on as it is.")

    def _recalling(self, number: int, request: _Request) -> Callable[[], Callable[[], None]]:
        playing_sha256 = self._switcher.playing.graph_sha256

        def load() -> Callable[[], None]:
            try:
                scene, notices = self._scenes.load(number)
                found = scene.model_sha256
                if scene.model and scene.model_sha256 != playing_sha256:
                    found = _checksum(scene)
            except UserError as error:
                failure = error
                return lambda: (request.when_failed or self._tell_failed)(failure)
            return lambda: self._make_ready(
                _Ready(partial(self._recall, scene, notices, found, request.when_failed), request.at_once)
            )

        return load

    def _make_ready(self, ready: _Ready) -> None:
        """Keep what recalls a scene until its beat or bar begins; of several scenes the last one counts."""
        self._ready = ready

    def _recall(
        self, scene: Scene, notices: tuple[str, ...], found_sha256: str, when_failed: WhenFailed | None
    ) -> None:
        for notice in notices:
            self._notify(notice)
        if scene.model and found_sha256 != self._switcher.playing.graph_sha256:
            self._switcher.swap_to(
                scene.model,
                state=scene.state,
                graph_sha256=scene.model_sha256,
                when_taken=lambda: self._set(scene),
                when_refused=when_failed,
            )
            return
        if scene.model:
            self._switcher.cancel_pending()
        self._set(scene)
        if scene.state is not None and scene.model_sha256 != found_sha256:
            self._notify(
                f"Scene {scene.number} was saved with another {Path(scene.model).name}; "
                "its parameters are recalled and its state is not."
            )
        elif scene.state is not None:
            self._switcher.restore_state(scene.state)

    def _set(self, scene: Scene) -> None:
        """Let the parameters glide to the scene's values. From here on it is the scene that plays."""
        self.number = scene.number
        self.name = f"{scene.number} {scene.name}".strip()
        seconds = ShowValues(self._store.values()).crossfade_s
        self._glide(seconds)
        self._next_events.append({"kind": GLIDE, "seconds": seconds})
        refused: list[str] = []
        left_out = left_out_controls(self._switcher.next_card)
        for name, value in scene.values.items():
            if name in left_out:
                self._tell_left_out(left_out[name])
                continue
            parameter = self._store.find(name)
            try:
                if parameter and parameter.happens:
                    raise ConfigError(f"{name} has no value to set.")
                self._store.set(name, value, origin=ORIGIN)
            except ConfigError as error:
                refused.append(str(error).split(" Known are ")[0].rstrip("."))
        name = f" '{scene.name}'" if scene.name else ""
        but = f", except for this: {'; '.join(refused)}" if refused else ""
        self._notify(f"Scene {scene.number}{name if not refused else ''} is recalled{but}.")

    def _tell_left_out(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._notify(sentence)


def _checksum(scene: Scene) -> str:
    """Return the checksum of the model file that a scene names. Raises ConfigError where it cannot be played."""
    try:
        return read_card(scene.model).graph_sha256
    except UserError as error:
        raise ConfigError(f"Scene {scene.number} names a model that cannot be played: {error}") from error
