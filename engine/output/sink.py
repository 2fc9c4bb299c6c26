"""What the show asks of an output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol, runtime_checkable

from engine.output.frame import Frame, ShowFormat

FrameRate = Literal["hop", "file", "display"]
"""Once a hop, from the step loop itself; once a hop, from a thread of its own, since finishing a frame for a file takes long; or once
a refresh of the display."""


class Sink(Protocol):
    """An output. A slow sink owns a thread and a bounded queue: `show` never makes a live show wait.

    Before each frame the loop asks `wants` with the frame's values. A sink that answers False costs nothing: it is not called,
    and where no sink wants a frame with effects, none are applied. `Frame.first_sample` tells a sink how much sound it missed.
    """

    @property
    def name(self) -> str:
        """Name for messages and statistics, e.g. "window" or "show.mp4"."""
        ...

    @property
    def rate(self) -> FrameRate:
        """How often it wants frames."""
        ...

    @property
    def with_effects(self) -> bool:
        """Whether it wants frames with effects and flash guard applied, rather than the model's own."""
        ...

    @property
    def standby(self) -> bool:
        """Whether nobody sees or keeps its frames: it waits to be switched on, or shows nothing. A show that lost its window or its
        terminal ends when all other sinks are on standby."""
        ...

    @property
    def lost_frames(self) -> int:
        """Frames that were given to `show` and never shown."""
        ...

    def open(self, show: ShowFormat) -> None:
        """Get ready. Raises SinkError."""
        ...

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        """Tell whether to give it the frame with these parameter values. Cheap; changes nothing."""
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
    """A sink that belongs to the main thread (a window). The loop gives it only the latest frame."""

    @property
    def refresh_hz(self) -> float | None:
        """Refresh rate of the monitor that the window is on; None when unknown."""
        ...

    @property
    def is_drawn_by_processor(self) -> bool:
        """Whether no graphics card draws it, so that drawing takes time from the steps."""
        ...

    @property
    def may_be_eased(self) -> bool:
        """Whether how it is drawn was left to the engine, which may then draw it less often."""
        ...

    def poll(self) -> bool:
        """Handle the window system's events, without waiting; False once the user has closed the window or asked to quit."""
        ...


@runtime_checkable
class SizedOutput(Protocol):
    """What a sink has besides whose output has a size of its own: there may be room around the frame, where effects go on."""

    @property
    def shown_size(self) -> tuple[int, int] | None:
        """Width and height in pixels of now; None when unknown."""
        ...


def size_of(sinks: Iterable[Sink]) -> tuple[int, int] | None:
    """Return the size of the first output that has one of its own. Sinks that share effects get frames of one shape."""
    sizes = (sink.shown_size for sink in sinks if isinstance(sink, SizedOutput))
    return next((size for size in sizes if size and min(size) > 0), None)
