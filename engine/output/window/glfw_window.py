"""One window of glfw with an OpenGL context, from its opening to its release. GlWindow opens another when it is lost."""

# glfw's and moderngl's types do not tell their objects apart.
# pyright: basic

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from engine.core.errors import SinkError
from engine.output.window.gl_frame import GlFrame
from engine.output.window.gl_layers import GlLayers
from engine.output.window.glfw_library import glfw_error, load_glfw
from engine.output.window.keys import ESCAPE, SPACE
from engine.output.window.monitors import Monitor, choose_monitor, monitors
from engine.output.window.x_connection import XConnection

_GL_VERSION = 3, 3


class GlfwWindow:
    """Belongs to the main thread. After `release` it must not be used."""

    def __init__(
        self,
        title: str,
        size: tuple[int, int],
        upscale: str,
        monitor_name: str | None,
        on_key: Callable[[str, bool], None],
    ) -> None:
        """Open it, centred on the monitor if one is named; `on_key` gets each key and whether Shift was held.

        Raises SinkError without a screen, glfw, moderngl or OpenGL 3.3, MonitorError without the monitor.
        """
        self._glfw = load_glfw()
        self._on_key = on_key
        self._window: Any = None
        self._is_moved = True
        self._refresh_hz: float | None = None
        self._windowed_place = (0, 0, *size)
        self.has_new_monitors = False
        """Whether a monitor was plugged in or unplugged; the owner sets it back."""
        try:
            self.monitor = choose_monitor(monitors(self._glfw), monitor_name)
            """The named monitor, else the first one; None where there is none."""
            self._create_window(title, size)
            if self.monitor and monitor_name is not None:
                self._centre_on(self.monitor, size)
            self._x = XConnection(self._glfw, self._window)
            self._create_context(upscale)
            self._set_callbacks()
        except SinkError:
            self.release()
            raise

    def _create_window(self, title: str, size: tuple[int, int]) -> None:
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
            # A click on the performer's own monitor must not minimise the window on the other.
            (glfw.AUTO_ICONIFY, False),
            (glfw.FOCUS_ON_SHOW, True),
        ):
            glfw.window_hint(hint, value)
        self._window = glfw.create_window(*size, title, None, None)
        if not self._window:
            raise SinkError(
                f"No window with OpenGL {_GL_VERSION[0]}.{_GL_VERSION[1]} can be opened: {glfw_error(glfw)}."
            )

    def _centre_on(self, monitor: Monitor, size: tuple[int, int]) -> None:
        left = monitor.left + max(0, (monitor.width - size[0]) // 2)
        top = monitor.top + max(0, (monitor.height - size[1]) // 2)
        self._glfw.set_window_pos(self._window, left, top)

    def _create_context(self, upscale: str) -> None:
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
            context = moderngl.create_context(require=100 * _GL_VERSION[0] + 10 * _GL_VERSION[1])
        # moderngl raises what it is built from: ValueError for a version, Exception or moderngl.Error for the rest.
        except Exception as error:
            raise SinkError(f"OpenGL cannot be used here: {error}") from error
        self.gl_error: type[Exception] = moderngl.Error
        """What drawing may raise."""
        self.gl_frame = GlFrame(context, upscale)
        self.gl_layers = GlLayers(context)
        self.framebuffer = context.screen
        # moderngl's own `finish` would hold Python's lock while it waits.
        self._gl_finish = ctypes.CFUNCTYPE(None)(glfw.get_proc_address("glFinish"))

    def _set_callbacks(self) -> None:
        glfw = self._glfw
        glfw.set_key_callback(self._window, self._press)
        glfw.set_monitor_callback(self._monitors_change)
        for set_callback in (glfw.set_window_pos_callback, glfw.set_window_size_callback):
            set_callback(self._window, self._move)

    def release(self) -> None:
        """End glfw, and with it the window, its context and everything made in it."""
        self._glfw.set_monitor_callback(None)
        self._glfw.terminate()

    # What it is

    @property
    def is_lost(self) -> bool:
        """Whether the screen is gone, or somebody else destroyed the window."""
        return self._x.is_lost

    @property
    def is_screen_gone(self) -> bool:
        return self._x.is_broken

    @property
    def is_closing(self) -> bool:
        """Whether the user has closed it."""
        return bool(self._glfw.window_should_close(self._window))

    @property
    def is_minimised(self) -> bool:
        return bool(self._glfw.get_window_attrib(self._window, self._glfw.ICONIFIED))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = self._glfw.get_framebuffer_size(self._window)
        return width, height

    @property
    def refresh_hz(self) -> float | None:
        """Refresh rate of the monitor that has its centre; None when unknown."""
        if self._is_moved and not self.is_lost:
            self._is_moved = False
            monitor = self.monitor_below()
            self._refresh_hz = float(monitor.refresh_hz) if monitor and monitor.refresh_hz else None
        return self._refresh_hz

    @property
    def filled_monitor(self) -> str:
        """Name of the monitor that it fills, or an empty string."""
        handle = self._glfw.get_window_monitor(self._window)
        name = self._glfw.get_monitor_name(handle) if handle else None
        return name.decode(errors="replace") if name else ""

    def list_monitors(self) -> Sequence[Monitor]:
        return monitors(self._glfw)

    def monitor_below(self) -> Monitor | None:
        """Return the monitor that has its centre, else the first one."""
        left, top = self._glfw.get_window_pos(self._window)
        width, height = self._glfw.get_window_size(self._window)
        x, y = left + width // 2, top + height // 2
        known = self.list_monitors()
        for monitor in known:
            if 0 <= x - monitor.left < monitor.width and 0 <= y - monitor.top < monitor.height:
                return monitor
        return choose_monitor(known, None)

    # What it does

    def poll_events(self) -> None:
        self._glfw.poll_events()

    def swap(self) -> None:
        """Show what was drawn, and wait until the monitor has taken it."""
        self._glfw.swap_buffers(self._window)
        # Without this, drivers queue two or three frames, each a refresh older than the one on the screen.
        self._gl_finish()

    def fill(self, monitor: Monitor) -> None:
        """Fill the monitor and hide the pointer."""
        glfw = self._glfw
        if not glfw.get_window_monitor(self._window):
            self._windowed_place = (*glfw.get_window_pos(self._window), *glfw.get_window_size(self._window))
        rate = monitor.refresh_hz or glfw.DONT_CARE
        glfw.set_window_monitor(self._window, monitor.handle, 0, 0, monitor.width, monitor.height, rate)
        # Some drivers forget it with the change.
        glfw.swap_interval(1)
        glfw.set_input_mode(self._window, glfw.CURSOR, glfw.CURSOR_HIDDEN)
        self._is_moved = True

    def leave_fullscreen(self) -> None:
        """Go back to the place and size it had before it filled a monitor, and show the pointer."""
        glfw = self._glfw
        glfw.set_window_monitor(self._window, None, *self._windowed_place, 0)
        glfw.set_input_mode(self._window, glfw.CURSOR, glfw.CURSOR_NORMAL)
        self._is_moved = True

    # What glfw calls

    def _press(self, window: Any, key: int, scancode: int, action: int, mods: int) -> None:
        glfw = self._glfw
        if action != glfw.PRESS or mods & (glfw.MOD_CONTROL | glfw.MOD_ALT | glfw.MOD_SUPER):
            return
        # Digits go by their place, also on keyboards that want Shift for them; letters by what is printed on the key.
        if glfw.KEY_0 <= key <= glfw.KEY_9:
            name = chr(key)
        elif glfw.KEY_KP_0 <= key <= glfw.KEY_KP_9:
            name = str(key - glfw.KEY_KP_0)
        else:
            special = {glfw.KEY_ESCAPE: ESCAPE, glfw.KEY_SPACE: SPACE}
            name = special.get(key) or glfw.get_key_name(key, scancode) or ""
        self._on_key(name, bool(mods & glfw.MOD_SHIFT))

    def _monitors_change(self, monitor: Any, event: int) -> None:
        self.has_new_monitors = self._is_moved = True

    def _move(self, window: Any, x: int, y: int) -> None:
        self._is_moved = True
