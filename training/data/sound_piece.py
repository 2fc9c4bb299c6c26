"""Cut a short piece out of a sound or video file of any length, with no more than the piece in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.media.cleaning import SETTLED_S, cleaned
from training.data.video import mono, resampled, track_rate_hz

# S samples of sound


@dataclass(frozen=True, slots=True)
class SoundPiece:
    """Cleaned mono sound [S] at the rate that was asked for, and where it begins in its file."""

    sound_S: NDArray[np.float32]
    start_s: float


def read_piece(path: Path, share: float, seconds: float, sample_rate_hz: int) -> SoundPiece:
    """Decode up to `seconds` of the first sound track; `share` (0 to 1) places the piece between the file's start and its end.

    A file that tells no duration is cut at its start. Raises TrainingError for a file that cannot be read as sound.
    """
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.audio or not track_rate_hz(container.streams.audio[0]):
                raise TrainingError(f"{path} has no sound track; a sound or video file was expected.")
            start_s = share * max(_duration_s(container) - seconds, 0.0)
            # With the sound before it, an offset is gone where the piece begins.
            lead_s = min(start_s, SETTLED_S)
            sound_S, rate_hz = _decoded(container, start_s - lead_s, lead_s + seconds)
        sound_S = cleaned(sound_S, rate_hz)[0][round(lead_s * rate_hz) :]
        return SoundPiece(resampled(sound_S, rate_hz, sample_rate_hz) if len(sound_S) else sound_S, start_s)
    except TrainingError:
        raise
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise TrainingError(
            f"{path} cannot be read as sound ({reason}); a sound or video file was expected."
        ) from error


def _duration_s(container: InputContainer) -> float:
    """Return the duration of the first sound track; 0 where the file does not tell."""
    stream = container.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def _decoded(container: InputContainer, start_s: float, seconds: float) -> tuple[NDArray[np.float32], int]:
    stream: Any = container.streams.audio[0]
    rate_hz, interleaved = track_rate_hz(stream), av.AudioResampler(format="flt")
    first_s = float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
    if start_s > 0.0:
        container.seek(round((first_s + start_s) / float(stream.time_base)), stream=stream)
    wanted, left_out, parts = round(seconds * rate_hz), 0, []
    missing = wanted
    for number, frame in enumerate(container.decode(stream)):
        if number == 0 and frame.time is not None:
            left_out = max(0, round((first_s + start_s - frame.time) * rate_hz))
        for part in interleaved.resample(frame):
            parts.append(mono(part)[left_out:][:missing])
            left_out = max(0, left_out - part.samples)
            missing -= len(parts[-1])
        if missing <= 0:
            break
    return np.concatenate(parts) if parts else np.zeros(0, np.float32), rate_hz
