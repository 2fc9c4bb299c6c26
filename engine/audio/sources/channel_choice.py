"""Which channels of a device a source takes, whatever the device has now."""

from __future__ import annotations

from engine.core.errors import SourceError
from engine.media.channels import missing_channels, no_such_channels

FIRST_CHANNELS = 2
"""So many are taken where none were chosen."""


class ChannelChoice:
    """The `chosen` channels, numbered from 1; without a choice those that a device of `device_channels` gives at the start."""

    def __init__(self, chosen: tuple[int, ...], device_channels: int) -> None:
        self._chosen = chosen
        self._device_channels = device_channels
        self._wanted = chosen or tuple(range(1, min(device_channels, FIRST_CHANNELS) + 1))

    @property
    def count(self) -> int:
        """Channels of the source."""
        return len(self._wanted)

    def check(self, name: str) -> None:
        """Raise SourceError if the device `name` lacks a chosen channel."""
        has = self._device_channels
        missing = self.missing(has)
        if missing:
            raise SourceError(no_such_channels(missing, has, name))

    def missing(self, device_channels: int) -> str:
        """Return the chosen channels that such a device lacks, e.g. "5, 6"."""
        return missing_channels(self._chosen, device_channels)

    def needed(self, device_channels: int) -> int:
        """Return how many channels of a device have to be opened, of those that it has."""
        return min(max(self._wanted), device_channels)

    def span(self, device_channels: int) -> tuple[int, int]:
        """Return the range of channels that holds all that are taken, numbered from 0: a slice is copied without allocation."""
        there = [channel for channel in self._wanted if channel <= device_channels] or [1]
        return min(there) - 1, max(there)

    def columns(self, device_channels: int) -> list[int | None]:
        """Return for each channel of the source where it stands in `span`; None where the device lacks it.

        Without a choice the last channel of a device with fewer is repeated: a stereo show goes on with a mono microphone.
        """
        first, end = self.span(device_channels)
        if not self._chosen:
            return [min(channel, end) - 1 - first for channel in self._wanted]
        return [channel - 1 - first if channel <= device_channels else None for channel in self._wanted]
