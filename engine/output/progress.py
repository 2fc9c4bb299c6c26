"""A progress bar on stderr for renders; silent where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.printable import printable
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate


class ProgressBar:
    """Counts frames up to `total_s` seconds of them; without a total when that is unknown."""

    name = "progress"
    rate: FrameRate = "hop"
    with_effects = False
    standby = True
    lost_frames = 0

    def __init__(self, total_s: float | None) -> None:
        self._total_s = total_s
        self._bar: Any = None

    def open(self, show: ShowFormat) -> None:
        from tqdm import tqdm

        total = None if self._total_s is None else round(self._total_s * show.fps)
        self._bar = tqdm(total=total, unit="frame", desc=printable(show.title), disable=None, leave=False)

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        self._bar.update(1 + frame.skipped_hops)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
