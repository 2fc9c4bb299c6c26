"""Strict frozen dataclasses from plain mappings: every unknown key and wrong kind is a sentence."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from engine.core.errors import TrainingError, nearest_name

C = TypeVar("C")


def build_config(kind: type[C], values: Mapping[str, Any], where: str = "") -> C:
    """Build the dataclass `kind` (nested ones too) from `values`.

    `where` is the dotted path for messages. Raises TrainingError for unknown keys (with the nearest known one) and kinds.
    """
    if not isinstance(values, Mapping):
        raise TrainingError(f"{where or kind.__name__} is {values!r}; a mapping of its settings was expected.")
    hints = typing.get_type_hints(kind)
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise TrainingError(f"Unknown setting '{_join(where, key)}'.{nearest_name(str(key), known)}")
    return kind(**{key: _value(hints[key], value, _join(where, key)) for key, value in values.items()})


def config_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as plain values (lists for tuples), as YAML and JSON hold it."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def differing_keys(left: Mapping[str, Any], right: Mapping[str, Any], where: str = "") -> list[str]:
    """List the dotted keys in which two configuration mappings differ."""
    keys: list[str] = []
    for key in sorted({*left, *right}):
        one, other = left.get(key), right.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            keys += differing_keys(one, other, _join(where, key))
        elif one != other:
            keys.append(_join(where, key))
    return keys


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return config_dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else build_config(hint, value, where)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _value(next(a for a in arguments if a is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise TrainingError(f"'{where}' is {value!r}; one of {', '.join(map(repr, arguments))} was expected.")
        return value
    if origin is tuple and isinstance(value, (list, tuple)):
        inner = arguments[0] if arguments[-1] is Ellipsis else None
        if inner is None and len(value) != len(arguments):
            raise TrainingError(f"'{where}' has {len(value)} values; {len(arguments)} were expected.")
        kinds = [inner] * len(value) if inner is not None else arguments
        return tuple(_value(k, item, where) for k, item in zip(kinds, value, strict=True))
    if hint is float and (type(value) in (int, float) or _is_number(value)):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise TrainingError(f"'{where}' is {value!r}; {getattr(hint, '__name__', hint)} was expected.")


def _is_number(value: Any) -> bool:
    """YAML takes 1e-4, without a dot, for text."""
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True
