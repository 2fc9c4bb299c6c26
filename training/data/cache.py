"""Clips decoded once: a folder an entry, mapped into memory, written under another name and renamed when complete."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from engine.errors import TrainingError
from training.data.video import Clip, ClipFormat, read_pictures, read_sound

CACHE_VERSION = 1
FRAMES_FILE, SOUND_FILE, DESCRIPTION_FILE = "frames.uint8", "sound.float32", "clip.json"


def default_cache_folder() -> Path:
    """Return $XDG_CACHE_HOME/fluid/clips, by default under ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fluid" / "clips"


def load_clip(path: Path, clip_format: ClipFormat, cache_folder: Path | None = None) -> Clip:
    """Return the decoded clip, from the cache when it was decoded before.

    Raises TrainingError for a file that cannot be used (see `read_pictures`, `read_sound`) or a cache that cannot be written.
    """
    if not path.is_file():
        raise TrainingError(f"{path} does not exist; give the path of a video file.")
    folder = cache_folder or default_cache_folder()
    entry = folder / cache_key(path, clip_format)
    if not (entry / DESCRIPTION_FILE).is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _decode_into(entry, path, clip_format)
        except OSError as error:
            raise TrainingError(
                f"Cannot write the cache {folder} ({error.strerror}); give another with --cache-folder."
            ) from error
    return _mapped(entry, clip_format, str(path))


def cache_key(path: Path, clip_format: ClipFormat) -> str:
    """Name a cache entry by the content of the file and all that shapes the result."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps([CACHE_VERSION, dataclasses.asdict(clip_format)], sort_keys=True).encode())
    return digest.hexdigest()[:32]


def _decode_into(entry: Path, path: Path, clip_format: ClipFormat) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    try:
        sound_S = read_sound(path, clip_format.sample_rate_hz)
        hop = clip_format.sample_rate_hz / clip_format.fps
        heard = int((len(sound_S) + 0.5) // hop)
        shown = 0
        with (partial / FRAMES_FILE).open("wb") as file:
            for picture in read_pictures(path, clip_format):
                if shown == heard:
                    break
                file.write(picture.tobytes())
                shown += 1
        if not shown:
            raise TrainingError(
                f"{path} is shorter than one picture at {clip_format.fps} a second; a longer clip was expected."
            )
        sound_S[: round(shown * hop)].tofile(partial / SOUND_FILE)
        (partial / DESCRIPTION_FILE).write_text(
            json.dumps({"frames": shown, "file": str(path), **dataclasses.asdict(clip_format)})
        )
        try:
            partial.rename(entry)
        except OSError:
            # Another process finished the same entry first: use that one.
            if not (entry / DESCRIPTION_FILE).is_file():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _mapped(entry: Path, clip_format: ClipFormat, file: str) -> Clip:
    frames = json.loads((entry / DESCRIPTION_FILE).read_text())["frames"]
    size = clip_format.image_size
    return Clip(
        frames_NHWC=np.memmap(entry / FRAMES_FILE, np.uint8, "r", shape=(frames, size, size, 3)),
        sound_S=np.memmap(entry / SOUND_FILE, np.float32, "r"),
        format=clip_format,
        file=file,
    )
