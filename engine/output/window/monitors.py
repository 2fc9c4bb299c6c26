"""The monitors of this machine, and how one is chosen by a part of its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.core.errors import SinkError


class MonitorError(SinkError):
    """No monitor has the name that was asked for."""


class Monitor(NamedTuple):
    """One monitor in its current mode."""

    name: str
    width: int
    height: int
    refresh_hz: int
    """0 when unknown."""
    left: int
    top: int
    """Its place on the desktop."""
    handle: Any = None
    """glfw's own object."""

    def __str__(self) -> str:
        rate = f" at {self.refresh_hz} Hz" if self.refresh_hz else ""
        return f"'{self.name}' ({self.width}x{self.height}{rate})"


def monitors(glfw: Any) -> list[Monitor]:
    """Return all monitors, the primary one first; `glfw` is the module, initialised."""
    found: list[Monitor] = []
    for handle in glfw.get_monitors() or ():
        mode = glfw.get_video_mode(handle)
        name = glfw.get_monitor_name(handle)
        if not mode or name is None:
            # It was unplugged between two calls.
            continue
        (width, height), (left, top) = mode.size, glfw.get_monitor_pos(handle)
        found.append(
            Monitor(name.decode(errors="replace"), width, height, mode.refresh_rate, int(left), int(top), handle)
        )
    return found


def choose_monitor(known: Sequence[Monitor], name: str | None) -> Monitor | None:
    """Return the monitor whose name is `name`, or contains it, in any case; the first one for None.

    Returns None when there are no monitors and none is named. Raises MonitorError, which lists those there are.
    """
    if name is None:
        return known[0] if known else None
    wanted = name.casefold()
    exact = [monitor for monitor in known if monitor.name.casefold() == wanted]
    parts = [monitor for monitor in known if wanted in monitor.name.casefold()]
    if exact or parts:
        return (exact or parts)[0]
    listed = f"There are {', '.join(map(str, known))}." if known else "No monitor answers."
    raise MonitorError(f"There is no monitor '{name}'. {listed}")


def list_monitors() -> list[Monitor]:
    """Return the monitors, for programs without a window. Raises SinkError where there is no screen or glfw cannot be loaded."""
    from engine.output.window.glfw_library import load_glfw

    glfw = load_glfw()
    try:
        return monitors(glfw)
    finally:
        glfw.terminate()
