"""Read YAML that came from people: plain values alone, and a bounded cost whatever the file says.

PyYAML's safe loader runs no code, but a few lines of aliases make it build millions of values, deep nesting ends it, and some
values raise other errors than its own. Texts that look like dates stay texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml

from engine.core.small_files import read_text
from engine.core.structured import LARGEST_WHOLE, MOST_NESTED, is_text, shortened

MOST_VALUES = 50_000
"""Values in a file, those that aliases repeat counted each time."""
LARGEST_FILE_BYTES = 256 << 10


def read_yaml(path: Path | str, most_bytes: int = LARGEST_FILE_BYTES) -> Any:
    """Return the values of a YAML file. Raises OSError, with a reason for people, and ValueError with reason and place."""
    return parse_yaml(read_text(path, most_bytes))


def parse_yaml(text: str) -> Any:
    """Return the values in a YAML text.

    Raises ValueError, "REASON in line N", for what is no YAML, keys that stand twice, numbers too large to be meant, more nesting or
    more values than a file of settings has, and anything but plain values.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise ValueError(_sentence(error)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ValueError(f"a character that no text has in line {line}") from error
    # ValueError and the others: what the conversions of PyYAML raise for tagged values such as "!!int x".
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError("a value that cannot be read") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class _Loader(yaml.SafeLoader):
    """The safe loader with limits, without dates and without the tags for other kinds of values."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values = 0
        self._values_of: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = cast(Any, self.peek_event())  # pyright: ignore[reportUnknownMemberType]
        is_alias = isinstance(event, yaml.AliasEvent)
        before = self._values
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise _refusal(f"it is nested more than {MOST_NESTED} deep", event)
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and id(node) not in self._values_of:
            raise _refusal(f"'*{shortened(event.anchor)}' stands inside itself", event)
        self._values += self._values_of[id(node)] if is_alias else 1
        if self._values > MOST_VALUES:
            raise _refusal(f"it holds more than {MOST_VALUES} values", event)
        self._values_of[id(node)] = self._values - before
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node: Any = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _refusal(f"the key '{shortened(key.value)}' stands twice", key)
                seen.add((key.tag, key.value))
        return node

    def construct_yaml_str(self, node: Any) -> str:
        text = str(super().construct_yaml_str(node))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        if not is_text(text):
            raise _refusal("a character that no text has", node)
        return text

    def construct_yaml_int(self, node: Any) -> int:
        try:
            number: int = super().construct_yaml_int(node)
        except (ValueError, IndexError) as error:
            raise _refusal("a whole number that cannot be read", node) from error
        if abs(number) > LARGEST_WHOLE:
            raise _refusal("a whole number larger than any that can be meant", node)
        return number

    def construct_yaml_float(self, node: Any) -> float:
        try:
            return super().construct_yaml_float(node)
        except (ValueError, IndexError, OverflowError) as error:
            raise _refusal("a number that cannot be read", node) from error


_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
_Loader.yaml_constructors = {
    tag: call for tag, call in yaml.SafeLoader.yaml_constructors.items() if tag in _PLAIN or tag is None
}
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_yaml_str)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _refusal(what: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=place.start_mark)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    reason = " ".join(", ".join(filter(None, (error.context, error.problem))).split()) or "it cannot be read"
    return reason if mark is None else f"{reason[:200]} in line {mark.line + 1}"
