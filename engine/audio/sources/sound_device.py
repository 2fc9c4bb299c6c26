"""One sound input or output, and finding it by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.core.errors import SourceError


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundDevice:
    """One input or output."""

    index: int
    name: str
    channels: int
    rate_hz: int
    is_default: bool
    key: str = ""
    """What it is found by again, where its name is not what it is found by."""


Device = TypeVar("Device", bound=SoundDevice)


def match(devices: Sequence[Device], name: str | None) -> Device | None:
    """Return the device whose key or name is, or whose name contains, `name`, ignoring case; the first one for None."""
    if name is None:
        return devices[0] if devices else None
    wanted = name.casefold()
    for device in devices:
        if wanted in (device.key.casefold(), device.name.casefold()):
            return device
    return next((device for device in devices if wanted in device.name.casefold()), None)


def pick(devices: Sequence[Device], name: str | None, kind: str = "sound input") -> Device:
    """Return what `match` finds. Raises SourceError with the names there are."""
    device = match(devices, name)
    if device is None and not devices:
        raise SourceError(f"No {kind} was found; connect one, start the sound server, or play a file or 'demo'.")
    if device is None:
        known = ", ".join(f"'{device.name}'" for device in devices)
        raise SourceError(f"No {kind} is called '{name}'; available: {known}.")
    return device
