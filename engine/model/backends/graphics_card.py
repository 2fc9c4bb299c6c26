"""The NVIDIA graphics card of this machine, as nvidia-smi reports it."""

from __future__ import annotations

import functools
import shutil
import subprocess
from typing import NamedTuple

TIMEOUT_S = 20.0
_QUERY = ("--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader")


class GraphicsCard(NamedTuple):
    """The first NVIDIA card."""

    name: str
    capability: str
    """Compute capability of its generation, such as "8.9"."""
    driver: str


@functools.cache
def find_card() -> GraphicsCard | None:
    """Return the first card; None without a card or a working driver. Runs nvidia-smi once in a process."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        asked = subprocess.run([tool, *_QUERY], capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_answer(asked.stdout)


def parse_answer(text: str) -> GraphicsCard | None:
    """Return the first card of the tool's answer, which has one line a card; None for an answer of another form."""
    parts = [part.strip() for part in text.partition("\n")[0].split(",")]
    return GraphicsCard(*parts) if len(parts) == len(GraphicsCard._fields) and all(parts) else None
