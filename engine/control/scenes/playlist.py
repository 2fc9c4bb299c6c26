"""The playlist of a show: which scene plays how long, counted in bars or in seconds of the sound.

    playlist = PlaylistPlayer(entries)
    number = playlist.advance(moment, runs=True)        # once a hop; the scene to recall now, or None

It knows no clock and no disk: the same moments give the same scenes. Bars end on the bar lines of the beat that is heard, tapped or
set. Without a tempo a bar lasts BAR_WITHOUT_TEMPO_S.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from engine.control.parameter_table import ShowValues
from engine.core.errors import ConfigError
from engine.core.structured import shown

Unit = Literal["bars", "seconds"]
UNITS: tuple[Unit, ...] = ("bars", "seconds")
MOST_ENTRIES = 256
MOST_SCENES = int(ShowValues.scene.high)
LEAST_SECONDS, MOST_SECONDS = 0.5, 86_400.0
MOST_BARS = 10_000
BAR_WITHOUT_TEMPO_S = 2.0
"""Four beats at 120 bpm."""


@dataclass(frozen=True, slots=True)
class PlaylistEntry:
    """A scene in the playlist and how long it plays. Raises ConfigError for what cannot be."""

    scene: int
    length: float
    unit: Unit
    takes_part: bool = True

    def __post_init__(self) -> None:
        if type(self.scene) is not int or not 1 <= self.scene <= MOST_SCENES:
            raise ConfigError(
                f"The playlist names scene {shown(self.scene)}; a whole number from 1 to {MOST_SCENES} was expected."
            )
        if self.unit not in UNITS:
            raise ConfigError(
                f"Scene {self.scene} of the playlist lasts {shown(self.unit)}; bars or seconds were expected."
            )
        if type(self.takes_part) is not bool:
            raise ConfigError(
                f"Scene {self.scene} of the playlist has takes_part: {shown(self.takes_part)}; true or false was expected."
            )
        least, most = (1, MOST_BARS) if self.unit == "bars" else (LEAST_SECONDS, MOST_SECONDS)
        is_number = type(self.length) in (int, float) and math.isfinite(self.length)
        is_whole = is_number and float(self.length).is_integer()
        if not is_number or not least <= self.length <= most or (self.unit == "bars" and not is_whole):
            number = "a whole number" if self.unit == "bars" else "a number"
            raise ConfigError(
                f"Scene {self.scene} of the playlist lasts {shown(self.length)} {self.unit}; {number} from {least:g} to {most:g} "
                "was expected."
            )


@dataclass(frozen=True, slots=True)
class PlaylistState:
    """The playlist, and the entry that plays; -1 while it does not run. It runs while the parameter `playlist` is on."""

    entries: tuple[PlaylistEntry, ...]
    position: int
    left: float
    """How much of the entry is left, in its unit."""


class Moment(NamedTuple):
    """The end of a hop."""

    time_s: float
    """Time of the sound."""
    beats: float = 0.0
    """Beats since the start."""
    beats_a_bar: int = 4
    has_tempo: bool = False

    @property
    def bars(self) -> float:
        return self.beats / self.beats_a_bar


def check_entries(entries: Sequence[PlaylistEntry]) -> tuple[PlaylistEntry, ...]:
    """Return the entries of a playlist. Raises ConfigError for too many."""
    if len(entries) > MOST_ENTRIES:
        raise ConfigError(f"The playlist has {len(entries)} entries; at most {MOST_ENTRIES} were expected.")
    return tuple(entries)


class PlaylistPlayer:
    """Says hop after hop which scene comes. All calls come from one thread; `state` may be read from any."""

    def __init__(self, entries: Sequence[PlaylistEntry] = ()) -> None:
        self._entries = check_entries(entries)
        self._position = -1
        self._left = 0.0
        self._before: Moment | None = None
        self._skipped = 0
        """Entries in a row whose scene could not be recalled."""
        self.state = PlaylistState(self._entries, -1, 0.0)

    @property
    def runs(self) -> bool:
        """Whether an entry plays."""
        return self._position >= 0

    def replace(self, entries: Sequence[PlaylistEntry]) -> None:
        """Take other entries. The scene that plays keeps its time where it is in them."""
        playing = self._entries[self._position] if self.runs else None
        self._entries = check_entries(entries)
        if playing is not None:
            position = self._place_of(playing.scene)
            if position is None:
                # The next advance begins the playlist.
                self._position = -1
            elif self._entries[position] != playing:
                self._begin(position)
            else:
                self._position = position
        self._publish()

    def advance(
        self, moment: Moment, *, runs: bool, loops: bool = True, wanted: int = 0, by_hand: int = 0, plays: int = 0
    ) -> int | None:
        """Return the scene to recall at the end of a hop; None: it stays as it is.

        `runs` says whether the playlist is on, `by_hand` the scene that was recalled by hand (0: none), `wanted` how often the next
        one was asked for since, `plays` the one that plays (0: none).
        """
        before, self._before = self._before or moment, moment
        if not runs or not any(entry.takes_part for entry in self._entries):
            self._position, self._skipped = -1, 0
            self._publish()
            return None
        if self.runs and self._entries[self._position].scene == plays:
            self._skipped = 0
        number: int | None = None
        if by_hand:
            # Somebody else's scene has the time of the entry that it took the place of.
            place = self._place_of(by_hand)
            self._begin((self._position if self.runs else self._first()) if place is None else place)
            self._skipped = 0
            number = self._go_on(wanted, True) if wanted else None
        elif not self.runs:
            number = self._enter(plays, wanted)
        elif wanted or self._is_over(before, moment):
            number = self._go_on(max(1, wanted), loops or wanted > 0)
        self._publish()
        return number

    def skip(self, number: int, loops: bool = True) -> int | None:
        """Return the scene to recall in place of scene `number`, which could not be; None where none can."""
        if not self.runs or self._entries[self._position].scene != number:
            return None
        self._skipped += 1
        if self._skipped >= sum(entry.takes_part for entry in self._entries):
            return None
        following = self._go_on(1, loops)
        self._publish()
        return following

    def _enter(self, plays: int, wanted: int) -> int | None:
        place = self._place_of(plays) if plays else None
        if place is not None and not wanted:
            self._begin(place)
            return None
        self._begin(self._first())
        return self._entries[self._position].scene

    def _first(self) -> int:
        return next(place for place, entry in enumerate(self._entries) if entry.takes_part)

    def _go_on(self, steps: int, loops: bool) -> int | None:
        """Go to the entry that comes `steps` later; after the last one it stays, unless the playlist loops."""
        taking_part = [place for place, entry in enumerate(self._entries) if entry.takes_part]
        later = [place for place in taking_part if place > self._position]
        if not later and not loops:
            self._left = 0.0
            return None
        at = taking_part.index(later[0]) if later else 0
        self._begin(taking_part[(at + steps - 1) % len(taking_part)])
        return self._entries[self._position].scene

    def _begin(self, position: int) -> None:
        self._position, self._left = position, self._entries[position].length

    def _place_of(self, scene: int) -> int | None:
        """Return the nearest entry with a scene, from the one that plays on."""
        places = [place for place, entry in enumerate(self._entries) if entry.scene == scene and entry.takes_part]
        return next((place for place in places if place >= self._position), places[0] if places else None)

    def _is_over(self, before: Moment, now: Moment) -> bool:
        """Count what has passed since the last hop, and tell whether the entry is over."""
        entry = self._entries[self._position]
        passed_s = max(0.0, now.time_s - before.time_s)
        if entry.unit == "seconds":
            self._left -= passed_s
        elif now.has_tempo:
            # Taps may set the beat back or forth; that is no time that passed.
            passed_bars = now.bars - before.bars
            self._left -= passed_bars if 0.0 <= passed_bars < 1.0 else 0.0
            # The bar line that is nearest to the length: a scene that began in the middle of a bar ends on one.
            return self._left < 0.5 and math.floor(now.bars) > math.floor(before.bars)
        else:
            self._left -= passed_s / BAR_WITHOUT_TEMPO_S
        # Half a sample of rounding is no hop more.
        return self._left <= 1e-6

    def _publish(self) -> None:
        left = max(0.0, self._left) if self.runs else 0.0
        state = PlaylistState(self._entries, self._position, left)
        if state != self.state:
            self.state = state
