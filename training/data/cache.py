"""Clips decoded once: a folder an entry, mapped into memory, written under another name and renamed when complete.

A file lock an entry lets one process decode while others wait for the result. The system frees the lock of a process that dies, so
whoever holds it may delete what was left half written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from engine.core.atomic_files import PARTIAL_SUFFIX, atomic_folder, remove_leftover
from engine.core.errors import TrainingError
from engine.core.structured import parse_json
from training.data.cuts import CutFinder
from training.data.sources import Source, VideoFile
from training.data.video import Clip, ClipFormat

CACHE_VERSION = 2
"""Raised whenever the same file would be decoded into something else; entries of another version are built anew."""
FRAMES_FILE, SOUND_FILE, DESCRIPTION_FILE = "frames.uint8", "sound.float32", "clip.json"
LOCK = ".lock"


def default_cache_folder() -> Path:
    """Return $XDG_CACHE_HOME/fluid/clips, by default under ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fluid" / "clips"


def load_clip(source: Path | Source, clip_format: ClipFormat, cache_folder: Path | None = None) -> Clip:
    """Return the decoded clip of a video file or another source, from the cache when it was decoded before.

    Raises TrainingError for a file that cannot be used (see `read_pictures`, `read_sound`) or a cache that cannot be written.
    """
    if isinstance(source, Path):
        source = VideoFile(source)
    folder = cache_folder or default_cache_folder()
    entry = folder / cache_key(source, clip_format)
    clip = _read(entry, clip_format, source.name)
    return clip if clip is not None else _decoded(entry, source, clip_format)


def cache_key(source: Source, clip_format: ClipFormat) -> str:
    """Name a cache entry by the content of the source and all that shapes the result."""
    shape = json.dumps(dataclasses.asdict(clip_format), sort_keys=True)
    return hashlib.sha256(f"{source.digest()} {shape}".encode()).hexdigest()[:32]


def _decoded(entry: Path, source: Source, clip_format: ClipFormat) -> Clip:
    """Decode under the entry's lock, unless another process did meanwhile."""
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
            f"Cannot write the cache {folder} ({error.strerror or error}); free some space or give another with --cache-folder."
        ) from error
    assert clip is not None, entry
    return clip


def _decode_into(entry: Path, source: Source, clip_format: ClipFormat) -> None:
    with atomic_folder(entry) as partial:
        sound_S = source.sound(clip_format.sample_rate_hz)
        hop = clip_format.sample_rate_hz / clip_format.fps
        heard, shown, cuts = int((len(sound_S) + 0.5) // hop), 0, CutFinder(clip_format.fps)
        with (partial / FRAMES_FILE).open("wb") as file:
            for picture in source.pictures(clip_format):
                if shown == heard:
                    break
                file.write(picture.tobytes())
                cuts.add(picture)
                shown += 1
        if not shown:
            raise TrainingError(
                f"{source.name} is shorter than one picture at {clip_format.fps} a second; a longer clip was expected."
            )
        sound_S = sound_S[: round(shown * hop)]
        (partial / SOUND_FILE).write_bytes(sound_S.tobytes())
        description = {
            "version": CACHE_VERSION,
            "frames": shown,
            "samples": len(sound_S),
            "cuts_s": cuts.cuts_s(),
            "source": source.name,
            **dataclasses.asdict(clip_format),
        }
        (partial / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2), encoding="utf-8")


def _lock(folder: Path, key: str) -> Path:
    return folder / f".{key}{LOCK}"


def _remove_leftovers(folder: Path, own_key: str) -> None:
    """Delete half-written folders: those of `own_key`, whose lock is held, and those whose lock is free."""
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
            continue  # its process is alive


def _read(entry: Path, clip_format: ClipFormat, name: str) -> Clip | None:
    """Map a complete entry of this version; None when there is none, or it is being replaced this moment."""
    size = clip_format.image_size
    try:
        description = parse_json((entry / DESCRIPTION_FILE).read_bytes())
        if not isinstance(description, dict) or description.get("version") != CACHE_VERSION:
            return None
        frames, samples, cuts_s = (description.get(key) for key in ("frames", "samples", "cuts_s"))
        if not (isinstance(frames, int) and isinstance(samples, int) and isinstance(cuts_s, list)):
            return None
        sizes = [(entry / file).stat().st_size for file in (FRAMES_FILE, SOUND_FILE)]
        if min(frames, samples) < 1 or sizes != [frames * size * size * 3, samples * 4]:
            return None
        frames_NHWC = np.memmap(entry / FRAMES_FILE, np.uint8, "r", shape=(frames, size, size, 3))
        sound_S = np.memmap(entry / SOUND_FILE, np.float32, "r")
    except (OSError, ValueError):
        return None
    return Clip(frames_NHWC, sound_S, clip_format, name, tuple(cuts_s))
