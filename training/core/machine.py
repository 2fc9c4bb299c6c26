"""The machine that a run trained on, with what torch knows of it."""

from __future__ import annotations

import torch

from engine.core.machine import describe_machine


def machine(device: torch.device) -> dict[str, str | int | float | None]:
    """Return the machine's description with its accelerator, torch's threads and torch's version."""
    accelerator = {"accelerator": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return describe_machine() | accelerator | {"threads": torch.get_num_threads(), "torch": torch.__version__}
