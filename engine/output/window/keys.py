"""The keys of both windows: each sets a parameter, quits, or changes to full screen and back."""

from __future__ import annotations

from collections.abc import Callable

from engine.control.parameter_store import ParameterStore

ESCAPE, SPACE = "escape", "space"
_TOGGLES = {
    SPACE: "freeze",
    "m": "mirror",
    "b": "blackout",
    "l": "overlay",
    "c": "record",
    "k": "record_take",
    "g": "flash_guard",
}
_TRIGGERS = {"r": "reset", "o": "reset_on_bar", "t": "tap", "n": "next_scene"}

HELP = (
    ("q Esc", "quit"),
    ("f", "full screen"),
    ("space", "freeze"),
    ("r", "reset"),
    ("o", "reset on the bar"),
    ("m", "mirror"),
    ("b", "blackout"),
    ("l", "overlay"),
    ("c", "record"),
    ("k", "record a take"),
    ("t", "tap the tempo"),
    ("g", "flash guard"),
    ("1-9", "recall a scene"),
    ("Shift 1-9", "save a scene"),
    ("n", "next scene"),
)
"""Each key and what it does, for the documentation."""


class Keys:
    """Turns keys into parameter values."""

    def __init__(
        self,
        store: ParameterStore,
        on_quit: Callable[[], None],
        on_fullscreen: Callable[[], None],
    ) -> None:
        self._store = store
        self._on_quit = on_quit
        self._on_fullscreen = on_fullscreen

    def press(self, key: str, shift: bool = False) -> None:
        """Act on a key: a character, SPACE or ESCAPE. Other keys do nothing."""
        key = key.lower()
        if key in ("q", ESCAPE):
            self._on_quit()
        elif key == "f":
            self._on_fullscreen()
        elif key in _TOGGLES:
            name = _TOGGLES[key]
            self._store.set(name, not self._store.values()[name])
        elif key in _TRIGGERS:
            self._store.set(_TRIGGERS[key], True)
        elif len(key) == 1 and key in "123456789":
            self._store.set("save_scene" if shift else "scene", int(key))
