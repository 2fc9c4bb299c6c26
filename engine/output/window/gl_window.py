"""The window of a show: drawn by GL in step with the monitor, on a monitor of choice, and opened again when its screen was lost."""

# glfw's and moderngl's types do not tell their objects apart.
# pyright: basic

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.control.parameter_store import ParameterStore
from engine.core.clock import Clock, WallClock
from engine.core.errors import SinkError
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate
from engine.output.window.gl_frame import GlFrame
from engine.output.window.glfw_library import glfw_error, load_glfw
from engine.output.window.keys import ESCAPE, SPACE, Keys
from engine.output.window.letterbox import FILL, cropped, initial_size, place
from engine.output.window.monitors import Monitor, MonitorError, choose, monitors
from engine.output.window.overlay import Overlay
from engine.output.window.resampling_kernels import AUTO, check_upscaler
from engine.output.window.screen import has_screen
from engine.output.window.x_connection import XConnection

# H W C picture rows, columns, channels

INITIAL_LONGEST_SIDE = 768
REOPEN_EVERY_S = 1.0
_GL_VERSION = 3, 3


class GlWindow:
    """A presenter: everything here belongs to the main thread.

    `show` may be given many pictures a second, also several of one index. It waits for the monitor (vsync), in a call that lets
    other threads run, and queues no pictures.
    """

    name = "window"
    rate: FrameRate = "display"
    with_effects = True
    standby = False

    def __init__(
        self,
        store: ParameterStore,
        title: str = "Fluid",
        fullscreen: bool = False,
        monitor: str | None = None,
        upscale: str = AUTO,
        overlay_lines: Callable[[], Sequence[str]] = tuple,
        *,
        next_scene: Callable[[], int] | None = None,
        notify: Callable[[str], None] = print,
        clock: Clock | None = None,
    ) -> None:
        """`monitor` is a part of a monitor's name, None the first one. Raises SinkError for an unknown `upscale`."""
        check_upscaler(upscale)
        self.lost_frames = 0
        self._title = title
        self._fullscreen = fullscreen
        self._monitor = monitor
        self._upscale = upscale
        self._overlay = Overlay(store, overlay_lines)
        self._notify = notify
        self._clock = clock or WallClock()
        self._keys = Keys(store, self._ask_to_quit, self._toggle_fullscreen, next_scene)
        self._show: ShowFormat | None = None
        self._quit = False
        self._lost_at_s: float | None = None
        self._glfw: Any = None
        self._window: Any = None
        self._context: Any = None
        self._picture: GlFrame | None = None
        self._finish: Callable[[], None] = lambda: None
        self._x: XConnection | None = None
        self._monitors_changed = False
        self._moved = False
        self._refresh_hz: float | None = None
        # What moderngl raises, once it is loaded.
        self._gl_error: type[Exception] = SinkError
        # Where the window stood before it filled the screen: left, top, width, height.
        self._windowed = (0, 0, 0, 0)

    def open(self, show: ShowFormat) -> None:
        """Open the window. Raises SinkError without a screen, glfw, moderngl or GL 3.3, MonitorError without the monitor."""
        self._show = show
        self._begin(show, self._monitor)

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        """Draw the picture as large as the window lets it be, and wait until the monitor takes it."""
        if not self.poll():
            return
        if self._picture is None:
            self.lost_frames += 1
            return
        if self._glfw.get_window_attrib(self._window, self._glfw.ICONIFIED):
            # Some systems never take a picture of a window that nobody sees.
            return
        try:
            self._draw(frame.pixels_HWC, frame)
        except self._gl_error as error:
            # A driver that begins anew forgets what was made in it.
            self._lose(f"OpenGL failed ({error})")

    def poll(self) -> bool:
        """Let the window system work; False once the user has closed the window. A lost screen is looked for again and again."""
        if self._quit or self._show is None:
            return False
        if self._lost_at_s is not None:
            self._try_again(self._show)
            return True
        self._glfw.poll_events()
        if self._x and self._x.is_lost:
            self._lose()
            return True
        if self._monitors_changed:
            self._monitors_changed = False
            self._follow_monitors()
        if self._moved:
            self._moved = False
            self._refresh_hz = self._measure_refresh_hz()
        if self._glfw.window_should_close(self._window):
            self._quit = True
        return not self._quit

    def close(self) -> None:
        self._show = None
        self._release()

    def monitor_now(self) -> str:
        """Return the name of the monitor that the window fills, or an empty string."""
        if self._window is None:
            return ""
        handle = self._glfw.get_window_monitor(self._window)
        name = self._glfw.get_monitor_name(handle) if handle else None
        return name.decode(errors="replace") if name else ""

    @property
    def refresh_hz(self) -> float | None:
        """Refresh rate of the monitor that has the window's centre; None while there is no window, or when unknown."""
        return self._refresh_hz

    # Opening and losing

    def _begin(self, show: ShowFormat, monitor_name: str | None) -> None:
        self._glfw = load_glfw()
        try:
            monitor = choose(monitors(self._glfw), monitor_name)
            self._open_window(show, monitor)
            self._open_gl()
            self._listen()
            if self._fullscreen and monitor:
                self._fill(monitor)
            self._refresh_hz = self._measure_refresh_hz()
            self._draw(np.zeros((show.height, show.width, 3), np.uint8), None)
        except SinkError:
            self._release()
            raise
        except self._gl_error as error:
            self._release()
            raise SinkError(f"OpenGL cannot be used here: {error}") from error

    def _open_window(self, show: ShowFormat, monitor: Monitor | None) -> None:
        glfw = self._glfw
        glfw.default_window_hints()
        for hint, value in (
            (glfw.CONTEXT_VERSION_MAJOR, _GL_VERSION[0]),
            (glfw.CONTEXT_VERSION_MINOR, _GL_VERSION[1]),
            (glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE),
            (glfw.OPENGL_FORWARD_COMPAT, True),
            (glfw.DOUBLEBUFFER, True),
            (glfw.DEPTH_BITS, 0),
            (glfw.STENCIL_BITS, 0),
            # A click on the performer's own screen must not take the show off the other.
            (glfw.AUTO_ICONIFY, False),
            (glfw.FOCUS_ON_SHOW, True),
        ):
            glfw.window_hint(hint, value)
        width, height = initial_size(show.width, show.height, INITIAL_LONGEST_SIDE)
        self._window = glfw.create_window(width, height, self._title, None, None)
        if not self._window:
            self._window = None
            raise SinkError(
                f"No window with OpenGL {_GL_VERSION[0]}.{_GL_VERSION[1]} can be opened: {glfw_error(glfw)}."
            )
        if monitor and self._monitor is not None:
            left = monitor.left + max(0, (monitor.width - width) // 2)
            top = monitor.top + max(0, (monitor.height - height) // 2)
            glfw.set_window_pos(self._window, left, top)
        self._x = XConnection(glfw, self._window)

    def _open_gl(self) -> None:
        glfw = self._glfw
        glfw.make_context_current(self._window)
        glfw.swap_interval(1)
        try:
            import moderngl
        except ImportError as error:
            raise SinkError(
                f"The GL window needs moderngl, which cannot be loaded ({error}); pip install moderngl."
            ) from error
        try:
            self._context = moderngl.create_context(require=100 * _GL_VERSION[0] + 10 * _GL_VERSION[1])
        # moderngl raises what it is built from: ValueError for a version, Exception or moderngl.Error for the rest.
        except Exception as error:
            raise SinkError(f"OpenGL cannot be used here: {error}") from error
        self._gl_error = moderngl.Error
        self._picture = GlFrame(self._context, self._upscale)
        # moderngl's own `finish` would hold Python's lock while it waits.
        self._finish = ctypes.CFUNCTYPE(None)(glfw.get_proc_address("glFinish"))

    def _listen(self) -> None:
        glfw = self._glfw
        glfw.set_key_callback(self._window, self._on_key)
        glfw.set_monitor_callback(self._on_monitor)
        for follow in (glfw.set_window_pos_callback, glfw.set_window_size_callback):
            follow(self._window, self._on_move)

    def _release(self) -> None:
        """End everything of glfw; what broke before does not matter."""
        glfw, self._glfw = self._glfw, None
        self._window = self._context = self._picture = self._x = self._refresh_hz = None
        self._finish = lambda: None
        if glfw is not None:
            glfw.set_monitor_callback(None)
            # With the context goes all that was made in it.
            glfw.terminate()

    def _lose(self, reason: str = "") -> None:
        gone = "The screen is gone" if self._x and self._x.is_broken else "The window was destroyed from outside"
        self._notify(f"{reason or gone}; the show goes on, and the window opens again when it can.")
        self._release()
        self._lost_at_s = self._clock.now_s()

    def _try_again(self, show: ShowFormat) -> None:
        if self._lost_at_s is None or self._clock.now_s() - self._lost_at_s < REOPEN_EVERY_S:
            return
        self._lost_at_s = self._clock.now_s()
        if not has_screen():
            return
        try:
            self._begin(show, self._monitor)
        except MonitorError as error:
            self._begin_anywhere(show, str(error))
        except SinkError:
            # The next try may do better.
            return
        if self._window is not None:
            self._lost_at_s = None
            self._notify("The window is open again.")

    def _begin_anywhere(self, show: ShowFormat, reason: str) -> None:
        try:
            self._begin(show, None)
        except SinkError:
            return
        self._notify(f"{reason} Another one is taken.")

    # Drawing

    def _draw(self, pixels_HWC: NDArray[np.uint8], frame: Frame | None) -> None:
        assert self._picture is not None
        width, height = self._glfw.get_framebuffer_size(self._window)
        if self._x and self._x.is_lost:
            # The size of a window that is gone is any number, also one whose picture would fill the memory.
            self._lose()
            return
        if width < 1 or height < 1:
            return
        if frame is not None and frame.values.get(FILL, False):
            pixels_HWC = np.ascontiguousarray(cropped(pixels_HWC, width, height))
        placed = place(pixels_HWC.shape[1], pixels_HWC.shape[0], width, height)
        self._picture.draw(self._context.screen, pixels_HWC, placed, height)
        if frame is not None:
            panel = self._overlay.panel(frame, height, self._clock.now_s())
            if panel is not None:
                self._picture.lay_over(panel.pixels_HWC, panel.left, panel.top, height, changed=panel.changed)
        self._glfw.swap_buffers(self._window)
        # Without this, drivers queue two or three pictures, each a frame older than the one on the screen.
        self._finish()
        if self._x and self._x.is_lost:
            self._lose()

    # Monitors and full screen

    def _on_monitor(self, monitor: Any, event: int) -> None:
        self._monitors_changed = self._moved = True

    def _on_move(self, window: Any, x: int, y: int) -> None:
        self._moved = True

    def _measure_refresh_hz(self) -> float | None:
        monitor = self._monitor_below(monitors(self._glfw))
        return float(monitor.refresh_hz) if monitor and monitor.refresh_hz else None

    def _follow_monitors(self) -> None:
        """Go where the show was meant to be, or to what is left."""
        if not self._fullscreen:
            return
        there = monitors(self._glfw)
        before = self.monitor_now()
        try:
            wanted = choose(there, self._monitor)
        except MonitorError as error:
            if not there:
                self._notify(f"{error} The show goes on.")
                return
            wanted = there[0]
            if wanted.name != before:
                self._notify(f"{error} The picture goes to '{wanted.name}'.")
        else:
            if wanted and wanted.name != before:
                self._notify(f"The picture goes to '{wanted.name}'.")
        if wanted and wanted.name != before:
            self._fill(wanted)

    def _toggle_fullscreen(self) -> None:
        self._fullscreen = not self._fullscreen
        if not self._fullscreen:
            self._glfw.set_window_monitor(self._window, None, *self._windowed, 0)
            self._show_pointer(True)
            return
        there = monitors(self._glfw)
        try:
            wanted = choose(there, self._monitor) if self._monitor is not None else self._monitor_below(there)
        except MonitorError as error:
            self._notify(str(error))
            wanted = self._monitor_below(there)
        if wanted:
            self._fill(wanted)

    def _monitor_below(self, there: Sequence[Monitor]) -> Monitor | None:
        """Return the monitor that has the window's centre."""
        left, top = self._glfw.get_window_pos(self._window)
        width, height = self._glfw.get_window_size(self._window)
        x, y = left + width // 2, top + height // 2
        for monitor in there:
            if 0 <= x - monitor.left < monitor.width and 0 <= y - monitor.top < monitor.height:
                return monitor
        return choose(there, None)

    def _fill(self, monitor: Monitor) -> None:
        glfw = self._glfw
        if not glfw.get_window_monitor(self._window):
            self._windowed = (*glfw.get_window_pos(self._window), *glfw.get_window_size(self._window))
        rate = monitor.refresh_hz or glfw.DONT_CARE
        glfw.set_window_monitor(self._window, monitor.handle, 0, 0, monitor.width, monitor.height, rate)
        # Some drivers forget it with the change.
        glfw.swap_interval(1)
        self._show_pointer(False)

    def _show_pointer(self, shown: bool) -> None:
        glfw = self._glfw
        glfw.set_input_mode(self._window, glfw.CURSOR, glfw.CURSOR_NORMAL if shown else glfw.CURSOR_HIDDEN)

    # Keys

    def _on_key(self, window: Any, key: int, scancode: int, action: int, mods: int) -> None:
        glfw = self._glfw
        if action != glfw.PRESS or mods & (glfw.MOD_CONTROL | glfw.MOD_ALT | glfw.MOD_SUPER):
            return
        # Digits are where they are, also on keyboards that want Shift for them; letters are what is printed on them.
        if glfw.KEY_0 <= key <= glfw.KEY_9:
            name = chr(key)
        elif glfw.KEY_KP_0 <= key <= glfw.KEY_KP_9:
            name = str(key - glfw.KEY_KP_0)
        else:
            special = {glfw.KEY_ESCAPE: ESCAPE, glfw.KEY_SPACE: SPACE}
            name = special.get(key) or glfw.get_key_name(key, scancode) or ""
        self._keys.press(name, bool(mods & glfw.MOD_SHIFT))

    def _ask_to_quit(self) -> None:
        self._quit = True
