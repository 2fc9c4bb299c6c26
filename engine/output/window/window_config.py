"""What a window is opened with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.output.window.resampling_kernels import AUTO, check_upscaler

INITIAL_LONGEST_SIDE = 768
FILL = "fill"
"""The parameter that lets frames fill the window, with their edges cropped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowConfig:
    """Settings of a window. Raises SinkError for an unknown `upscale`."""

    title: str = "Fluid"
    fullscreen: bool = False
    monitor: str | None = None
    """A part of a monitor's name; None: the first one."""
    upscale: str = AUTO
    overlay_lines: Callable[[], Sequence[str]] = tuple
    """Called on the window's thread for what the overlay says; a tab separates a line's name from its value."""
    is_recording_take: Callable[[], bool] = bool
    """Called on the window's thread, for the overlay."""

    def __post_init__(self) -> None:
        check_upscaler(self.upscale)


def initial_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height of a window for frames of that size: INITIAL_LONGEST_SIDE or, if longer, the frames' own side."""
    scale = max(1.0, INITIAL_LONGEST_SIDE / max(width, height))
    return round(width * scale), round(height * scale)
