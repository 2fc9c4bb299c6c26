"""Clips to train AVSyncD on, in the layout that its authors publish: `videos/`, `train.txt`, `class_mapping.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from engine.core.errors import MediaError, TrainingError, nearest_name
from engine.core.small_files import read_text
from engine.core.structured import parse_json
from engine.media.frame_reader import FrameReader
from training.data.clip_sound import read_sound
from training.diffusion.avsyncd.config import FPS, FRAMES
from training.diffusion.avsyncd.still import fitted
from training.diffusion.filter_bank import IMAGEBIND
from training.diffusion.imagebind_audio import SOUND_S

# F frames, H W rows and columns, S samples of sound

MOST_LIST_BYTES = 1 << 26

Split = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class Example:
    """One clip, and what is seen and sounds in it."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Two seconds of a clip."""

    frames_FHW3: NDArray[np.uint8]
    sound_S: NDArray[np.float32]
    """At the rate of ImageBind's filter bank."""


def read_examples(data: Path, text: str = "", split: Split = "train") -> list[Example]:
    """Return the clips that a folder lists for training (train.txt) or for tests (test.txt), as CLASS/NAME.mp4 a line, in videos/ or
    videos/train/ or videos/test/.

    `class_mapping.json` gives the text of a class; without it underscores become spaces. Clips of no class have `text`. Raises
    TrainingError where the list is missing or empty, or a class has no text.
    """
    file = data / f"{split}.txt"
    try:
        lines = [line.strip() for line in _text(file).splitlines() if line.strip()]
    except TrainingError:
        raise
    except ValueError as error:
        raise TrainingError(f"{file} cannot be used: {error}; a path a line was expected.") from error
    if not lines:
        raise TrainingError(f"{file} lists no clip; one path in {data / 'videos'} a line was expected.")
    mapping_file = data / "class_mapping.json"
    texts = _mapping(mapping_file) if mapping_file.exists() else None
    found = []
    for line in lines:
        if Path(line).is_absolute() or ".." in Path(line).parts:
            raise TrainingError(f"{file} lists {line}; paths in {data / 'videos'} were expected, as CLASS/NAME.mp4.")
        places = [data / "videos" / line, data / "videos" / split / line]
        place = next((place for place in places if place.exists()), places[0])
        name = Path(line).parts[0] if len(Path(line).parts) > 1 else ""
        if name and texts is not None and name not in texts:
            raise TrainingError(
                f"{mapping_file} has no text for '{name}', the class of {line}.{nearest_name(name, texts)} Add it there."
            )
        found.append(Example(place, text if not name else name.replace("_", " ") if texts is None else texts[name]))
    return found


def _text(file: Path) -> str:
    try:
        return read_text(file, MOST_LIST_BYTES)
    except OSError as error:
        raise TrainingError(f"Cannot read {file}: {error.strerror}; docs/avsyncd.md says how data lie.") from error


def _mapping(file: Path) -> dict[str, str]:
    try:
        values = parse_json(_text(file))
    except TrainingError:
        raise
    except ValueError as error:
        raise TrainingError(f"{file} cannot be used: {error}; texts by class were expected.") from error
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise TrainingError(
            f"{file} holds something else than texts by class, as {{'lions_roaring': 'lions roaring'}}."
        )
    return values


def read_stretch(path: Path, size: tuple[int, int], random: torch.Generator, flips: bool) -> Stretch:
    """Read two seconds of a clip from a random place on, as `size` (width, height), mirrored half of the times if it `flips`.

    A frame is the first one at its time or after it; the last one stands in for those that the clip lacks. Raises MediaError for a
    file without frames or sound.
    """
    sound_S = read_sound(path, IMAGEBIND.sample_rate_hz)
    length = round(SOUND_S * IMAGEBIND.sample_rate_hz)
    latest_s = max(0.0, (len(sound_S) - length) / IMAGEBIND.sample_rate_hz)
    start_s = float(torch.rand((), generator=random)) * latest_s
    mirrored = flips and bool(torch.rand((), generator=random) < 0.5)
    frames_FHW3 = frames_from(path, start_s, size)
    first = round(start_s * IMAGEBIND.sample_rate_hz)
    part_S = sound_S[first : first + length]
    return Stretch(frames_FHW3[:, :, ::-1] if mirrored else frames_FHW3, np.pad(part_S, (0, length - len(part_S))))


def frames_from(
    path: Path, start_s: float, size: tuple[int, int], fps: int = FPS, count: int = FRAMES
) -> NDArray[np.uint8]:
    """Return the frames [F, H, W, 3] of a clip from a moment on, two seconds of them, as `read_stretch` chooses them. Raises MediaError as that."""
    return np.stack(_frames(path, start_s, size, fps, count))


def _frames(path: Path, start_s: float, size: tuple[int, int], fps: int, count: int) -> list[NDArray[np.uint8]]:
    found: list[NDArray[np.uint8]] = []
    last, begins_s = None, None
    for timed in FrameReader(path).frames():
        begins_s = timed.time_s if begins_s is None else begins_s
        last = timed.shown
        # A little less, since time stamps are rounded. One frame stands for several where the film has fewer a second.
        due = sum(timed.time_s - begins_s >= start_s + number / fps - 1e-6 for number in range(len(found), count))
        if due:
            found += [fitted(last.pixels_HWC(), *size)] * due
        if len(found) == count:
            return found
    if last is None:
        raise MediaError(f"{path} has no frames; a film was expected.")
    return found + [found[-1] if found else fitted(last.pixels_HWC(), *size)] * (count - len(found))
