"""Cache of decoded clips: one folder for each entry, read in parts, written under another name and renamed when complete.

Each entry has a file lock: one process decodes while others wait for the result. The system releases the lock of a process
that dies, so the process that holds it may delete half-written folders.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import os
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from engine.core.atomic_files import PARTIAL_SUFFIX, atomic_folder, remove_leftover
from engine.core.errors import TrainingError
from engine.core.small_files import check_file, read_bytes
from engine.core.structured import parse_json
from training.data.clip_sound import ClipSound
from training.data.frames import frames_with_sound
from training.data.scene_cuts import SceneCutDetector
from training.data.sources import Source, VideoFile
from training.data.stored_array import StoredArray
from training.data.video import Clip, ClipFormat

CACHE_VERSION = 5
"""Increase it when the same file would be decoded differently; entries of another version are decoded again."""
FRAMES_FILE, SOUND_FILE, DESCRIPTION_FILE = "frames.uint8", "sound.float32", "clip.json"
LARGEST_DESCRIPTION_BYTES = 1 << 20
LOCK = ".lock"


def default_cache_folder() -> Path:
    """Return $XDG_CACHE_HOME/fluid/clips, by default under ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fluid" / "clips"


def load_clip(source: Path | Source, clip_format: ClipFormat, cache_folder: Path | None = None) -> Clip:
    """Return the decoded clip of a video file or another source, from the cache if it is there.

    Raises MediaError or TrainingError for a file that cannot be used (see `read_frames`, `read_clip_sound`), and TrainingError for a
    cache that cannot be written.
    """
    if isinstance(source, Path):
        source = VideoFile(source)
    folder = cache_folder or default_cache_folder()
    entry = folder / cache_key(source, clip_format)
    clip = _read(entry, clip_format, source.name)
    return clip if clip is not None else _decoded(entry, source, clip_format)


def cache_key(source: Source, clip_format: ClipFormat) -> str:
    """Return the name of a cache entry: a hash of the source's content and the clip format."""
    shape = json.dumps(dataclasses.asdict(clip_format), sort_keys=True)
    return hashlib.sha256(f"{source.digest()} {shape}".encode()).hexdigest()[:32]


def _decoded(entry: Path, source: Source, clip_format: ClipFormat) -> Clip:
    """Decode under the entry's lock, unless another process has done it meanwhile."""
    folder = entry.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(_lock(folder, entry.name)):
            clip = _read(entry, clip_format, source.name)
            if clip is None:
                _remove_leftovers(folder, entry.name)
                _decode_into(entry, source, clip_format)
                clip = _read(entry, clip_format, source.name)
    except OSError as error:
        raise TrainingError(
            f"Cannot write the cache {folder} ({error.strerror or error}); free some space or choose another folder with --cache-folder."
        ) from error
    assert clip is not None, entry
    return clip


def _decode_into(entry: Path, source: Source, clip_format: ClipFormat) -> None:
    with atomic_folder(entry) as partial:
        sound = source.sound(clip_format.sample_rate_hz)
        hop = clip_format.sample_rate_hz / clip_format.fps
        cuts = SceneCutDetector(clip_format.fps)
        with (partial / SOUND_FILE).open("wb") as sound_file, (partial / FRAMES_FILE).open("wb") as file:
            samples = _write_sound(sound_file, sound)
            most = frames_with_sound(samples, clip_format.sample_rate_hz, clip_format.fps)
            count = _write_frames(file, source, clip_format, cuts, most)
            samples = min(samples, round(count * hop))
            sound_file.truncate(samples * 4)
        description = {
            "version": CACHE_VERSION,
            "frames": count,
            "samples": samples,
            "cuts_s": cuts.cuts_s(),
            "mended": [*source.mended, *sound.notices],
            "source": source.name,
            **dataclasses.asdict(clip_format),
        }
        (partial / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2), encoding="utf-8")


def _write_sound(file: BinaryIO, sound: ClipSound) -> int:
    """Write the sound block by block, and return the number of samples."""
    samples = 0
    for block_S in sound.blocks:
        file.write(block_S.tobytes())
        samples += len(block_S)
    return samples


def _write_frames(file: BinaryIO, source: Source, clip_format: ClipFormat, cuts: SceneCutDetector, most: int) -> int:
    """Write up to `most` frames, pass them to the cut detector, and return their number."""
    count = 0
    # Closed at once: a source tells what it mended when its frames end.
    with closing(source.frames(clip_format)) as frames:
        for frame in itertools.islice(frames, most):
            file.write(frame.tobytes())
            cuts.add(frame)
            count += 1
    if not count:
        raise TrainingError(
            f"{source.name} is shorter than one frame at {clip_format.fps} frames a second; a longer clip was expected."
        )
    return count


def _lock(folder: Path, key: str) -> Path:
    return folder / f".{key}{LOCK}"


def _remove_leftovers(folder: Path, own_key: str) -> None:
    """Delete half-written folders: those of `own_key`, whose lock this process holds, and those whose lock is free."""
    # With the star also those of the version before, which end in ".partial".
    for partial in folder.glob(f".*{PARTIAL_SUFFIX}*"):
        key = partial.name.split(".")[1]
        if key == own_key:
            remove_leftover(partial)
            continue
        try:
            with FileLock(_lock(folder, key), timeout=0):
                remove_leftover(partial)
        except Timeout:
            continue  # another process is still writing it


def _read(entry: Path, clip_format: ClipFormat, name: str) -> Clip | None:
    """Open a complete entry of this version; return None when there is none or another process is replacing it."""
    try:
        description = parse_json(read_bytes(entry / DESCRIPTION_FILE, LARGEST_DESCRIPTION_BYTES))
        if not isinstance(description, dict) or description.get("version") != CACHE_VERSION:
            return None
        frames, samples, cuts_s, mended = (description.get(key) for key in ("frames", "samples", "cuts_s", "mended"))
        if not (isinstance(frames, int) and isinstance(samples, int) and isinstance(cuts_s, list)):
            return None
        if not (isinstance(mended, list) and all(isinstance(sentence, str) for sentence in mended)):
            return None
        if not all(type(cut_s) in (int, float) and math.isfinite(cut_s) for cut_s in cuts_s):
            return None
        for file in (FRAMES_FILE, SOUND_FILE):
            check_file(entry / file)
        if min(frames, samples) < 1:
            return None
        frames_NHWC = StoredArray(entry / FRAMES_FILE, np.uint8, (frames, *clip_format.frame_size, 3))
        sound_S = StoredArray(entry / SOUND_FILE, np.float32, (samples,))
    except (OSError, ValueError):
        return None
    return Clip(frames_NHWC, sound_S, clip_format, name, tuple(cuts_s), tuple(mended))
