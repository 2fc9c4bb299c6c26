"""The process in which fuzz_media.py reads media files: a line of JSON for each file in, the outcome of every reader out."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.audio.sources.media_file import MediaFileSource
from engine.core.clock import WallClock
from engine.core.errors import UserError
from engine.media.cleaning import SoundCleaner
from training.data.clip_sound import read_sound
from training.data.frames import read_frames
from training.data.sound_piece import read_piece
from training.data.video import ClipFormat

LARGEST_DATA_BYTES = 2 << 30
LONGEST_S = 600.0
"""Sound and frames of a file of a few seconds never become as much."""
FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=16000)
PLAYED, SENTENCE, TRACEBACK, ENDLESS = "played", "sentence", "traceback", "endless"


def main() -> int:
    verdicts = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _limit_memory()
    for line in sys.stdin:
        path = Path(json.loads(line))
        print(json.dumps({name: _outcome(read, path) for name, read in READERS.items()}), file=verdicts, flush=True)
    return 0


def read_live(path: Path) -> float:
    """Read a file as a show does; return the seconds of its sound."""
    return _played(MediaFileSource(path), 1)


def read_repeated(path: Path) -> float:
    """Read a file three times over, as a show with --repeat does."""
    return _played(MediaFileSource(path, repeat=True), 3)


def read_all_frames(path: Path) -> float:
    count = 0
    for _ in read_frames(path, FORMAT):
        count += 1
        if count > LONGEST_S * FORMAT.fps:
            break
    return count / FORMAT.fps


READERS: Mapping[str, Callable[[Path], float]] = {
    "live": read_live,
    "repeated": read_repeated,
    "sound for training": lambda path: len(read_sound(path, FORMAT.sample_rate_hz)) / FORMAT.sample_rate_hz,
    "frames for training": read_all_frames,
    "piece of sound": lambda path: len(read_piece(path, 0.5, 0.5, 16000).sound_S) / 16000,
}
"""Each reads a file and returns the seconds that came."""


def _played(source: MediaFileSource, passes: int) -> float:
    """Read a source to its end, or that many times the length of a pass of the same file."""
    cleaner, samples, blocks = SoundCleaner(source.rate_hz), 0, 0
    most = LONGEST_S * source.rate_hz
    try:
        source.start()
        while samples <= most and blocks < 100_000:
            block = source.read()
            if block is None:
                break
            blocks += 1
            samples += len(cleaner.feed(block[0]))
            # Seeds are one second long: three passes are few seconds.
            if passes > 1 and samples > passes * source.rate_hz:
                break
        else:
            return LONGEST_S + 1.0
        _check(source.notices())
    finally:
        source.close()
    return samples / source.rate_hz


def _check(notices: list[str]) -> None:
    for notice in notices:
        assert notice.isprintable(), ascii(notice)


def _outcome(read: Callable[[Path], float], path: Path) -> tuple[str, str, float]:
    """Return what became of a file, the sentence or place, and the seconds it took."""
    begun_s = WallClock().now_s()
    try:
        seconds = read(path)
        verdict, reason = (
            (PLAYED, f"{seconds:.2f} s") if seconds <= LONGEST_S else (ENDLESS, f"more than {LONGEST_S} s")
        )
    except UserError as error:
        verdict, reason = SENTENCE, str(error)
    # A fault of ours, whatever it is; this is what is looked for.
    except Exception:  # noqa: BLE001
        verdict, reason = TRACEBACK, traceback.format_exc()
    return verdict, reason, round(WallClock().now_s() - begun_s, 3)


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    resource = importlib.import_module("resource")
    for name, most in (("RLIMIT_CORE", 0), ("RLIMIT_DATA", LARGEST_DATA_BYTES)):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (most, most))


if __name__ == "__main__":
    sys.exit(main())
