"""Description of the machine that trains, for the run log."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def machine(device: torch.device) -> dict[str, str | int]:
    """Return processor, accelerator, threads, system and versions of this machine."""
    found: dict[str, str | int] = {"processor": _processor(), "cores": os.cpu_count() or 0}
    if device.type == "cuda":
        found["accelerator"] = torch.cuda.get_device_name(device)
    return found | {
        "threads": torch.get_num_threads(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
