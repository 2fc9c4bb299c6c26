"""A source that plays the sound track of a media file."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.media.sound_reader import SoundReader

# T samples, C channels


class MediaFileSource:
    """Plays a file's sound track, in mono or stereo, once or in a loop, as fast as it is read."""

    live = False
    stalled = False
    dropped_samples = 0
    block_s = buffer_s = 0.0

    def __init__(self, path: Path | str, repeat: bool = False, track: str | int | None = None) -> None:
        """Open the file; `track` is a number from 1 or a language, by default the file's default track.

        Raises MediaError when the file is missing, cannot be read, has no such track or no sound that can be decoded.
        """
        self._path = Path(path)
        self._repeat = repeat
        self._track = track
        self._notices: list[str] = []
        self.name = self._path.name
        self._reader = SoundReader(self._path, track)
        self.rate_hz = self._reader.rate_hz
        self.channels = self._reader.channels
        self._blocks = self._read()

    def start(self) -> None:
        """Sound is always available."""

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        """Return the next block, as `Source.read`. Raises MediaError when a repeated file is gone or has become another one."""
        block_TC = next(self._blocks, None)
        return None if block_TC is None else (block_TC, None)

    def wait(self, timeout_s: float) -> None:
        """Sound is always available."""

    def notices(self) -> list[str]:
        notices, self._notices = [*self._notices, *self._reader.notices()], []
        return notices

    def close(self) -> None:
        self._blocks.close()
        self._reader.close()

    def _read(self) -> Generator[NDArray[np.float32]]:
        yield from self._reader.blocks_from(self._reader.zero_s)
        self._notices += self._reader.notices()
        while self._repeat:
            # Decoders start where the file starts only when they are new: after a jump back they lack what came before.
            self._reader.close()
            self._reader = SoundReader(self._path, self._track)
            yield from self._reader.blocks_from(self._reader.zero_s)
            # What the first pass told is known.
            self._reader.notices()
