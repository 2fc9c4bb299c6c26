"""The sound of a clip: mono, cleaned, on the timeline of its frames, in blocks, so that a film of hours needs little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.media.channels import mix_down
from engine.media.cleaning import SoundCleaner
from engine.media.sound_reader import LONGEST_LEAD_S, SoundReader
from training.data.frames import first_frame_s
from training.data.sound_choice import DEFAULT_SOUND, SoundChoice

# S samples of sound, T samples and C channels of a block


@dataclass(frozen=True, slots=True)
class ClipSound:
    """Cleaned mono sound in blocks [S] at one rate; they can be read once."""

    blocks: Iterator[NDArray[np.float32]]
    notices: list[str] = field(default_factory=list)
    """One sentence for each thing that was met and mended; complete when the blocks have been read."""

    def whole(self) -> NDArray[np.float32]:
        """Return the blocks that have not been read as one array [S]."""
        return np.concatenate([np.zeros(0, np.float32), *self.blocks])


def read_sound(path: Path, sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the whole sound [S] of `read_clip_sound`; raises as that."""
    return read_clip_sound(path, sample_rate_hz).whole()


def read_clip_sound(path: Path, sample_rate_hz: int, choice: SoundChoice = DEFAULT_SOUND) -> ClipSound:
    """Read a file's sound; sample 0 belongs to its first frame, with silence where the sound starts later.

    Raises MediaError for a file that is missing, cannot be read, or has no such sound.
    """
    # First, so that no open reader is left behind where it raises.
    frame_s = first_frame_s(path)
    reader = SoundReader(path, choice.track, channels=choice.channels)
    if frame_s is None or abs(frame_s - reader.start_s) > LONGEST_LEAD_S:
        frame_s = reader.start_s
    notices: list[str] = []
    return ClipSound(_cleaned_blocks(reader, frame_s, sample_rate_hz, path.name, notices), notices)


def _cleaned_blocks(
    reader: SoundReader, start_s: float, sample_rate_hz: int, name: str, notices: list[str]
) -> Iterator[NDArray[np.float32]]:
    cleaner = SoundCleaner(reader.rate_hz)
    with reader:
        cleaned = (cleaner.feed(block_TC) for block_TC in reader.blocks_from(start_s))
        yield from resampled_blocks(cleaned, reader.rate_hz, sample_rate_hz)
        cleaner.finish()
        notices += [*reader.notices(), *(f"{name}: {notice}" for notice in cleaner.notices())]


def read_track(path: Path) -> tuple[NDArray[np.float32], int]:
    """Return a file's default sound track from its first sample on, mixed to mono [S] as it is, and its rate.

    Raises MediaError as `read_clip_sound`.
    """
    with SoundReader(path) as reader:
        return np.concatenate([mix_down(block_TC) for block_TC in reader.blocks()]), reader.rate_hz


def resampled(sound_S: NDArray[np.float32], rate_hz: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the sound [S] at another rate."""
    return np.concatenate([np.zeros(0, np.float32), *resampled_blocks([sound_S], rate_hz, sample_rate_hz)])


def resampled_blocks(
    blocks: Iterable[NDArray[np.float32]], rate_hz: int, sample_rate_hz: int
) -> Iterator[NDArray[np.float32]]:
    """Yield mono sound [S] at another rate, without delay."""
    if rate_hz == sample_rate_hz:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, sample_rate_hz, 1, dtype="float32", quality="HQ")
    for block_S in blocks:
        yield stream.resample_chunk(block_S)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
