"""What all renderers of diffusion models are alike: a job, files of weights, and how networks are had of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.diffusion.loaded import Loaded, Open
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import RENDER_RATE_HZ, RenderJob


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRenderer:
    """The part of an offline family (training/families/offline.py) that follows from the job."""

    job: RenderJob
    files: Mapping[str, Path]
    """Where each file of weights lies, by its path in the published folder."""
    progress: RenderProgress
    loaded: Loaded

    @property
    def sample_rate_hz(self) -> int:
        return RENDER_RATE_HZ

    @property
    def width(self) -> int:
        return self.job.width

    @property
    def height(self) -> int:
        return self.job.height

    def opened(
        self, path: str, open_file: Open, device: torch.device | None = None, kind: torch.dtype | None = None
    ) -> Any:
        """Return one of the networks, on the job's device and in its kind of number unless others are given.

        Raises TrainingError for weights that do not fit.
        """
        return self.loaded.network(self.files[path], open_file, device or self.job.device, kind or self.job.kind)
