"""Strict reading of a card's dataclasses from decoded JSON: no unknown keys, no missing keys, no value of another type."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from engine.core.errors import ModelFileError, nearest_name
from engine.core.structured import shown
from engine.model.card_limits import LONGEST_NAME

T = TypeVar("T")

_TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


def build_dataclass(kind: type[T], values: Any, nested: Mapping[str, type]) -> T:
    """Build the dataclass `kind` from decoded JSON. `nested` has the dataclass of each key that holds one, or a list of them.

    Raises ModelFileError.
    """
    if not isinstance(values, dict):
        raise ModelFileError(
            f"the model card holds {shown(values)} where a {kind.__name__} belongs; export the model again."
        )
    fields = {field.name: field for field in dataclasses.fields(cast(Any, kind))}
    values = cast(dict[str, Any], values)
    for key in values:
        if key not in fields:
            raise ModelFileError(
                f"the model card has an unknown key {key[:LONGEST_NAME]!a}.{nearest_name(key[:LONGEST_NAME], fields)} Export the model again."
            )
    built: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in values:
            raise ModelFileError(f"the model card lacks '{key}'; export the model again.")
        built[key] = _build_value(key, str(field.type), values[key], nested)
    return kind(**built)


def _build_value(key: str, annotation: str, value: Any, nested: Mapping[str, type]) -> Any:
    if value is None and annotation.endswith("| None"):
        return None
    if key in nested:
        if not annotation.startswith("tuple"):
            return build_dataclass(cast(type[Any], nested[key]), value, nested)
        if not isinstance(value, list):
            raise ModelFileError(
                f"the model card's '{key}' is {shown(value)}; a list was expected. Export the model again."
            )
        kind = cast(type[Any], nested[key])
        return tuple(build_dataclass(kind, item, nested) for item in cast(list[Any], value))
    if annotation.startswith("tuple[int"):
        items = cast(list[Any], value) if isinstance(value, list) else [None]
        if all(type(item) is int and item > 0 for item in items):
            return tuple(cast(list[int], items))
        raise ModelFileError(
            f"the model card's '{key}' is {shown(cast(object, value))}; a list of positive integers was expected. Export the model again."
        )
    if annotation.startswith("tuple[str"):
        words = cast(list[Any], value) if isinstance(value, list) else [None]
        if all(isinstance(word, str) for word in words):
            return tuple(words)
        raise ModelFileError(
            f"the model card's '{key}' is {shown(cast(object, value))}; a list of words was expected. Export the model again."
        )
    return _build_scalar(key, annotation, value)


def _build_scalar(key: str, annotation: str, value: Any) -> Any:
    allowed = re.findall(r'[\'"](\w+)[\'"]', annotation)
    expected = _TYPES.get(annotation, (str,))
    if (
        isinstance(value, bool)
        or not isinstance(value, expected)
        or (allowed and value not in allowed)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise ModelFileError(
            f"the model card's '{key}' is {shown(value)}; {' or '.join(allowed) or annotation} was expected. Export the model again."
        )
    return float(value) if annotation == "float" else value
