"""The converter behind engine/core/structured.py: cattrs without any of its conversions, and where the first mistake is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_origin

from cattrs import BaseValidationError, Converter, ForbiddenExtraKeysError
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn

from engine.core.errors import UserError

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]


class Mistake(NamedTuple):
    """What is wrong with a mapping."""

    path: tuple[str | int, ...]
    """Keys and indices that lead to it."""
    hint: Any
    """The type that the value should have."""
    unknown_key: str | None
    """A key of the mapping at `path` that its dataclass does not have."""
    owner: type
    """That dataclass."""
    refused: UserError | None
    """What the dataclass itself says of its values."""


def convert(kind: type[T], values: Mapping[Any, Any]) -> T | Mistake:
    """Build the dataclass `kind` from a mapping, or return the first mistake."""
    try:
        return _CONVERTER.structure(values, kind)
    except BaseValidationError as group:
        return _first_mistake(group, kind)


def _first_mistake(group: BaseValidationError, kind: type) -> Mistake:
    """Return the first mistake of a group; an unknown key comes first, for it may be the missing one misspelt."""
    path: list[str | int] = []
    hint: Any = kind
    found: Exception = group
    while isinstance(found, BaseValidationError):
        inner = found.exceptions
        found = next((one for one in inner if isinstance(one, ForbiddenExtraKeysError)), inner[0])
        for note in getattr(found, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                path.append(note.name)
                hint = note.type
            elif isinstance(note, IterableValidationNote):
                path.append(note.index)
                hint = note.type
    is_unknown = isinstance(found, ForbiddenExtraKeysError)
    return Mistake(
        path=tuple(path),
        hint=hint,
        unknown_key=min(map(str, found.extra_fields)) if is_unknown else None,
        owner=found.cl if is_unknown else kind,
        refused=found if isinstance(found, UserError) else None,
    )


def _dataclass_hook(kind: Any, converter: Converter) -> Hook:
    build = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, Mapping):
            raise TypeError
        return build(cast(Mapping[str, Any], value), kind)

    return hook


def _tuple_hook(kind: Any, converter: Converter) -> Hook:
    arguments = get_args(kind)
    item_kind: Any = arguments[0]
    assert set(arguments) <= {item_kind, Ellipsis}, f"{kind} has items of several kinds"

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        items = cast(list[Any], value)
        if Ellipsis not in arguments and len(items) != len(arguments):
            raise ValueError
        return tuple(converter.structure(items, list[item_kind]))

    return hook


def _exactly(kind: type) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return hook


def _float(value: Any, _: Any) -> float:
    # YAML takes 1e-4, without a dot, for a text.
    if type(value) not in (int, float) and not (isinstance(value, str) and "e" in value.lower()):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _converter() -> Converter:
    converter = Converter()
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(float, _float)
    converter.register_structure_hook_factory(lambda kind: get_origin(kind) is tuple, _tuple_hook)
    converter.register_structure_hook_factory(dataclasses.is_dataclass, _dataclass_hook)
    return converter


_CONVERTER = _converter()
