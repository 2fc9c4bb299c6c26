"""Build frozen dataclasses from the plain values of JSON and YAML, strictly: every mistake is one sentence.

Unknown keys, missing keys and values of the wrong kind are refused; nothing is converted but whole numbers to `float`.
"""

from __future__ import annotations

import dataclasses
import json
import re
import reprlib
import types
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from engine.core.errors import UserError, nearest_name

if TYPE_CHECKING:
    from engine.core.converter import Mistake

T = TypeVar("T")

LARGEST_WHOLE = 2**64
"""Whole numbers beyond it are refused when a file is read: nobody means them, and Python cannot even print the largest."""
MOST_NESTED = 64
"""Deepest nesting of mappings and lists in a file."""
_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_SHOWN_BITS = 128
_LONGEST_NAME = 120
_MOST_DIGITS = 21
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def parse_json(text: str | bytes) -> Any:
    """Return the values in a JSON text; NaN and Infinity are numbers.

    Raises ValueError for anything else, also for keys that stand twice, whole numbers beyond LARGEST_WHOLE and values nested more
    than MOST_NESTED deep.
    """
    try:
        values = json.loads(text, object_pairs_hook=_once, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is cut off or no JSON in line {error.lineno}") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    if _is_deeper(values, MOST_NESTED):
        raise ValueError(f"it is nested more than {MOST_NESTED} deep")
    written = text if isinstance(text, str) else text.decode("utf-8", errors="replace")
    if _ESCAPED.search(written) and not _are_texts(values):
        raise ValueError("it holds a character that no text has")
    return values


def is_text(value: str) -> bool:
    """Tell whether a text can be a name of a file and be printed: it holds no NUL and no half of a character."""
    return _NO_TEXT.search(value) is None


def _are_texts(values: object) -> bool:
    if isinstance(values, dict):
        return all(is_text(key) and _are_texts(value) for key, value in cast(dict[str, object], values).items())
    if isinstance(values, list):
        return all(map(_are_texts, cast(list[object], values)))
    return not isinstance(values, str) or is_text(values)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key '{shortened(key)}' stands twice")
        values[key] = value
    return values


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or abs(int(digits)) > LARGEST_WHOLE:
        raise ValueError(f"it holds a whole number of {len(digits)} digits")
    return int(digits)


def _is_deeper(values: Any, most: int) -> bool:
    """Tell whether values are nested more than `most` deep."""
    level: list[Any] = [values]
    for _ in range(most):
        level = [inner for outer in level for inner in _within(outer) if type(inner) in (dict, list)]
        if not level:
            return False
    return True


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast(dict[str, Any], value).values()
    return cast(list[Any], value) if isinstance(value, list) else ()


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


def shortened(name: object) -> str:
    """Return a name for a message; nobody reads more than its beginning."""
    text = str(name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}..."


def dotted(where: str, key: object) -> str:
    """Return the dotted path of `key` in the mapping at the dotted path `where`."""
    return f"{where}.{key}" if where else str(key)


def _sentence(found: Mistake, values: Mapping[Any, Any], noun: str, where: str) -> str:
    place = where
    value: Any = values
    for step in found.path:
        place = f"{place}[{step}]" if isinstance(step, int) else dotted(place, step)
        if not _has(value, step):
            return f"The {noun} '{shortened(place)}' is missing."
        value = value[step]
    if found.unknown_key is not None:
        known = [field.name for field in dataclasses.fields(found.owner)]
        return (
            f"Unknown {noun} '{shortened(dotted(place, found.unknown_key))}'.{nearest_name(found.unknown_key, known)}"
        )
    length = _length(found.hint)
    if length is not None and _is_list(value):
        return f"'{shortened(place)}' has {len(value)} values; {length} were expected."
    return f"'{shortened(place)}' is {shown(value)}; {_expected(found.hint)} was expected."


def _has(values: object, step: str | int) -> bool:
    return not isinstance(values, Mapping) or step in values


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


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
