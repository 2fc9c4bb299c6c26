"""Sources of a clip: a video file, or a recording in the layout of Sub-URMP."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.core.small_files import open_file
from training.data.clip_sound import ClipSound, read_clip_sound
from training.data.frames import read_frames
from training.data.video import ClipFormat

# H W rows and columns


class Source(Protocol):
    """Frames and sound on one timeline that starts with the first frame."""

    @property
    def name(self) -> str:
        """The name in messages."""
        ...

    @property
    def mended(self) -> Sequence[str]:
        """One sentence for each thing that decoding has mended so far."""
        ...

    def digest(self) -> str:
        """Return the SHA-256 of the whole content. Raises TrainingError when it cannot be read."""
        ...

    def frames(self, clip_format: ClipFormat) -> Generator[NDArray[np.uint8]]:
        """Decode frames [H, W, 3]; raises as `read_frames`."""
        ...

    def sound(self, sample_rate_hz: int) -> ClipSound:
        """Decode cleaned mono sound; raises as `read_clip_sound`."""
        ...


@dataclass(frozen=True, slots=True)
class VideoFile:
    """One file with a video track and a sound track."""

    path: Path
    mended: list[str] = field(default_factory=list, compare=False, repr=False)

    @property
    def name(self) -> str:
        return str(self.path)

    def digest(self) -> str:
        if not self.path.is_file():
            raise TrainingError(
                f"{self.path} does not exist; give the path of a video file, or the folder of an instrument in the layout of Sub-URMP."
            )
        return file_digest(self.path)

    def frames(self, clip_format: ClipFormat) -> Generator[NDArray[np.uint8]]:
        return read_frames(self.path, clip_format, self.mended.append)

    def sound(self, sample_rate_hz: int) -> ClipSound:
        return read_clip_sound(self.path, sample_rate_hz)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file. Raises TrainingError when it cannot be read."""
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrainingError(f"{path} cannot be read ({error.strerror}); a readable file was expected.") from error


def joined_digest(digests: Iterable[str]) -> str:
    """Return one SHA-256 for several in their order; a single one is returned unchanged."""
    each = list(digests)
    return each[0] if len(each) == 1 else hashlib.sha256(" ".join(each).encode()).hexdigest()
