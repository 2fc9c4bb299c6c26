"""Where this user's cache lies: what can be made again, and what this machine remembers."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """Return $XDG_CACHE_HOME/fluid, by default under ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fluid"
