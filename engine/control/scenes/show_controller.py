"""What changes a show from hop to hop beside its parameters: scenes, the playlist, and what other threads ask for.

    values = modulator.values(...); frame = switcher.step(...)
    show_events = show_controller.show_events()               # for the take
    show_controller.attend(snapshot, now_s, time_s, features) # takes effect from the next hop on

Other threads call `ask`, with what is then done in the step thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_store import ControlSnapshot
from engine.control.parameter_table import ShowValues
from engine.control.scenes.playlist import Moment, PlaylistEntry, PlaylistPlayer, PlaylistState
from engine.control.scenes.scene_controller import SceneController
from engine.core.errors import ConfigError, UserError
from engine.core.show_event import MAPPING, ShowEvent

MOST_ASKED = 64
"""Requests that may wait for the end of a hop."""
SetMapping = Callable[[str, str, bool], None]
"""Takes a parameter, the expression that drives it from now on (empty: none), and whether the parameter may be one that the playing
model lacks. Raises ConfigError."""


class ShowController:
    """All calls but `ask` and `playlist` come from the step thread."""

    def __init__(self, scenes: SceneController, set_mapping: SetMapping, notify: Callable[[str], None] = print) -> None:
        self._scenes = scenes
        self._set_mapping = set_mapping
        self._notify = notify
        self._playlist = PlaylistPlayer()
        self._loops = True
        self._asked: deque[Callable[[], None]] = deque()

    @property
    def playlist(self) -> PlaylistState:
        """The playlist and where it is; from any thread."""
        return self._playlist.state

    def ask(self, call: Callable[[], None]) -> None:
        """Have `call` made in the step thread at the end of a hop; it must not wait. From any thread. Raises ConfigError for a flood."""
        if len(self._asked) >= MOST_ASKED:
            raise ConfigError(f"{MOST_ASKED} changes wait for the show already; try again in a moment.")
        self._asked.append(call)

    def replace_playlist(self, entries: Sequence[PlaylistEntry]) -> None:
        """Play other entries from the next hop on."""
        self._playlist.replace(entries)

    def drive(self, parameter: str, expression: str) -> None:
        """Drive a parameter by an expression from the next hop on; an empty one leaves it alone. Raises ConfigError."""
        self._set_mapping(parameter, expression, False)
        self._scenes.note({"kind": MAPPING, "parameter": parameter, "expression": expression})

    def attend(self, snapshot: ControlSnapshot, now_s: float, time_s: float, next_features: AudioFeatures) -> None:
        """At the time `now_s` and the end of a hop, do what was asked for and what the playlist has come to.

        `time_s` is the time of the sound, `next_features` are those of the next hop, in which it takes effect.
        """
        # What is asked for meanwhile waits for the next hop.
        for _ in range(len(self._asked)):
            try:
                self._asked.popleft()()
            except UserError as error:
                self._notify(f"{error} The show goes on as it is.")
        by_hand, wanted = _asked(snapshot)
        recall = self._play_on(ShowValues(snapshot.values), _moment(time_s, next_features), by_hand, wanted)
        if not by_hand:
            recall()
        self._scenes.attend(snapshot, now_s, next_features)
        if by_hand:
            # After the scene that was recalled by hand in the same hop, from the next one on.
            recall()

    def show_events(self) -> tuple[ShowEvent, ...]:
        """Return the show events of the last step, for the take."""
        return self._scenes.show_events()

    def repeat(self, show_event: ShowEvent) -> None:
        """Repeat a show event of a take at its hop: after the snapshot, before values and step. Raises UserError."""
        if show_event["kind"] == MAPPING:
            # In the show, another model may have taken over in the same hop.
            self._set_mapping(str(show_event["parameter"]), str(show_event["expression"]), True)
        else:
            self._scenes.repeat(show_event)

    def _play_on(self, values: ShowValues, moment: Moment, by_hand: int, wanted: int) -> Callable[[], None]:
        """Advance the playlist, and return what recalls the scene that comes now, if any."""
        self._loops = values.playlist_loop
        before = self._playlist.state
        number = self._playlist.advance(
            moment,
            runs=values.playlist,
            loops=self._loops,
            wanted=wanted,
            by_hand=by_hand,
            plays=self._scenes.number,
            waits=self._scenes.is_waiting,
        )
        if number:
            # Bars end on a bar line by themselves.
            is_on_time = before.position >= 0 and before.entries[before.position].unit == "bars" and not wanted
            return lambda: self._recall(number, is_on_time)
        if wanted and not self._playlist.runs:
            return lambda: self._scenes.recall_next(wanted)
        return lambda: None

    def _recall(self, number: int, at_once: bool = False) -> None:
        self._scenes.recall(number, lambda error: self._skip(number, error), at_once)

    def _skip(self, number: int, error: UserError) -> None:
        """Go on with the entry after scene `number`, which cannot be recalled, unless somebody has asked for another one since."""
        if number != self._scenes.requested:
            self._notify(f"{error} The show goes on as it is.")
            return
        following = self._playlist.skip(number, self._loops)
        if following is None:
            self._notify(f"{error} The show goes on as it is.")
            return
        self._notify(f"{error} The playlist goes on with scene {following}.")
        self._recall(following)


def _asked(snapshot: ControlSnapshot) -> tuple[int, int]:
    """Return the scene that was recalled by hand in this hop, 0 for none, and how often the next one was asked for since."""
    by_hand = wanted = 0
    for event in snapshot.events:
        if event.name == ShowValues.scene.name:
            by_hand, wanted = event.number, 0
        elif event.name == ShowValues.next_scene.name:
            wanted += 1
    return by_hand, wanted


def _moment(time_s: float, features: AudioFeatures) -> Moment:
    return Moment(time_s, features.beats, features.beats_a_bar, features.tempo_bpm > 0.0)
