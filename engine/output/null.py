"""An output that shows nothing: for measurements, and for shows that only remotes follow."""

from __future__ import annotations

from collections.abc import Mapping

from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate


class NullSink:
    """Takes every frame and drops it."""

    name = "null"
    rate: FrameRate = "hop"
    with_effects = False
    standby = True
    lost_frames = 0

    def open(self, show: ShowFormat) -> None:
        """Nothing to prepare."""

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to release."""
