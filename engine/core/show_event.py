"""Show events: what changes a show beside its parameters. A take records them and its replay repeats them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ShowEvent = Mapping[str, Any]
"""One event; its key `kind` names it. Values are numbers, texts, lists, mappings and arrays."""

MODEL = "model"
"""Another model plays from this hop on. Keys: `model`, `graph_sha256`, `state`, `fade_hops`, `is_held`."""
STATE = "state"
"""The same model continues from another state. Keys: `state`, `fade_hops`, `is_held`."""
RETURN = "return"
"""The new model failed; the previous one plays again."""
HOLD = "hold"
"""The outgoing model stops stepping; its last frame stands still."""
GLIDE = "glide"
"""Parameters glide to their next values. Key: `seconds`."""
MAPPING = "mapping"
"""A parameter is driven by another expression from this hop on, or by none. Keys: `parameter`, `expression`."""

REQUIRED_KEYS: Mapping[str, frozenset[str]] = {
    MODEL: frozenset({"model", "graph_sha256", "fade_hops", "is_held"}),
    STATE: frozenset({"state", "fade_hops", "is_held"}),
    RETURN: frozenset(),
    HOLD: frozenset(),
    GLIDE: frozenset({"seconds"}),
    MAPPING: frozenset({"parameter", "expression"}),
}
"""Keys that an event of each kind has, beside `kind`."""
