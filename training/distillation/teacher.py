"""A teacher and the cache of what it has rendered: the same stretch with the same weights, still, settings and seed is rendered once."""

from __future__ import annotations

import hashlib
import json
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from engine.core.atomic_files import PARTIAL_SUFFIX, atomic_folder, remove_leftover
from engine.core.errors import TrainingError
from training.data.clip_sound import read_sound
from training.data.sources import file_digest
from training.diffusion.job_flags import add_job_arguments, job_of
from training.diffusion.loaded import Loaded
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import RENDER_RATE_HZ, RenderFamily, RenderJob, RenderPlan
from training.diffusion.weight_files import require
from training.distillation.known_digests import KnownDigests
from training.distillation.songs import Stretch
from training.families.offline import render_file

# S samples of sound

CACHE_VERSION = 1
"""Increase it when the same request would be rendered differently."""
FILM = "clip.mp4"
NOT_OF_THE_FRAMES = {"precision", "most_memory", "save_memory"}
"""Flags that change nothing to be seen; of the precision, the one that is computed with counts."""


@dataclass(frozen=True)
class Teacher:
    """A family of diffusion models with all that decides what it renders of a sound."""

    name: str
    family: RenderFamily
    arguments: Namespace
    device: torch.device
    folder: Path
    """Of the cache."""
    loaded: Loaded = field(default_factory=Loaded)

    def job(self, seconds: float) -> RenderJob:
        """Return the job for a stretch of that length. Raises TrainingError for flags that are out of range."""
        return job_of(self.arguments, seconds, self.device)

    def plan(self, seconds: float) -> RenderPlan:
        """Return what rendering that many seconds will be. Raises TrainingError and MediaError for what cannot be rendered."""
        return self.family.plan(self.arguments, self.job(seconds))

    @cached_property
    def identity(self) -> str:
        """A checksum of the weights, the still and all settings. Reads all of these files, weights once. Raises TrainingError."""
        files = require(self.arguments.weights, self.family.weight_files(self.arguments))
        described = [place.with_name("config.json") for place in files.values()]
        read = sorted({*files.values(), *(file for file in described if file.is_file())})
        known = KnownDigests(self.folder)
        content = {
            "version": CACHE_VERSION,
            "teacher": self.name,
            "weights": [known.of(file) for file in read],
            "settings": {name: _content(getattr(self.arguments, name)) for name in self._settings()},
            "precision": str(self.job(1.0).kind),
        }
        return _digest(content)

    def film(self, stretch: Stretch) -> Path:
        """Return where a rendered stretch lies, or will lie."""
        sound = {"sound": stretch.sound_sha256, "start_s": stretch.start_s, "seconds": stretch.seconds}
        return self.folder / _digest({"teacher": self.identity, **sound})[:32] / FILM

    def render(self, stretch: Stretch, progress: RenderProgress) -> Path:
        """Render a stretch, unless another process has done it meanwhile, and return its film, which is there whole or not at all.

        Raises TrainingError for weights that do not fit and for a cache that cannot be written.
        """
        entry = self.film(stretch).parent
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f".{entry.name}.lock"):
                # Of a process that was killed: this one holds the lock.
                for partial in self.folder.glob(f".{entry.name}.*{PARTIAL_SUFFIX}"):
                    remove_leftover(partial)
                if not (entry / FILM).is_file():
                    with atomic_folder(entry) as partial:
                        sound_S = sound_of(stretch)
                        job = self.job(len(sound_S) / RENDER_RATE_HZ)
                        render_file(
                            self.family.open(self.arguments, job, progress, self.loaded),
                            sound_S,
                            partial / FILM,
                            "choose another place with --cache-folder",
                        )
        except OSError as error:
            raise TrainingError(
                f"Cannot write the cache {self.folder} ({error.strerror or error}); free some space or choose another folder with "
                "--cache-folder."
            ) from error
        finally:
            progress.end()
        return entry / FILM

    def _settings(self) -> list[str]:
        """Return the names of the flags that decide about the frames."""
        parser = ArgumentParser()
        add_job_arguments(parser, self.family)
        self.family.add_arguments(parser)
        return sorted(vars(parser.parse_args([])).keys() - NOT_OF_THE_FRAMES)


def sound_of(stretch: Stretch) -> NDArray[np.float32]:
    """Return the sound [S] of a stretch at RENDER_RATE_HZ. Raises MediaError."""
    return part_of(read_sound(stretch.path, RENDER_RATE_HZ), stretch)


def part_of(song_S: NDArray[np.float32], stretch: Stretch) -> NDArray[np.float32]:
    """Return the stretch of a song that is read already."""
    first = round(stretch.start_s * RENDER_RATE_HZ)
    return song_S[first : first + round(stretch.seconds * RENDER_RATE_HZ)]


def _content(value: object) -> object:
    """Return what counts of a flag: of a file its content, and of a folder nothing, for its weights are counted."""
    if isinstance(value, Path):
        return file_digest(value) if value.is_file() else ""
    return value


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
