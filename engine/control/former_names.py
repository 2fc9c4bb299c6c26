"""Names of the version before: they go on working, and each costs one notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from engine.control.parameter import Parameter


def renamed(former: str, now: str) -> str:
    """Return the notice for a former name."""
    return f"{former} is now called {now}; the old name works until the next version."


def former_names(parameters: Iterable[Parameter]) -> dict[str, str]:
    """Return the names of now by the former names of `parameters`."""
    return {former: parameter.name for parameter in parameters for former in parameter.former_names}


class FormerNames:
    """Translates former names to those of now. Any thread may ask."""

    def __init__(self, now: Mapping[str, str], notify: Callable[[str], None] | None = None) -> None:
        """`now` holds names by former names; `notify` gets one line for each of those that is used, None: no notices."""
        self._now = now
        self._notify = notify
        self._told: set[str] = set()

    def current(self, name: str) -> str:
        """Return the name of now for a former one, any other name as it is."""
        now = self._now.get(name)
        if now is None:
            return name
        if self._notify and name not in self._told:
            self._told.add(name)
            self._notify(renamed(name, now))
        return now
