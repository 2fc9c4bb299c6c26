"""What happens in a show beside its parameters, told to a take and repeated by its replay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ShowEvent = Mapping[str, Any]
"""One event, named by `kind`: numbers, texts, lists, mappings and arrays."""

MODEL = "model"
"""Another model plays from this hop on: `model`, `graph_sha256`, `state`, `fade_hops`, `is_held`."""
STATE = "state"
"""The same model plays on from another state: `state`, `fade_hops`, `is_held`."""
RETURN = "return"
"""The new model failed; the one before plays again."""
HOLD = "hold"
"""The outgoing frame stands still."""
GLIDE = "glide"
"""Parameters glide to their next values for `seconds`."""
