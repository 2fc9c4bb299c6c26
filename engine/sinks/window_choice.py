"""Which window a show gets: the one drawn by GL, or OpenCV's where that one cannot be opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.control_box import ControlBox
from engine.errors import SinkError, nearest_name
from engine.frame import Frame, ShowFormat
from engine.sinks.kernels import AUTO
from engine.sinks.monitors import MonitorError
from engine.sinks.screen import NO_SCREEN, has_screen
from engine.sinks.sink import Presenter

GL, OPENCV = "gl", "opencv"
WINDOW_KINDS = (AUTO, GL, OPENCV)


def open_window(
    kind: str,
    controls_box: ControlBox,
    title: str = "Fluid",
    fullscreen: bool = False,
    monitor: str | None = None,
    upscale: str = AUTO,
    overlay_lines: Callable[[], Sequence[str]] = tuple,
    *,
    next_scene: Callable[[], int] | None = None,
    notify: Callable[[str], None] = print,
) -> Presenter:
    """Make a window; it begins with `open`. Raises SinkError for an unknown kind or upscaler, and for a monitor with `opencv`.

    `auto` opens GL's and, where it cannot, OpenCV's, telling `notify` why; a monitor that is not there ends both.
    """
    if kind not in WINDOW_KINDS:
        raise SinkError(
            f"There is no window '{kind}'.{nearest_name(kind, WINDOW_KINDS)} Known are {', '.join(WINDOW_KINDS)}."
        )
    if kind == OPENCV and monitor is not None:
        raise SinkError(f"OpenCV's window cannot be sent to a monitor ('{monitor}'); take the window '{GL}'.")

    def plain() -> Presenter:
        from engine.sinks.window import Window

        return Window(controls_box, title, fullscreen, overlay_lines, next_scene=next_scene)

    if kind == OPENCV:
        return plain()
    from engine.sinks.stage_window import StageWindow

    stage = StageWindow(
        controls_box, title, fullscreen, monitor, upscale, overlay_lines, next_scene=next_scene, notify=notify
    )
    return stage if kind == GL else WindowOrFallBack(stage, plain, notify)


class WindowOrFallBack:
    """The first window, or what takes its place if it does not open. Raises what the second raises."""

    def __init__(self, first: Presenter, fall_back: Callable[[], Presenter], notify: Callable[[str], None]) -> None:
        self._window = first
        self._fall_back = fall_back
        self._notify = notify

    @property
    def name(self) -> str:
        return self._window.name

    @property
    def lost_frames(self) -> int:
        return self._window.lost_frames

    def open(self, show: ShowFormat) -> None:
        if not has_screen():
            raise SinkError(NO_SCREEN)
        try:
            self._window.open(show)
        except MonitorError:
            # Another window would not find it either.
            raise
        except SinkError as error:
            self._notify(f"{error} OpenCV's window is opened instead.")
            self._window = self._fall_back()
            self._window.open(show)

    def show(self, frame: Frame) -> None:
        self._window.show(frame)

    def poll(self) -> bool:
        return self._window.poll()

    def close(self) -> None:
        self._window.close()
