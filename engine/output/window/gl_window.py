"""The window of a show: drawn by OpenGL in step with the monitor, on a monitor of choice, and opened again when it was lost."""

# glfw's and moderngl's types do not tell their objects apart.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import ShowValues
from engine.core.clock import Clock, WallClock
from engine.core.errors import SinkError
from engine.core.fit import crop_to_shape, place_inside, place_over
from engine.model.layers import Layers
from engine.output.frame import Frame, OnBackdrop, ShowFormat
from engine.output.sink import FrameRate
from engine.output.window.glfw_window import GlfwWindow
from engine.output.window.keys import Keys
from engine.output.window.monitors import MonitorError, choose_monitor
from engine.output.window.overlay import Overlay
from engine.output.window.resampling_kernels import AUTO, LANCZOS
from engine.output.window.screen import has_screen
from engine.output.window.window_config import WindowConfig, initial_size

# H W C rows, columns, channels of pixels

REOPEN_EVERY_S = 1.0


class GlWindow:
    """A window sink: everything here belongs to the main thread.

    `show` may be given many frames a second, also several of one index. It waits for the monitor (vsync), in a call that lets
    other threads run, and queues no frames.
    """

    name = "window"
    rate: FrameRate = "display"
    with_effects = True
    standby = False

    def __init__(
        self,
        store: ParameterStore,
        config: WindowConfig,
        *,
        notify: Callable[[str], None] = print,
        clock: Clock | None = None,
    ) -> None:
        self.lost_frames = 0
        self._config = config
        self._is_fullscreen = config.fullscreen
        self._overlay = Overlay(store, config.overlay_lines, config.is_recording_take)
        self._keys = Keys(store, self._ask_to_quit, self._toggle_fullscreen)
        self._notify = notify
        self._clock = clock or WallClock()
        self._show: ShowFormat | None = None
        self._quit = False
        # None while it is lost, and before `open`.
        self._window: GlfwWindow | None = None
        self._tried_at_s = 0.0
        self._drawn_size = (0, 0)

    @property
    def refresh_hz(self) -> float | None:
        """Refresh rate of the monitor that has the window's centre; None when unknown, or while there is no window."""
        return self._window.refresh_hz if self._window else None

    @property
    def shown_size(self) -> tuple[int, int] | None:
        """Width and height in pixels, as drawn last; None while there is no window."""
        return self._drawn_size if self._window else None

    @property
    def is_drawn_by_processor(self) -> bool:
        return self._window is not None and self._window.gl_frame.is_software

    @property
    def may_be_eased(self) -> bool:
        return self._config.upscale == AUTO

    def open(self, show: ShowFormat) -> None:
        """Open the window. Raises SinkError without a screen, glfw, moderngl or OpenGL 3.3, MonitorError without the monitor."""
        self._show = show
        self._open_window(show, self._config.monitor)

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        """Draw the frame as large as the window lets it be, and wait until the monitor takes it."""
        if not self.poll():
            return
        window = self._window
        if window is None:
            self.lost_frames += 1
            return
        if window.is_minimised:
            # Some systems never take a frame of a window that nobody sees.
            return
        try:
            self._draw(window, frame.pixels_HWC, frame)
        except window.gl_error as error:
            # A driver that was reset has lost everything made in it.
            self._lose(window, f"OpenGL failed ({error})")

    def poll(self) -> bool:
        """Handle events; False once the user has closed the window. A lost window is opened again when that can be done."""
        if self._quit or self._show is None:
            return False
        window = self._window
        if window is None:
            self._try_again(self._show)
            return True
        window.poll_events()
        if window.is_lost:
            self._lose(window)
            return True
        if window.has_new_monitors:
            window.has_new_monitors = False
            self._follow_monitors(window)
        self._quit = self._quit or window.is_closing
        return not self._quit

    def close(self) -> None:
        self._show = None
        self._release()

    # Opening and losing

    def _open_window(self, show: ShowFormat, monitor_name: str | None) -> None:
        config = self._config
        size = initial_size(show.width, show.height)
        window = GlfwWindow(config.title, size, config.upscale, monitor_name, self._keys.press)
        self._window = window
        try:
            if self._is_fullscreen and window.monitor:
                window.fill(window.monitor)
            self._draw(window, np.zeros((show.height, show.width, 3), np.uint8), None)
        except window.gl_error as error:
            self._release()
            raise SinkError(f"OpenGL cannot be used here: {error}") from error

    def _release(self) -> None:
        window, self._window = self._window, None
        if window:
            window.release()

    def _lose(self, window: GlfwWindow, reason: str = "") -> None:
        gone = "The screen is gone" if window.is_screen_gone else "The window was destroyed from outside"
        self._notify(f"{reason or gone}; the show goes on, and the window opens again when it can.")
        self._release()
        self._tried_at_s = self._clock.now_s()

    def _try_again(self, show: ShowFormat) -> None:
        if self._clock.now_s() - self._tried_at_s < REOPEN_EVERY_S:
            return
        self._tried_at_s = self._clock.now_s()
        if not has_screen():
            return
        try:
            self._open_window(show, self._config.monitor)
        except MonitorError as error:
            self._open_anywhere(show, str(error))
        except SinkError:
            # The next try may succeed.
            return
        if self._window is not None:
            self._notify("The window is open again.")

    def _open_anywhere(self, show: ShowFormat, reason: str) -> None:
        try:
            self._open_window(show, None)
        except SinkError:
            return
        self._notify(f"{reason} Another one is taken.")

    # Drawing

    def _draw(self, window: GlfwWindow, pixels_HWC: NDArray[np.uint8], frame: Frame | None) -> None:
        width, height = window.size
        if window.is_lost:
            # The size of a window that is gone is any number, also one whose frame would fill the memory.
            self._lose(window)
            return
        if width < 1 or height < 1:
            return
        self._drawn_size = (width, height)
        values = ShowValues(frame.values) if frame else None
        fills, sharpen = (values.fill, values.sharpen) if values else (False, 0.0)
        layers = frame.layers if frame and sharpen <= 0.0 else None
        on_backdrop = (frame.on_backdrop if frame else None) or OnBackdrop(
            pixels_HWC.shape[0], pixels_HWC.shape[1], 0.0
        )
        if layers is None or not self._compose(window, layers, on_backdrop, fills):
            if fills:
                pixels_HWC = np.ascontiguousarray(crop_to_shape(pixels_HWC, width, height))
            place = place_inside(pixels_HWC.shape[1], pixels_HWC.shape[0], width, height)
            window.gl_frame.draw(window.framebuffer, pixels_HWC, place, height, sharpen)
        panel = self._overlay.panel(frame, height, self._clock.now_s()) if frame else None
        if panel:
            window.gl_frame.lay_over(panel.pixels_HWC, panel.left, panel.top, height, changed=panel.changed)
        window.swap()
        if window.is_lost:
            self._lose(window)

    def _compose(self, window: GlfwWindow, layers: Layers, on_backdrop: OnBackdrop, fills: bool) -> bool:
        """Draw the layers that a frame was composed of, at the window's own size; False where its pixels serve better."""
        width, height = window.size
        rows, columns, edge = on_backdrop
        place = (place_over if fills else place_inside)(columns, rows, width, height)
        # Where textures have no more detail than the frame, Lanczos enlarges it better than the formula's interpolation would. In a small
        # place that would leave out pixels. Other upscalers are wishes.
        has_detail = any(texture.shape[1] > columns for texture in layers.textures)
        if not has_detail or place.width < columns or window.gl_frame.upscale != LANCZOS:
            return False
        before = window.gl_layers.obstacle
        drawn = window.gl_layers.draw(window.framebuffer, layers, place, height)
        if not drawn and window.gl_layers.obstacle != before:
            self._notify(f"The window gets this model's frames from the processor: {window.gl_layers.obstacle}.")
        if drawn and edge > 0.0:
            window.gl_frame.fade_edges(place, height, edge)
        return drawn

    # Monitors and full screen

    def _follow_monitors(self, window: GlfwWindow) -> None:
        """Fill the monitor of choice when it is plugged in, and another one when it is unplugged."""
        if not self._is_fullscreen:
            return
        known = window.list_monitors()
        before, reason = window.filled_monitor, ""
        try:
            wanted = choose_monitor(known, self._config.monitor)
        except MonitorError as error:
            if not known:
                self._notify(f"{error} The show goes on.")
                return
            wanted, reason = known[0], f"{error} "
        if wanted and wanted.name != before:
            self._notify(f"{reason}The window moves to '{wanted.name}'.")
            window.fill(wanted)

    def _toggle_fullscreen(self) -> None:
        window = self._window
        self._is_fullscreen = not self._is_fullscreen
        if window is None:
            return
        if not self._is_fullscreen:
            window.leave_fullscreen()
            return
        wanted = None
        if self._config.monitor is not None:
            try:
                wanted = choose_monitor(window.list_monitors(), self._config.monitor)
            except MonitorError as error:
                self._notify(str(error))
        wanted = wanted or window.monitor_below()
        if wanted:
            window.fill(wanted)

    def _ask_to_quit(self) -> None:
        self._quit = True
