"""Recordings in the folders of Sub-URMP (Chen et al. 2017): a picture every 0.1 s, and with each the 0.5 s of sound that begin there.

    ROOT/img/SPLIT/INSTRUMENT/NAME_500.jpg     the picture at 500 ms of recording NAME (cello03)
    ROOT/chunk/SPLIT/INSTRUMENT/NAME_500.wav   the sound from 500 to 1000 ms

The chunks overlap by 0.4 s; the first 0.1 s of each, put end to end, is the recording's continuous sound track.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.data.sources import file_digest, joined_digest
from training.data.video import ClipFormat, fitted, paced, read_track, resampled

# H W C rows, columns and colours, S samples of sound

PICTURES, CHUNKS = "img", "chunk"
STRIDE_MS = 100
FILE_NAME = re.compile(r"(.+)_(\d+)\.jpe?g", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recording:
    """Consecutive pictures of one recording, and a chunk of sound for each."""

    name: str
    pictures_at: tuple[Path, ...]
    chunks_at: tuple[Path, ...]

    def digest(self) -> str:
        return joined_digest(map(file_digest, (*self.pictures_at, *self.chunks_at)))

    def pictures(self, clip_format: ClipFormat) -> Iterator[NDArray[np.uint8]]:
        stride_s = STRIDE_MS / 1000
        timed = (
            (number * stride_s, stride_s, fitted(_read_picture(path), clip_format, path))
            for number, path in enumerate(self.pictures_at)
        )
        return paced(timed, clip_format.fps)

    def sound(self, sample_rate_hz: int) -> NDArray[np.float32]:
        parts: list[NDArray[np.float32]] = []
        rate_hz = 0
        for number, path in enumerate(self.chunks_at):
            chunk_S, _, chunk_rate_hz = read_track(path)
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
        return resampled(np.concatenate(parts), rate_hz, sample_rate_hz)


def find_recordings(folder: Path) -> list[Recording]:
    """Find the recordings of one instrument: `folder` is ROOT/img/SPLIT/INSTRUMENT, or above it where there is no choice.

    A recording with a gap (a picture or its chunk is missing) becomes several. Raises TrainingError when there are none or
    several instruments.
    """
    pictures_in = _instrument_folder(folder)
    chunks_in = pictures_in.parents[2] / CHUNKS / pictures_in.parent.name / pictures_in.name
    times_ms: dict[str, list[int]] = {}
    at: dict[tuple[str, int], tuple[Path, Path]] = {}
    for path in sorted(pictures_in.iterdir()):
        found = FILE_NAME.fullmatch(path.name)
        chunk = chunks_in / f"{path.stem}.wav"
        if found and chunk.is_file():
            name, time_ms = found[1], int(found[2])
            times_ms.setdefault(name, []).append(time_ms)
            at[name, time_ms] = (path, chunk)
    if not at:
        raise TrainingError(
            f"{pictures_in} holds no picture NAME_MILLISECONDS.jpg whose sound lies in {chunks_in}; the layout of Sub-URMP was expected."
        )
    recordings = []
    for name in sorted(times_ms):
        for run_ms in _runs(sorted(times_ms[name])):
            pictures_at, chunks_at = zip(*(at[name, time_ms] for time_ms in run_ms), strict=True)
            recordings.append(Recording(f"{pictures_in / name} from {run_ms[0] / 1000:g} s", pictures_at, chunks_at))
    return recordings


def _runs(times_ms: list[int]) -> list[list[int]]:
    """Part times where they do not follow each other."""
    borders = [0, *(k for k in range(1, len(times_ms)) if times_ms[k] - times_ms[k - 1] != STRIDE_MS), len(times_ms)]
    return [times_ms[begin:end] for begin, end in itertools.pairwise(borders)]


def _instrument_folder(folder: Path) -> Path:
    """Return the only ROOT/img/SPLIT/INSTRUMENT at or under `folder`."""
    if folder.absolute().parent.parent.name == PICTURES:
        return folder.absolute()
    depth = "*" if folder.absolute().parent.name == PICTURES else "*/*"
    below = folder if depth == "*" or folder.name == PICTURES else folder / PICTURES
    found = [path.absolute() for path in sorted(below.glob(depth)) if path.is_dir()]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(str(path.relative_to(folder.absolute())) for path in found[:4])
        raise TrainingError(f"{folder} holds several instruments ({shown} …); give the folder of one.")
    raise TrainingError(
        f"{folder} is a folder without {PICTURES}/SPLIT/INSTRUMENT; give a video file or a folder in the layout of Sub-URMP."
    )


def _read_picture(path: Path) -> NDArray[np.uint8]:
    picture_HWC = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture_HWC is None:
        raise TrainingError(f"{path} is not a picture that can be read; a JPEG file was expected.")
    return np.asarray(picture_HWC[:, :, ::-1], dtype=np.uint8)
