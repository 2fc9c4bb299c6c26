"""One parameter of a show: its kind, its range and everything else that others have to know about it.

The engine's own parameters are in engine/control/parameter_table.py, the model's in its card. Flags (`--gain-db`), configuration
keys (`gain_db` under `controls:`), OSC addresses (`/fluid/gain_db`) and docs/osc.md are computed from these two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from engine.core.errors import ConfigError

Kind = Literal["float", "int", "bool", "trigger", "event"]
Group = Literal["sound", "model", "effects", "onsets", "tempo", "show", "scenes"]
Widget = Literal["slider", "number", "toggle", "button", "choice"]
Value = float | int | bool

_YES = ("1", "true", "on", "yes")
_NO = ("0", "false", "off", "no")
_WIDGETS: dict[Kind, Widget] = {
    "float": "slider",
    "int": "number",
    "bool": "toggle",
    "trigger": "button",
    "event": "number",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter.

    A trigger has no value to set: the show sees how often it was sent. An event carries a whole number, like "recall scene 3";
    it takes effect each time it is sent, also with the same number.
    """

    name: str
    kind: Kind
    help: str
    low: float = 0.0
    high: float = 1.0
    default: Value
    unit: str = ""
    choices: tuple[str, ...] = ()
    """Names of the values 0, 1, 2, ... of a whole number that chooses; the number and the name mean the same."""
    group: Group = "model"
    in_scenes: bool = True
    """Whether a saved scene contains its value. A scene written by hand may set it in any case."""
    is_smoothed: bool = True
    """Whether it may take values between two of its values: half way to another tempo is no tempo. For floats alone."""
    not_mapped: str = ""
    """Why no mapping may drive it, as the rest of a sentence; empty where one may."""
    live_only: bool = False
    """Whether it has no effect in a rendering."""
    default_before: Value | None = None
    """The value in takes of versions that did not have it, where the default would change their frames."""
    former_names: tuple[str, ...] = ()
    """Names of the version before, which work until the next version."""

    @property
    def is_number(self) -> bool:
        """Whether it has a range."""
        return self.kind in ("float", "int", "event")

    @property
    def happens(self) -> bool:
        """Whether it is a trigger or an event, which have no start value."""
        return self.kind in ("trigger", "event")

    @property
    def is_continuous(self) -> bool:
        """Whether smoothing and crossfades of scenes take it through the values between two of its values."""
        return self.kind == "float" and self.is_smoothed

    @property
    def widget(self) -> Widget:
        """What a remote with a screen shows for it."""
        return "choice" if self.choices else _WIDGETS[self.kind]

    def parse(self, given: object) -> Value:
        """Return `given` (a number, a truth value or a text with one) as a value of this kind, whatever its range.

        For a trigger, True means "now". Raises ConfigError for another kind and for a number that is not finite.
        """
        if self.is_number:
            return self._parse_choice(given) if self.choices else self._parse_number(given)
        if self.kind == "trigger" and given is None:
            return True
        text = given.strip().casefold() if isinstance(given, str) else given
        if text in (*_YES, 1):
            return True
        if text in (*_NO, 0):
            return False
        raise self._refusal(given)

    def clip(self, value: Value) -> Value:
        """Return the nearest value in range."""
        if not self.is_number:
            return value
        low, high = (int(self.low), int(self.high)) if self.kind != "float" else (self.low, self.high)
        return min(max(value, low), high)

    def expected(self) -> str:
        """Return what it takes, in words, e.g. "a number from -60 to 40 dB"."""
        if self.kind == "trigger":
            return "nothing or 1"
        if self.kind == "bool":
            return "on or off"
        if self.choices:
            return f"{', '.join(self.choices)} or a number from 0 to {len(self.choices) - 1}"
        number = "a number" if self.kind == "float" else "a whole number"
        return f"{number} from {_plain(self.low)} to {_plain(self.high)}{' ' if self.unit else ''}{self.unit}"

    def default_in_words(self) -> str:
        """Return the start value as people write it; empty for what happens."""
        if self.happens:
            return ""
        if self.choices:
            return self.choices[int(self.default)]
        return f"{self.default:g}" if self.is_number else ("on" if self.default else "off")

    def out_of_range(self, given: object) -> ConfigError:
        """Return the error for a number outside the range."""
        return self._refusal(given)

    def _parse_choice(self, given: object) -> Value:
        # YAML reads an off without quotation marks as false.
        name = "off" if given is False else given.strip().casefold() if isinstance(given, str) else ""
        return self.choices.index(name) if name in self.choices else self._parse_number(given)

    def _parse_number(self, given: object) -> Value:
        if isinstance(given, bool) or not isinstance(given, (int, float, str)):
            raise self._refusal(given)
        try:
            number = float(given)
            # Integers beyond 2**53 do not survive float.
            whole = int(given) if isinstance(given, int) else None
        except (ValueError, OverflowError) as error:
            raise self._refusal(given) from error
        if not math.isfinite(number) or (self.kind != "float" and not number.is_integer()):
            raise self._refusal(given)
        if self.kind == "float":
            return number
        return int(number) if whole is None else whole

    def _refusal(self, given: object) -> ConfigError:
        shown = repr(given)
        if len(shown) > 60:
            shown = shown[:57] + "..."
        return ConfigError(f"{self.name} takes {self.expected()}, not {shown}.")


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"
