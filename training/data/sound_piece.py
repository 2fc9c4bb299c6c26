"""Cut a short piece out of a sound or video file of any length, with no more than the piece in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from engine.media.channels import mix_down
from engine.media.cleaning import SETTLED_S, cleaned
from engine.media.opening import open_media
from engine.media.sound_reader import SoundReader
from engine.media.tracks import sound_track
from training.data.clip_sound import resampled

# S samples of sound, T samples and C channels of a block


@dataclass(frozen=True, slots=True)
class SoundPiece:
    """Cleaned mono sound [S] at the rate that was asked for, and where it begins in its file."""

    sound_S: NDArray[np.float32]
    start_s: float


def read_piece(path: Path, share: float, seconds: float, sample_rate_hz: int) -> SoundPiece:
    """Decode up to `seconds` of the default sound track; `share` (0 to 1) places the piece between the file's start and its end.

    A file that tells no duration is cut at its start. Raises MediaError for a file that cannot be read as sound.
    """
    first_s, duration_s = _extent_s(path)
    start_s = share * max(duration_s - seconds, 0.0)
    # With the sound before it, an offset is gone where the piece begins.
    lead_s = min(start_s, SETTLED_S)
    from_s = first_s + start_s - lead_s
    with SoundReader(path, from_s=from_s if start_s > 0.0 else None) as reader:
        rate_hz = reader.rate_hz
        blocks = reader.blocks_from(from_s if start_s > 0.0 else reader.start_s)
        parts = list(_first_samples(blocks, round((lead_s + seconds) * rate_hz)))
    sound_S = np.concatenate([np.zeros(0, np.float32), *parts])
    sound_S = cleaned(sound_S, rate_hz)[0][round(lead_s * rate_hz) :]
    return SoundPiece(resampled(sound_S, rate_hz, sample_rate_hz), start_s)


def _extent_s(path: Path) -> tuple[float, float]:
    """Return start and duration of the sound track, 0 each where the file does not tell."""
    with open_media(path) as container:
        track = sound_track(container, path)
        base_s = float(track.time_base or 0.0)
        if track.duration is not None:
            duration_s = track.duration * base_s
        else:
            duration_s = container.duration / av.time_base if container.duration else 0.0
        return (track.start_time or 0) * base_s, duration_s


def _first_samples(blocks: Iterable[NDArray[np.float32]], samples: int) -> Iterator[NDArray[np.float32]]:
    """Yield the first `samples` in mono [S]."""
    for block_TC in blocks:
        yield mix_down(block_TC)[:samples]
        samples -= len(block_TC)
        if samples <= 0:
            return
