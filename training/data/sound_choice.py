"""Which sound of a film is trained."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.errors import TrainingError

MOST_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class SoundChoice:
    """A sound track and channels of it; by default the file's default track, all channels mixed."""

    track: str | None = None
    """Its number from 1, or its language."""
    channels: tuple[int, ...] = ()
    """Numbered from 1; several are mixed."""

    def __post_init__(self) -> None:
        distinct = len(set(self.channels)) == len(self.channels)
        if not distinct or not all(1 <= channel <= MOST_CHANNELS for channel in self.channels):
            raise TrainingError(
                f"clip.channels is {list(self.channels)}; different numbers from 1 to {MOST_CHANNELS} were expected, e.g. [3, 4]."
            )

    def digest(self, content: str) -> str:
        """Return the text that stands for a file with this checksum and this choice; of the default sound the checksum alone."""
        if self == SoundChoice():
            return content
        return f"{content} track {self.track or 'default'} channels {','.join(map(str, self.channels)) or 'all'}"


DEFAULT_SOUND = SoundChoice()
