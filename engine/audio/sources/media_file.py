"""A source that plays the sound track of a media file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from engine.core.errors import SourceError

# T samples, C channels


class MediaFileSource:
    """Plays a file's first sound track, in mono or stereo, once or in a loop, as fast as it is read."""

    live = False
    stalled = False
    dropped_samples = 0
    block_s = buffer_s = 0.0

    def __init__(self, path: Path | str, repeat: bool = False) -> None:
        """Open the file. Raises SourceError when it is missing, is no media file or has no sound."""
        self._path = Path(path)
        self._repeat = repeat
        self.name = self._path.name
        if not self._path.is_file():
            raise SourceError(f"There is no sound file {self._path}; give the path of a sound or video file.")
        try:
            # Tags of older files are often no UTF-8; they do not matter here.
            self._container = av.open(str(self._path), metadata_errors="replace")
        except (FFmpegError, ValueError) as error:
            raise SourceError(f"{self._path} is not a sound or video file ({_reason(error)}); give another.") from error
        if not self._container.streams.audio:
            self._container.close()
            raise SourceError(f"{self._path} has no sound track; give a file with sound.")
        stream = self._container.streams.audio[0]
        # A track whose codec is unknown, in a damaged file, has neither rate nor channels.
        self.rate_hz = int(getattr(stream, "rate", 0) or 0)
        self.channels = 1 if getattr(stream, "channels", 0) == 1 else 2
        if self.rate_hz <= 0:
            self._container.close()
            raise SourceError(f"{self._path} does not say its sample rate; convert it with: ffmpeg -i FILE sound.wav")
        self._blocks = self._decode()
        self._first_TC: NDArray[np.float32] | None = None

    def start(self) -> None:
        """Decode the first block. Raises SourceError when there is none."""
        if self._first_TC is None:
            self._first_TC = next(self._blocks, None)
            if self._first_TC is None:
                raise SourceError(f"{self._path} holds no sound: its sound track has no samples. Give another file.")

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block_TC, self._first_TC = self._first_TC, None
        if block_TC is None:
            block_TC = next(self._blocks, None)
        if block_TC is None and self._repeat:
            self._blocks = self._decode(rewind=True)
            block_TC = next(self._blocks, None)
        return None if block_TC is None else (block_TC, None)

    def wait(self, timeout_s: float) -> None:
        """Sound is always available."""

    def notices(self) -> list[str]:
        return []

    def close(self) -> None:
        self._container.close()

    def _decode(self, rewind: bool = False) -> Iterator[NDArray[np.float32]]:
        layout = "mono" if self.channels == 1 else "stereo"
        converter = AudioResampler(format="fltp", layout=layout, rate=self.rate_hz)
        try:
            if rewind:
                self._container.seek(0)
            for frame in self._container.decode(audio=0):
                yield from _arrays(converter.resample(frame))
            yield from _arrays(converter.resample(None))
        except (FFmpegError, ValueError) as error:
            raise SourceError(
                f"{self._path} is damaged: its sound cannot be decoded ({_reason(error)}). Give an intact file."
            ) from error


def _arrays(frames: list[AudioFrame]) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        if frame.samples:
            yield np.ascontiguousarray(frame.to_ndarray().T, np.float32)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
