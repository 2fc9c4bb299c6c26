"""A source that plays the sound track of a media file."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.media.sound_reader import SoundReader

# T samples, C channels


class MediaFileSource:
    """Plays a file's sound track, in mono or stereo or in chosen channels, once or in a loop, as fast as it is read."""

    live = False
    stalled = False
    dropped_samples = 0
    block_s = buffer_s = 0.0

    def __init__(
        self,
        path: Path | str,
        repeat: bool = False,
        track: str | int | None = None,
        channels: Sequence[int] = (),
    ) -> None:
        """Open the file; `track` is a number from 1 or a language, by default the file's default track; for `channels` see SoundReader.

        Raises MediaError when the file is missing, cannot be read, has no such track or channel, or no sound that can be decoded.
        """
        self._path = Path(path)
        self._repeat = repeat
        self._track = track
        self._notices: list[str] = []
        self._is_known = False
        """Whether the file was played once: what there is to tell of it has been told."""
        self.name = self._path.name
        self._chosen = tuple(channels)
        self._reader = self._opened()
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
        met = self._reader.notices()
        notices, self._notices = [*self._notices, *([] if self._is_known else met)], []
        return notices

    def close(self) -> None:
        self._blocks.close()
        self._reader.close()

    def _opened(self) -> SoundReader:
        return SoundReader(self._path, self._track, channels=self._chosen)

    def _read(self) -> Generator[NDArray[np.float32]]:
        yield from self._reader.blocks_from(self._reader.zero_s)
        self._notices += self._reader.notices()
        self._is_known = True
        while self._repeat:
            # Decoders start where the file starts only when they are new: after a jump back they lack what came before.
            self._reader.close()
            self._reader = self._opened()
            yield from self._reader.blocks_from(self._reader.zero_s)
