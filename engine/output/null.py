"""An output that shows nothing: for measuring, and for shows that only remotes watch."""

from __future__ import annotations

from engine.output.frame import Frame, ShowFormat


class NullSink:
    """Takes every frame and forgets it."""

    name = "null"
    lost_frames = 0

    def open(self, show: ShowFormat) -> None:
        """Nothing to get ready."""

    def show(self, frame: Frame) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to release."""
