"""Counts the opposing changes that make flashes, cell by cell, frame by frame.

A flash is a pair of opposing changes (WCAG 2.3.1). A change is counted at the frame that completes it, and the next one, in the
opposite direction, may begin there: no pairing of the frames of any second gives more flashes than half the changes counted in
it, and one change that was already under way. So a limit of six changes a second allows no more than three flashes in any second.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.render.effects.luminance import FIELD, GRID, QUARTER

# G rows or columns of cells. A visual field is indexed by the cell FIELD // 2 right of and below its first one.

PERIOD_S = 1.0
MOST_CHANGES = 6
"""Changes that make three flashes."""

_ROUNDING_S = 1e-6
_MOST_RECORDS = 512

Cells = NDArray[np.bool_]
Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """How often each cell and each field changed at one time."""

    time_s: float
    cells_GG: NDArray[np.int32]
    fields_GG: NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """The changes that a frame would complete if it were shown next."""

    time_s: float
    value_GG: Values
    counts_GG: Cells | None
    """Which values may be part of a change; None: all of them."""
    risen_GG: Cells
    fallen_GG: Cells
    changed_GG: Cells
    field_risen_GG: Cells
    field_fallen_GG: Cells
    cells_GG: NDArray[np.int32]
    """Changes of every cell in the last second, these included."""
    fields_GG: NDArray[np.int32]

    def harmful(self, most_changes: int) -> Cells | None:
        """Return the cells with too many changes in fields where too many cells have them; None if there are none."""
        over_GG = self.cells_GG > most_changes
        harmful_GG = in_fields(covers_quarter(over_GG)) & over_GG
        fields_over_GG = self.fields_GG > most_changes
        if fields_over_GG.any():
            harmful_GG |= in_fields(fields_over_GG) & (self.cells_GG > 0)
        return harmful_GG if harmful_GG.any() else None


class FlashCount:
    """Changes of one measure in the last second: of every cell, and of every visual field as a whole.

    A field changes when more than a quarter of it completes a change in the same direction in one frame; this counts flashes
    that move from cell to cell.
    """

    def __init__(self, change: float) -> None:
        """`change` is the smallest difference of the measure that counts."""
        self._change = np.float32(change)
        shape = (GRID, GRID)
        self._direction_GG, self._field_direction_GG = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
        self._high_GG, self._low_GG = np.full(shape, -np.inf, np.float32), np.full(shape, np.inf, np.float32)
        # The same, of the values that count.
        self._top_GG, self._bottom_GG = self._high_GG.copy(), self._low_GG.copy()
        self._cells_GG, self._fields_GG = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        self._records: deque[ChangeRecord] = deque()

    def copy(self) -> FlashCount:
        """Return an independent copy."""
        copied = FlashCount(float(self._change))
        for name in ("direction", "field_direction", "high", "low", "top", "bottom", "cells", "fields"):
            setattr(copied, f"_{name}_GG", getattr(self, f"_{name}_GG").copy())
        copied._records.extend(self._records)
        return copied

    def assess(self, value_GG: Values, counts_GG: Cells | None, time_s: float) -> Assessment:
        """Return what showing `value_GG` now would change. `time_s` never goes back."""
        self._forget(time_s)
        risen_GG, fallen_GG = self._completed(value_GG, counts_GG)
        changed_GG = risen_GG | fallen_GG
        field_risen_GG = covers_quarter(risen_GG) & (self._field_direction_GG <= 0)
        field_fallen_GG = covers_quarter(fallen_GG) & (self._field_direction_GG >= 0) & ~field_risen_GG
        return Assessment(
            time_s=time_s,
            value_GG=value_GG,
            counts_GG=counts_GG,
            risen_GG=risen_GG,
            fallen_GG=fallen_GG,
            changed_GG=changed_GG,
            field_risen_GG=field_risen_GG,
            field_fallen_GG=field_fallen_GG,
            cells_GG=self._cells_GG + changed_GG,
            fields_GG=self._fields_GG + (field_risen_GG | field_fallen_GG),
        )

    def allowed_share(self, before_GG: Values, assessment: Assessment) -> Values:
        """Return the share of the way from the values shown before that every cell may go without completing its change."""
        bound_GG = np.where(assessment.risen_GG, self._low_GG + self._change, self._high_GG - self._change)
        way_GG = assessment.value_GG - before_GG
        way_GG[way_GG == 0.0] = np.inf
        return np.asarray(np.clip((bound_GG - before_GG) / way_GG, 0.0, 1.0), np.float32)

    def accept(self, assessment: Assessment) -> None:
        """Count the changes of the newest assessment: its frame is shown."""
        value_GG, changed_GG = assessment.value_GG, assessment.changed_GG
        self._high_GG = np.where(changed_GG, value_GG, np.maximum(self._high_GG, value_GG))
        self._low_GG = np.where(changed_GG, value_GG, np.minimum(self._low_GG, value_GG))
        if assessment.counts_GG is not None:
            self._top_GG[changed_GG], self._bottom_GG[changed_GG] = -np.inf, np.inf
            np.maximum(self._top_GG, value_GG, out=self._top_GG, where=assessment.counts_GG)
            np.minimum(self._bottom_GG, value_GG, out=self._bottom_GG, where=assessment.counts_GG)
        if not changed_GG.any():
            return
        self._direction_GG[assessment.risen_GG], self._direction_GG[assessment.fallen_GG] = 1, -1
        self._field_direction_GG[assessment.field_risen_GG], self._field_direction_GG[assessment.field_fallen_GG] = (
            1,
            -1,
        )
        record = ChangeRecord(
            assessment.time_s, assessment.cells_GG - self._cells_GG, assessment.fields_GG - self._fields_GG
        )
        self._cells_GG, self._fields_GG = assessment.cells_GG, assessment.fields_GG
        self._remember(record)

    def flashes(self) -> int:
        """Return the most flashes that any field has had in the last second."""
        flashes_GG, most = self._cells_GG // 2, int(self._fields_GG.max()) // 2
        for count in range(int(flashes_GG.max()), most, -1):
            if covers_quarter(flashes_GG >= count).any():
                return count
        return most

    def _completed(self, value_GG: Values, counts_GG: Cells | None) -> tuple[Cells, Cells]:
        """Return the cells that have risen, and those that have fallen, by a whole change since their last one."""
        fall_GG, rise_GG = self._high_GG - value_GG, value_GG - self._low_GG
        if counts_GG is None:
            risen_GG, fallen_GG = rise_GG >= self._change, fall_GG >= self._change
        else:
            # At least one of the two values of a change has to count.
            risen_GG = (counts_GG & (rise_GG >= self._change)) | (value_GG - self._bottom_GG >= self._change)
            fallen_GG = (counts_GG & (fall_GG >= self._change)) | (self._top_GG - value_GG >= self._change)
        risen_GG &= self._direction_GG <= 0
        fallen_GG &= (self._direction_GG >= 0) & ~risen_GG
        return risen_GG, fallen_GG

    def _remember(self, record: ChangeRecord) -> None:
        """Keep a record for a second; when there are very many, it is added to the newest one, and counts no shorter."""
        if len(self._records) >= _MOST_RECORDS:
            newest = self._records.pop()
            record = ChangeRecord(record.time_s, record.cells_GG + newest.cells_GG, record.fields_GG + newest.fields_GG)
        self._records.append(record)

    def _forget(self, time_s: float) -> None:
        while self._records and self._records[0].time_s <= time_s - PERIOD_S + _ROUNDING_S:
            record = self._records.popleft()
            self._cells_GG = self._cells_GG - record.cells_GG
            self._fields_GG = self._fields_GG - record.fields_GG


_NO_CELLS = np.zeros((GRID, GRID), np.bool_)


def covers_quarter(cells_GG: Cells) -> Cells:
    """Return the fields that have more than a quarter of their cells in `cells_GG`."""
    if np.count_nonzero(cells_GG) <= QUARTER:
        return _NO_CELLS
    import cv2

    sums_GG = cv2.boxFilter(
        cells_GG.astype(np.float32), -1, (FIELD, FIELD), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(sums_GG > QUARTER + 0.5, np.bool_)


def in_fields(fields_GG: Cells) -> Cells:
    """Return the cells that lie in any of the fields."""
    if not fields_GG.any():
        return _NO_CELLS
    import cv2

    anchor = FIELD - 1 - FIELD // 2
    spread_GG = cv2.dilate(fields_GG.astype(np.uint8), np.ones((FIELD, FIELD), np.uint8), anchor=(anchor, anchor))
    return np.asarray(spread_GG > 0, np.bool_)
