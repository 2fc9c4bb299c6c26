"""Takes that begin and end while a show plays, by the parameter `record_take`.

A take begins at the first hop at which the model plays alone and moves, with the model's state and what was heard shortly before. So the
model's frames are those of the show from its first one on, unless a mapping or a glide moves a control of the model; what effects, mappings
and the beat remember begins from nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from engine.audio.conditioning import GainHistory
from engine.control.parameter import Value
from engine.control.parameter_store import ControlSnapshot
from engine.control.parameter_table import TABLE, ShowValues
from engine.core.show_event import ShowEvent
from engine.takes.recent_sound import RecentSound, lead_in_hop
from engine.takes.recorder import TakeRecorder
from engine.takes.take_log import TakeHeader

# T samples, C channels

SWITCHED_OFF = "record_take was switched off"
WAITS = (
    "The take begins as soon as the model plays alone and moves: no crossfade, freeze or reset, no scene or mapping that changes, and no "
    "step that fails."
)
_TRIGGERS = frozenset(parameter.name for parameter in TABLE if parameter.kind == "trigger")


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What a take needs that begins with the next hop."""

    header: TakeHeader
    """Of a take that begins with the show."""
    state: ShowEvent
    """The model's state, as a take stores it."""
    gain: GainHistory
    """Where conditioning is."""


FindMoment = Callable[[], Moment | None]
"""Returns what a take needs that begins with the next hop, from the step thread; None while the model does not play alone."""
MakeTake = Callable[[TakeHeader, NDArray[np.float32] | None], TakeRecorder]
"""Makes the recorder of the next take, in a folder of its own, with the gain of the window before (see TakeRecorder)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Start:
    """Where a take begins in the show."""

    hop: int
    hop_samples: int
    triggers: Mapping[str, int]
    """How often each trigger had been given."""
    show_events: tuple[ShowEvent, ...]
    """What comes before all that happens in the first hop."""

    def values(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """Return values as the take has them: triggers count from its beginning."""
        counts = {name: int(values[name]) - before for name, before in self.triggers.items() if name in values}
        return MappingProxyType({**values, **counts})

    def snapshot(self, snapshot: ControlSnapshot, values: Mapping[str, Value]) -> ControlSnapshot:
        """Return a snapshot with these values, and with samples counted from the beginning of the take."""
        before = self.hop * self.hop_samples
        return ControlSnapshot(
            values,
            tuple(
                event._replace(number=max(event.number - before, 0)) if event.name in _TRIGGERS else event
                for event in snapshot.events
            ),
            tuple(
                point._replace(sample=point.sample - before) for point in snapshot.beat_points if point.sample >= before
            ),
        )


class TakeSwitch:
    """Records the takes of one show. `note` belongs to the step thread, `add_sound` to the one that reads the source."""

    def __init__(
        self,
        source_rate_hz: int,
        find_moment: FindMoment,
        make_take: MakeTake,
        notify: Callable[[str], None] = print,
        first: TakeRecorder | None = None,
    ) -> None:
        """`first` is a take that begins with the show and is open."""
        self._find_moment = find_moment
        self._make_take = make_take
        self._notify = notify
        self._sound = RecentSound(source_rate_hz)
        self._lock = threading.Lock()
        self._take = first
        self._start: _Start | None = None
        self._ended: list[TakeRecorder] = []
        self._was_on = False
        self._awaits = self._has_told = False
        self._next: tuple[int, Moment, Mapping[str, Value]] | None = None
        """The hop with which a take may begin, what it needs, and the values of the hop before."""
        self._given: Mapping[str, Value] = {}
        self._values: Mapping[str, Value] = {}
        """Values of the hop before, as the store gave them and as the take has them."""

    @property
    def is_recording(self) -> bool:
        """Whether a take is being recorded; from any thread."""
        take = self._take
        return take is not None and take.is_recording

    def add_sound(self, sound_TC: NDArray[np.float32]) -> None:
        """Add sound [T, C] as it came from the source; the array must not change afterwards."""
        if not len(sound_TC):
            return
        with self._lock:
            self._sound.add(sound_TC)
            if self._take:
                self._take.add_sound(sound_TC)

    def note(
        self,
        index: int,
        skipped_hops: int,
        snapshot: ControlSnapshot,
        failed: bool = False,
        show_events: Sequence[ShowEvent] = (),
        early_samples: Sequence[int] = (),
    ) -> None:
        """Record hop `index` in the take, and let takes begin and end. See TakeRecorder."""
        for ended in self._ended:
            ended.tell()
        self._ended = [ended for ended in self._ended if not ended.is_over]
        is_on = ShowValues(snapshot.values).record_take
        if self._was_on and not is_on:
            self._end(SWITCHED_OFF)
            self._awaits, self._next = False, None
        elif is_on and not self._was_on and not self._take:
            self._awaits, self._has_told = True, False
        self._was_on = is_on
        begins = self._awaits and self._may_begin(index - skipped_hops, snapshot, failed, show_events)
        if begins:
            self._begin()
        take, start = self._take, self._start
        if take and start:
            if snapshot.values is not self._given:
                self._given, self._values = snapshot.values, start.values(snapshot.values)
            before, first_events = start.hop * start.hop_samples, start.show_events if begins else ()
            # A step before the first hop shows nothing that the take has.
            early = () if begins else [end - before for end in early_samples]
            in_take = start.snapshot(snapshot, self._values)
            take.note(index - start.hop, skipped_hops, in_take, failed, (*first_events, *show_events), early)
        elif take:
            take.note(index, skipped_hops, snapshot, failed, show_events, early_samples)
        if self._awaits:
            self._prepare(index, snapshot)

    def close(self) -> None:
        """End the take and write what is queued; safe to call twice."""
        take, self._take = self._take, None
        for one in (*self._ended, *((take,) if take else ())):
            one.close()
        self._ended.clear()

    def _may_begin(
        self, first_hop: int, snapshot: ControlSnapshot, failed: bool, show_events: Sequence[ShowEvent]
    ) -> bool:
        """Return whether a take can begin with this hop: all that has happened in it happens again from the state before it."""
        if self._next is None or failed or show_events or ShowValues(snapshot.values).freeze:
            return False
        hop, moment, values = self._next
        # A reset comes between the state and the step.
        if hop != first_hop or ShowValues(snapshot.values).reset != ShowValues(values).reset:
            return False
        # After a stall, the sound before the hop is gone.
        with self._lock:
            return self._sound.leads_into(_source_sample(hop, moment.header))

    def _prepare(self, index: int, snapshot: ControlSnapshot) -> None:
        """Note what a take needs that begins with the next hop."""
        values = snapshot.values
        moment = None if ShowValues(values).freeze else self._find_moment()
        # A hop was prepared, and the take did not begin with it.
        has_missed = self._next is not None
        if (moment is None or has_missed) and not self._has_told:
            self._has_told = True
            self._notify(WAITS)
        self._next = (index + 1, moment, values) if moment else None

    def _begin(self) -> None:
        assert self._next, "only what was prepared may begin"
        (hop, moment, values), self._next, self._awaits = self._next, None, False
        header = moment.header
        rate_hz, source_rate_hz, hop_samples = header.sample_rate_hz, header.source_rate_hz, header.hop_samples
        with self._lock:
            begin_hop = lead_in_hop(hop, self._sound.first_sample, hop_samples, rate_hz, source_rate_hz)
            begin, first = _source_sample(begin_hop, header), _source_sample(hop, header)
            take = self._make_take(
                replace(
                    header,
                    earlier_hops=hop,
                    lead_in_hops=hop - begin_hop,
                    lead_in_samples=first - begin,
                    gain=moment.gain.state,
                ),
                moment.gain.curve_T if len(moment.gain.curve_T) else None,
            )
            take.begin(self._sound.since(begin))
            self._take = take
        triggers = {name: int(values[name]) for name in _TRIGGERS if name in values}
        self._start = _Start(hop=hop, hop_samples=hop_samples, triggers=triggers, show_events=(moment.state,))
        self._given = {}

    def _end(self, ending: str) -> None:
        with self._lock:
            take, self._take = self._take, None
        if take:
            if take.is_recording:
                self._notify(f"The take {take.name} has ended.")
            take.end(ending)
            self._ended.append(take)


def _source_sample(hop: int, header: TakeHeader) -> int:
    """Return which sample of the source a hop begins with."""
    return round(hop * header.hop_samples * header.source_rate_hz / header.sample_rate_hz)
