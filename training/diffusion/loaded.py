"""The networks of a rendering, read from their files: for one clip each when it is needed, for many clips each once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Open = Callable[[Path, torch.device, torch.dtype], Any]
"""Of a network with its weights."""


class Loaded:
    """Networks by their files. One that keeps them saves the reading and takes the memory of all of them."""

    def __init__(self, keeps: bool = False) -> None:
        self.keeps = keeps
        self._networks: dict[tuple[Path, torch.device, torch.dtype], Any] = {}

    @property
    def holds_some(self) -> bool:
        return bool(self._networks)

    def network(self, file: Path, open_file: Open, device: torch.device, kind: torch.dtype) -> Any:
        """Return what `open_file` makes of a file. Raises as that."""
        key = (file, device, kind)
        found = self._networks[key] if key in self._networks else open_file(file, device, kind)
        if self.keeps:
            self._networks[key] = found
        return found
