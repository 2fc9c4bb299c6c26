"""Chooses the window of a show: the GL window, or OpenCV's where that one cannot be opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.control.parameter_store import ParameterStore
from engine.core.errors import SinkError, nearest_name
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate, WindowSink, size_of
from engine.output.window.gl_window import GlWindow
from engine.output.window.monitors import MonitorError
from engine.output.window.opencv_window import OpenCvWindow
from engine.output.window.resampling_kernels import AUTO
from engine.output.window.screen import NO_SCREEN, has_screen
from engine.output.window.window_config import WindowConfig

GL, OPENCV = "gl", "opencv"
WINDOW_KINDS = (AUTO, GL, OPENCV)


def make_window(
    kind: str, store: ParameterStore, config: WindowConfig, notify: Callable[[str], None] = print
) -> WindowSink:
    """Return a window sink of a kind. Raises SinkError for an unknown kind, and for a monitor with `opencv`.

    `auto` opens the GL window and, where that fails, OpenCV's, with the reason as a notice. A monitor that is not there fails
    in both.
    """
    if kind not in WINDOW_KINDS:
        raise SinkError(
            f"There is no window '{kind}'.{nearest_name(kind, WINDOW_KINDS)} Known are {', '.join(WINDOW_KINDS)}."
        )
    if kind == OPENCV and config.monitor is not None:
        raise SinkError(f"OpenCV's window cannot be sent to a monitor ('{config.monitor}'); take the window '{GL}'.")
    if kind == OPENCV:
        return OpenCvWindow(store, config)
    window = GlWindow(store, config, notify=notify)
    return window if kind == GL else WindowWithFallback(window, lambda: OpenCvWindow(store, config), notify)


class WindowWithFallback:
    """The first window or, if it does not open, the second. Raises what the second raises."""

    def __init__(self, first: WindowSink, fall_back: Callable[[], WindowSink], notify: Callable[[str], None]) -> None:
        self._window = first
        self._fall_back = fall_back
        self._notify = notify

    @property
    def name(self) -> str:
        return self._window.name

    @property
    def rate(self) -> FrameRate:
        return self._window.rate

    @property
    def with_effects(self) -> bool:
        return self._window.with_effects

    @property
    def standby(self) -> bool:
        return self._window.standby

    @property
    def refresh_hz(self) -> float | None:
        return self._window.refresh_hz

    @property
    def shown_size(self) -> tuple[int, int] | None:
        return size_of((self._window,))

    @property
    def is_drawn_by_processor(self) -> bool:
        return self._window.is_drawn_by_processor

    @property
    def may_be_eased(self) -> bool:
        return self._window.may_be_eased

    @property
    def lost_frames(self) -> int:
        return self._window.lost_frames

    def open(self, show: ShowFormat) -> None:
        if not has_screen():
            raise SinkError(NO_SCREEN)
        try:
            self._window.open(show)
        except MonitorError:
            # The other window would not find it either.
            raise
        except SinkError as error:
            self._notify(f"{error} OpenCV's window is opened instead.")
            self._window = self._fall_back()
            self._window.open(show)

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return self._window.wants(values)

    def show(self, frame: Frame) -> None:
        self._window.show(frame)

    def poll(self) -> bool:
        return self._window.poll()

    def close(self) -> None:
        self._window.close()
