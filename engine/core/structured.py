"""Build frozen dataclasses from the plain values of JSON and YAML, strictly: every mistake is one sentence.

Unknown keys, missing keys and values of the wrong kind are refused; nothing is converted but whole numbers to `float`.
"""

from __future__ import annotations

import dataclasses
import json
import reprlib
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from engine.core.errors import UserError, nearest_name

if TYPE_CHECKING:
    from engine.core.converter import Mistake

T = TypeVar("T")

_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_SHOWN_BITS = 128
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def parse_json(text: str | bytes) -> Any:
    """Return the values in a JSON text. Raises ValueError for anything else, also for values nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def structure(
    kind: type[T],
    values: object,
    error: type[UserError],
    *,
    where: str = "",
    noun: str = "key",
    before: str = "",
    after: str = "",
) -> T:
    """Build the dataclass `kind`, nested ones included, from a mapping.

    Raises `error` with one sentence: `before`, the dotted path of the first mistake (from `where` on) with what came and what was
    expected, `after`. A UserError raised by the dataclass itself is raised as `error` behind `before`. `noun` is the word for a key.
    """
    # cattrs takes a while to import; a show that reads no such file begins without it.
    from engine.core.converter import Mistake, convert

    if not isinstance(values, Mapping):
        raise error(f"{before}{where or 'This'} is {shown(values)}; a mapping was expected.{after}")
    built = convert(kind, cast(Mapping[Any, Any], values))
    if not isinstance(built, Mistake):
        return built
    if built.refused is not None:
        raise error(f"{before}{built.refused}") from built.refused
    raise error(f"{before}{_sentence(built, cast(Mapping[Any, Any], values), noun, where)}{after}")


def plain_values(instance: Any) -> dict[str, Any]:
    """Return a dataclass as plain values, nested ones included, with lists for tuples: the inverse of `structure`."""
    return {field.name: _plain(getattr(instance, field.name)) for field in dataclasses.fields(instance)}


def shown(value: object) -> str:
    """Return a value for a message, shortened."""
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return f"a number of {value.bit_length()} bits"
    return _REPR.repr(value)


def dotted(where: str, key: object) -> str:
    """Return the dotted path of `key` in the mapping at the dotted path `where`."""
    return f"{where}.{key}" if where else str(key)


def _sentence(found: Mistake, values: Mapping[Any, Any], noun: str, where: str) -> str:
    place, value = where, cast(Any, values)
    for step in found.path:
        place = f"{place}[{step}]" if isinstance(step, int) else dotted(place, step)
        if isinstance(value, Mapping) and step not in value:
            return f"The {noun} '{place}' is missing."
        value = value[step]
    if found.unknown_key is not None:
        known = [field.name for field in dataclasses.fields(found.owner)]
        return f"Unknown {noun} '{dotted(place, found.unknown_key)}'.{nearest_name(found.unknown_key, known)}"
    length = _length(found.hint)
    if isinstance(value, (list, tuple)) and length is not None:
        return f"'{place}' has {len(cast(list[Any], value))} values; {length} were expected."
    return f"'{place}' is {shown(value)}; {_expected(found.hint)} was expected."


def _length(hint: Any) -> int | None:
    """Return how many values a tuple of this type, or None, has; None where any number will do."""
    kinds = [one for one in (hint, *get_args(hint)) if get_origin(one) is tuple and Ellipsis not in get_args(one)]
    return len(get_args(kinds[0])) if kinds else None


def _expected(hint: Any) -> str:
    """Return the name of a type for people."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_expected(one) for one in arguments if one is not type(None))
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin is tuple:
        return "a list"
    return _KINDS.get(hint, "a mapping")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return plain_values(value)
    return [_plain(item) for item in cast(tuple[Any, ...], value)] if isinstance(value, tuple) else value
