"""What a run folder knows of its teacher: which stretches make its clip, so that the same command goes on with the same ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError
from engine.core.small_files import read_bytes
from engine.core.structured import parse_json
from training.distillation.songs import Song, Stretch

RECORD = "teacher.json"
LARGEST_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Record:
    """Of one run."""

    request: str
    """A checksum of the teacher's identity, the songs, and the length of a stretch."""
    places: tuple[tuple[str, float], ...]
    """Of each stretch the checksum of its song and where it begins, in the order of rendering."""

    def chosen(self, all_stretches: Sequence[Stretch]) -> list[Stretch]:
        """Return the stretches at these places."""
        known = {(stretch.sound_sha256, stretch.start_s): stretch for stretch in all_stretches}
        return [known[place] for place in self.places if place in known]


def request_of(identity: str, songs: Sequence[Song], stretch_s: float) -> str:
    """Return the checksum by which the same command is known again; names and order of the files do not count."""
    content = [identity, sorted(song.sha256 for song in songs), stretch_s]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def record_of(request: str, chosen: Sequence[Stretch]) -> Record:
    return Record(request, tuple((stretch.sound_sha256, stretch.start_s) for stretch in chosen))


def write_record(run_folder: Path, record: Record) -> None:
    """Write the record of a run. Raises TrainingError where that cannot be."""
    content = {"request": record.request, "places": record.places}
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        write_text(run_folder / RECORD, json.dumps(content, indent=2))
    except OSError as error:
        raise TrainingError(f"Cannot write to {run_folder} ({error.strerror}); choose another --run-folder.") from error


def read_record(run_folder: Path) -> Record | None:
    """Return the record of a run; None where there is none, or none that can be read."""
    try:
        content: Any = parse_json(read_bytes(run_folder / RECORD, LARGEST_BYTES))
        return Record(
            str(content["request"]), tuple((str(song), float(start_s)) for song, start_s in content["places"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
