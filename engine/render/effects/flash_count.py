"""Counts changes of light that make flashes, place by place, as pictures come.

A flash is a pair of opposing changes. A change is counted at the picture that completes it, and the next one, the other way, may
begin there: no way of pairing the pictures of any second gives more flashes than half the changes counted in it, and one change
that was already under way. So whoever allows six changes a second allows no more than three flashes in any second.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.render.effects.luminance import FEW, FIELD, GRID

# G rows or columns of places. A field is named by the place FIELD // 2 right of and below its first.

PERIOD_S = 1.0
MOST_CHANGES = 6
"""Changes in any second that make three flashes."""

_ROUNDING_S = 1e-6
_MOST_MOMENTS = 512

Places = NDArray[np.bool_]
Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Moment:
    """Which places and fields changed at one time, how often."""

    time_s: float
    places_GG: NDArray[np.int32]
    fields_GG: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a picture would change, if it were shown next."""

    time_s: float
    value_GG: Values
    counts_GG: Places | None
    """Which values may be part of a change; None: all."""
    risen_GG: Places
    fallen_GG: Places
    changed_GG: Places
    field_risen_GG: Places
    field_fallen_GG: Places
    places_GG: NDArray[np.int32]
    """Changes of every place in the last second, these among them."""
    fields_GG: NDArray[np.int32]

    def harmful(self, most_changes: int) -> Places | None:
        """Return the places with more changes than that in a field where too many have; None if there are none."""
        over_GG = self.places_GG > most_changes
        harmful_GG = in_fields(wide(over_GG)) & over_GG
        fields_over_GG = self.fields_GG > most_changes
        if fields_over_GG.any():
            harmful_GG |= in_fields(fields_over_GG) & (self.places_GG > 0)
        return harmful_GG if harmful_GG.any() else None


class FlashCount:
    """The changes of one measure in the last second: of every place, and of every field at once.

    A field changes when more than a quarter of it completes a change of one direction in the same picture; this counts
    flashes that come from different places in turn.
    """

    def __init__(self, change: float) -> None:
        """`change` is by how much the measure has to differ."""
        self._change = np.float32(change)
        shape = (GRID, GRID)
        self._direction_GG, self._field_direction_GG = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
        self._high_GG, self._low_GG = np.full(shape, -np.inf, np.float32), np.full(shape, np.inf, np.float32)
        # The same of the values that count.
        self._top_GG, self._bottom_GG = self._high_GG.copy(), self._low_GG.copy()
        self._places_GG, self._fields_GG = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        self._moments: deque[Moment] = deque()

    def copy(self) -> FlashCount:
        """Return a count that goes on from here by itself."""
        twin = FlashCount(float(self._change))
        for name in ("direction", "field_direction", "high", "low", "top", "bottom", "places", "fields"):
            setattr(twin, f"_{name}_GG", getattr(self, f"_{name}_GG").copy())
        twin._moments.extend(self._moments)
        return twin

    def judge(self, value_GG: Values, counts_GG: Places | None, time_s: float) -> Judgement:
        """Say what showing `value_GG` now would change. `time_s` never goes back."""
        self._forget(time_s)
        risen_GG, fallen_GG = self._completed(value_GG, counts_GG)
        changed_GG = risen_GG | fallen_GG
        field_risen_GG = wide(risen_GG) & (self._field_direction_GG <= 0)
        field_fallen_GG = wide(fallen_GG) & (self._field_direction_GG >= 0) & ~field_risen_GG
        return Judgement(
            time_s=time_s,
            value_GG=value_GG,
            counts_GG=counts_GG,
            risen_GG=risen_GG,
            fallen_GG=fallen_GG,
            changed_GG=changed_GG,
            field_risen_GG=field_risen_GG,
            field_fallen_GG=field_fallen_GG,
            places_GG=self._places_GG + changed_GG,
            fields_GG=self._fields_GG + (field_risen_GG | field_fallen_GG),
        )

    def room(self, before_GG: Values, judged: Judgement) -> Values:
        """Return what share of the way from the values shown before every place may go without completing its change."""
        bound_GG = np.where(judged.risen_GG, self._low_GG + self._change, self._high_GG - self._change)
        way_GG = judged.value_GG - before_GG
        way_GG[way_GG == 0.0] = np.inf
        return np.asarray(np.clip((bound_GG - before_GG) / way_GG, 0.0, 1.0), np.float32)

    def take(self, judged: Judgement) -> None:
        """The picture of the newest judgement is shown."""
        value_GG, changed_GG = judged.value_GG, judged.changed_GG
        self._high_GG = np.where(changed_GG, value_GG, np.maximum(self._high_GG, value_GG))
        self._low_GG = np.where(changed_GG, value_GG, np.minimum(self._low_GG, value_GG))
        if judged.counts_GG is not None:
            self._top_GG[changed_GG], self._bottom_GG[changed_GG] = -np.inf, np.inf
            np.maximum(self._top_GG, value_GG, out=self._top_GG, where=judged.counts_GG)
            np.minimum(self._bottom_GG, value_GG, out=self._bottom_GG, where=judged.counts_GG)
        if not changed_GG.any():
            return
        self._direction_GG[judged.risen_GG], self._direction_GG[judged.fallen_GG] = 1, -1
        self._field_direction_GG[judged.field_risen_GG], self._field_direction_GG[judged.field_fallen_GG] = 1, -1
        moment = Moment(judged.time_s, judged.places_GG - self._places_GG, judged.fields_GG - self._fields_GG)
        self._places_GG, self._fields_GG = judged.places_GG, judged.fields_GG
        self._remember(moment)

    def flashes(self) -> int:
        """Return how many flashes the field that flashed most has seen in the last second."""
        flashes_GG, most = self._places_GG // 2, int(self._fields_GG.max()) // 2
        for count in range(int(flashes_GG.max()), most, -1):
            if wide(flashes_GG >= count).any():
                return count
        return most

    def _completed(self, value_GG: Values, counts_GG: Places | None) -> tuple[Places, Places]:
        """Return which places are now higher, and which lower, by a whole change than they were since their last one."""
        fall_GG, rise_GG = self._high_GG - value_GG, value_GG - self._low_GG
        if counts_GG is None:
            risen_GG, fallen_GG = rise_GG >= self._change, fall_GG >= self._change
        else:
            # At least one of the two values of a pair has to count.
            risen_GG = (counts_GG & (rise_GG >= self._change)) | (value_GG - self._bottom_GG >= self._change)
            fallen_GG = (counts_GG & (fall_GG >= self._change)) | (self._top_GG - value_GG >= self._change)
        risen_GG &= self._direction_GG <= 0
        fallen_GG &= (self._direction_GG >= 0) & ~risen_GG
        return risen_GG, fallen_GG

    def _remember(self, moment: Moment) -> None:
        """Keep a moment of the last second; when there are very many, it is added to the newest, and kept no shorter."""
        if len(self._moments) >= _MOST_MOMENTS:
            newest = self._moments.pop()
            moment = Moment(moment.time_s, moment.places_GG + newest.places_GG, moment.fields_GG + newest.fields_GG)
        self._moments.append(moment)

    def _forget(self, time_s: float) -> None:
        while self._moments and self._moments[0].time_s <= time_s - PERIOD_S + _ROUNDING_S:
            moment = self._moments.popleft()
            self._places_GG = self._places_GG - moment.places_GG
            self._fields_GG = self._fields_GG - moment.fields_GG


_NONE = np.zeros((GRID, GRID), np.bool_)


def wide(places_GG: Places) -> Places:
    """Return the fields of which more than a quarter is among `places_GG`."""
    if np.count_nonzero(places_GG) <= FEW:
        return _NONE
    import cv2

    sums_GG = cv2.boxFilter(
        places_GG.astype(np.float32), -1, (FIELD, FIELD), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(sums_GG > FEW + 0.5, np.bool_)


def in_fields(fields_GG: Places) -> Places:
    """Return the places that lie in any of the fields."""
    if not fields_GG.any():
        return _NONE
    import cv2

    anchor = FIELD - 1 - FIELD // 2
    spread_GG = cv2.dilate(fields_GG.astype(np.uint8), np.ones((FIELD, FIELD), np.uint8), anchor=(anchor, anchor))
    return np.asarray(spread_GG > 0, np.bool_)
