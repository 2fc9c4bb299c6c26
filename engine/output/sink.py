"""What the loop asks of an output."""

from __future__ import annotations

from typing import Protocol

from engine.output.frame import Frame, ShowFormat


class Sink(Protocol):
    """An output. A sink that is slow owns a thread and a bounded queue: `show` never makes a live step wait."""

    @property
    def name(self) -> str:
        """Name for messages and statistics, e.g. "window" or "show.mp4"."""
        ...

    @property
    def lost_frames(self) -> int:
        """Frames that were given to `show` and never shown."""
        ...

    def open(self, show: ShowFormat) -> None:
        """Get ready. Raises SinkError."""
        ...

    def show(self, frame: Frame) -> None:
        """Take one frame. Raises SinkError when the output has failed for good."""
        ...

    def close(self) -> None:
        """Finish and release everything; safe to call twice, and after a failed `open`.

        Raises SinkError, once, when something that was given to `show` could not be saved.
        """
        ...


class WindowSink(Sink, Protocol):
    """A sink that must live on the main thread (a window). The loop gives it only the newest frame."""

    def poll(self) -> bool:
        """Let the window system work, without waiting; False once the user has closed the window or asked to quit."""
        ...
