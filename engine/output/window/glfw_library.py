"""Loads and initialises glfw. Whoever loads it ends it with `terminate`."""

from __future__ import annotations

import sys
from typing import Any

from engine.core.errors import SinkError
from engine.output.window.screen import NO_SCREEN, has_screen


def load_glfw() -> Any:
    """Return the module glfw, initialised. Raises SinkError without a screen or without the library."""
    if not has_screen():
        raise SinkError(NO_SCREEN)
    try:
        import glfw
    except ImportError as error:
        raise SinkError(
            f"The GL window needs glfw and moderngl, which cannot be loaded ({error}); pip install glfw moderngl."
        ) from error
    # `glfw_error` puts failures into sentences where they matter.
    glfw.ERROR_REPORTING = False
    if sys.platform.startswith("linux"):
        # has_screen asked an X server; desktops with Wayland have one too.
        glfw.init_hint(glfw.PLATFORM, glfw.PLATFORM_X11)
    if not glfw.init():
        raise SinkError(f"No window can be opened: {glfw_error(glfw)}.")
    return glfw


def glfw_error(glfw: Any) -> str:
    """Return glfw's last error."""
    _, text = glfw.get_error()
    return text.decode(errors="replace").rstrip(". ") if text else "the window system does not say why"
