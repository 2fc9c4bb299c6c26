"""A short form of all names and shapes of a module's tensors."""

from __future__ import annotations

import hashlib

from torch import nn


def fingerprint(module: nn.Module) -> str:
    lines = sorted(f"{name} {list(value.shape)}" for name, value in module.state_dict().items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
