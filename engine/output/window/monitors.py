"""The monitors of this machine, and the one that a part of its name means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.core.errors import SinkError


class MonitorError(SinkError):
    """A monitor that was asked for and is not there."""


class Monitor(NamedTuple):
    """One monitor as it is used now."""

    name: str
    width: int
    height: int
    refresh_hz: int
    """0 where the system does not say."""
    left: int
    """Its place on the desktop."""
    top: int
    handle: Any = None
    """What glfw knows it by."""

    def __str__(self) -> str:
        rate = f" at {self.refresh_hz} Hz" if self.refresh_hz else ""
        return f"'{self.name}' ({self.width}x{self.height}{rate})"


def monitors(glfw: Any) -> list[Monitor]:
    """Return all monitors, the system's first one first; `glfw` is the module, initialised."""
    found: list[Monitor] = []
    for handle in glfw.get_monitors() or ():
        mode = glfw.get_video_mode(handle)
        name = glfw.get_monitor_name(handle)
        if not mode or name is None:
            # It was unplugged between the two questions.
            continue
        (width, height), (left, top) = mode.size, glfw.get_monitor_pos(handle)
        found.append(
            Monitor(name.decode(errors="replace"), width, height, mode.refresh_rate, int(left), int(top), handle)
        )
    return found


def choose(there: Sequence[Monitor], name: str | None) -> Monitor | None:
    """Return the monitor that is called `name`, or whose name contains it, whatever the case; the first one for None.

    None is returned where there are no monitors at all and none is named. Raises MonitorError, saying which there are.
    """
    if name is None:
        return there[0] if there else None
    wanted = name.casefold()
    exact = [monitor for monitor in there if monitor.name.casefold() == wanted]
    parts = [monitor for monitor in there if wanted in monitor.name.casefold()]
    if exact or parts:
        return (exact or parts)[0]
    known = f"There are {', '.join(map(str, there))}." if there else "No monitor answers."
    raise MonitorError(f"There is no monitor '{name}'. {known}")


def list_monitors() -> list[Monitor]:
    """Return the monitors for a listing. Raises SinkError where there is no screen or glfw cannot be loaded."""
    from engine.output.window.glfw_library import load_glfw

    glfw = load_glfw()
    try:
        return monitors(glfw)
    finally:
        glfw.terminate()
