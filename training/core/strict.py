"""Strict training configurations from plain mappings: every unknown setting and wrong kind is a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from engine.core.errors import TrainingError
from engine.core.structured import dotted, plain_values, structure

C = TypeVar("C")


def build_config(kind: type[C], values: Mapping[str, Any], where: str = "") -> C:
    """Build the dataclass `kind` (nested ones too) from `values`; `where` is their dotted path for messages.

    Raises TrainingError for unknown settings (with the nearest known one) and for values of the wrong kind.
    """
    return structure(kind, values, TrainingError, where=where, noun="setting")


def config_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as plain values (lists for tuples), as YAML and JSON hold it."""
    return plain_values(config)


def differing_keys(left: Mapping[str, Any], right: Mapping[str, Any], where: str = "") -> list[str]:
    """List the dotted keys in which two configuration mappings differ."""
    keys: list[str] = []
    for key in sorted({*left, *right}):
        one, other = left.get(key), right.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            keys += differing_keys(one, other, dotted(where, key))
        elif one != other:
            keys.append(dotted(where, key))
    return keys
