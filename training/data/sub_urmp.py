"""Recordings in the layout of Sub-URMP (Chen et al. 2017): a frame every 0.1 s, each with the 0.5 s of sound that start there.

    ROOT/img/SPLIT/INSTRUMENT/NAME_500.jpg     the frame at 500 ms of recording NAME (cello03)
    ROOT/chunk/SPLIT/INSTRUMENT/NAME_500.wav   the sound from 500 to 1000 ms

ROOT+SPLIT+INSTRUMENT names the same folder, as in the original's code.

The chunks overlap by 0.4 s. The first 0.1 s of all chunks, one after another, are the continuous sound track.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.media.cleaning import cleaned
from training.data.clip_sound import ClipSound, read_track, resampled_blocks
from training.data.frames import at_frame_rate, crop_and_resize
from training.data.sources import file_digest, joined_digest
from training.data.video import ClipFormat

# H W C rows, columns and colours, S samples of sound

FRAMES, CHUNKS = "img", "chunk"
STRIDE_MS = 100
FILE_NAME = re.compile(r"(.+)_(\d+)\.jpe?g", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recording:
    """Consecutive frames of one recording, and a chunk of sound for each."""

    name: str
    frame_paths: tuple[Path, ...]
    chunk_paths: tuple[Path, ...]

    @property
    def mended(self) -> tuple[str, ...]:
        return ()

    def digest(self) -> str:
        return joined_digest(map(file_digest, (*self.frame_paths, *self.chunk_paths)))

    def frames(self, clip_format: ClipFormat) -> Generator[NDArray[np.uint8]]:
        stride_s = STRIDE_MS / 1000
        timed = (
            (number * stride_s, stride_s, crop_and_resize(_read_frame(path), clip_format, path))
            for number, path in enumerate(self.frame_paths)
        )
        return at_frame_rate(timed, clip_format.fps)

    def sound(self, sample_rate_hz: int) -> ClipSound:
        parts: list[NDArray[np.float32]] = []
        rate_hz = 0
        for number, path in enumerate(self.chunk_paths):
            chunk_S, chunk_rate_hz = read_track(path)
            if rate_hz not in (0, chunk_rate_hz):
                raise TrainingError(
                    f"{path} is at {chunk_rate_hz} Hz, the chunk before at {rate_hz} Hz; one rate was expected."
                )
            rate_hz = chunk_rate_hz
            begin, end = (round(at * STRIDE_MS * rate_hz / 1000) for at in (number, number + 1))
            if len(chunk_S) < end - begin:
                raise TrainingError(
                    f"{path} holds {len(chunk_S) / rate_hz:.2f} s of sound; at least {STRIDE_MS / 1000} s were expected."
                )
            parts.append(chunk_S[: end - begin])
        sound_S, notices = cleaned(np.concatenate(parts), rate_hz)
        return ClipSound(resampled_blocks([sound_S], rate_hz, sample_rate_hz), notices)


def folder_of(path: Path) -> Path:
    """Return the folder that ROOT+SPLIT+INSTRUMENT names, the notation of the original's code; any other path stays."""
    root, *names = str(path).rsplit("+", 2)
    if path.exists() or len(names) < 2 or not Path(root).is_dir():
        return path
    return Path(root, FRAMES, *names)


def find_recordings(folder: Path) -> list[Recording]:
    """Find the recordings of one instrument: `folder` is ROOT/img/SPLIT/INSTRUMENT, or a folder above it that holds only one.

    A recording with a gap (a missing frame or chunk) becomes several. Raises TrainingError for no instrument and for several.
    """
    frames_folder = _instrument_folder(folder)
    chunks_folder = frames_folder.parents[2] / CHUNKS / frames_folder.parent.name / frames_folder.name
    times_ms: dict[str, list[int]] = {}
    paths: dict[tuple[str, int], tuple[Path, Path]] = {}
    for path in sorted(frames_folder.iterdir()):
        found = FILE_NAME.fullmatch(path.name)
        chunk = chunks_folder / f"{path.stem}.wav"
        if found and chunk.is_file():
            name, time_ms = found[1], int(found[2])
            times_ms.setdefault(name, []).append(time_ms)
            paths[name, time_ms] = (path, chunk)
    if not paths:
        raise TrainingError(
            f"{frames_folder} holds no frame NAME_MILLISECONDS.jpg with its sound in {chunks_folder}; the layout of Sub-URMP was expected."
        )
    recordings = []
    for name in sorted(times_ms):
        for run_ms in _runs(sorted(times_ms[name])):
            frame_paths, chunk_paths = zip(*(paths[name, time_ms] for time_ms in run_ms), strict=True)
            recordings.append(
                Recording(f"{frames_folder / name} from {run_ms[0] / 1000:g} s", frame_paths, chunk_paths)
            )
    return recordings


def _runs(times_ms: list[int]) -> list[list[int]]:
    """Split times into consecutive runs."""
    borders = [0, *(k for k in range(1, len(times_ms)) if times_ms[k] - times_ms[k - 1] != STRIDE_MS), len(times_ms)]
    return [times_ms[begin:end] for begin, end in itertools.pairwise(borders)]


def _instrument_folder(folder: Path) -> Path:
    """Return the only ROOT/img/SPLIT/INSTRUMENT at or under `folder`."""
    if folder.absolute().parent.parent.name == FRAMES:
        return folder.absolute()
    depth = "*" if folder.absolute().parent.name == FRAMES else "*/*"
    below = folder if depth == "*" or folder.name == FRAMES else folder / FRAMES
    found = [path.absolute() for path in sorted(below.glob(depth)) if path.is_dir()]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(str(path.relative_to(folder.absolute())) for path in found[:4])
        raise TrainingError(f"{folder} holds several instruments ({shown} …); give the folder of one.")
    raise TrainingError(
        f"{folder} is a folder without {FRAMES}/SPLIT/INSTRUMENT; give a video file, a folder of them or a folder in the layout of Sub-URMP."
    )


def _read_frame(path: Path) -> NDArray[np.uint8]:
    frame_HWC = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if frame_HWC is None:
        raise TrainingError(f"{path} is not a readable image; a JPEG file was expected.")
    return np.asarray(frame_HWC[:, :, ::-1], dtype=np.uint8)
