"""What an .onnx file of a stranger may hold: operators of ai.onnx, in a single graph, with all weights inside the file.

Messages and fields are listed, and whatever is not listed is refused: external data (a runtime reads any file that a tensor names),
subgraphs and with them control flow, local functions, sparse tensors, sequences, training information. None of it is ever written by
export. The list also bounds the nesting. Names after onnx.proto.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from engine.core.errors import ModelFileError
from engine.model.protobuf import BYTES, FIXED32, FIXED64, VARINT, fields, read_varint

MOST_NODES = 100_000
MOST_AXES = 32
_LONGEST_SHOWN = 80
_DOMAINS = (b"", b"ai.onnx")
"""Neither export nor its quantisation uses operators of any other."""
_REFUSED = re.compile(
    r"If|Loop|Scan|SequenceMap|.*Sequence.*|Optional.*|Random.*|Multinomial|Bernoulli|String.*|Regex.*|ImageDecoder|TfIdfVectorizer"
)
"""Control flow, so that a step ends; random numbers, so that a take replays; lists, text and image files, which no step needs."""
_AGAIN = "take the model from a source that you trust, or export it again"

_Check = Callable[[bytes, int, int], None]
Wires = tuple[int, ...]
_PACKED: Mapping[str, Wires] = {"varints": (VARINT, BYTES), "floats": (FIXED32, BYTES), "doubles": (FIXED64, BYTES)}


class ContentError(Exception):
    """What a file holds and may not, in words that follow its name."""


def check_content(data: bytes, file: str) -> None:
    """Raise ModelFileError, naming `file`, unless the content of an ONNX file holds nothing but a network."""
    try:
        _walk(data, 0, len(data), "model", _MODEL)
    except EOFError as error:
        raise ModelFileError(
            f"{file} is damaged or not an ONNX file; copy it again or export the model again."
        ) from error
    except ContentError as error:
        raise ModelFileError(f"{file} was not opened: it {error}; {_AGAIN}.") from error


def _walk(data: bytes, start: int, end: int, message: str, known: Mapping[int, tuple[Wires, _Check | None]]) -> None:
    """Check all fields of a message against those that are known. Raises ContentError, EOFError."""
    for number, wire, value, after in fields(data, start, end):
        wires, check = known.get(number, ((), None))
        if wire not in wires:
            raise ContentError(
                _SAID.get((message, number), f"holds field {number} of a {message}, which export never writes")
            )
        if check is not None:
            check(data, value, after)


def _message(message: str, known: Mapping[int, tuple[Wires, _Check | None]]) -> tuple[Wires, _Check]:
    return (BYTES,), lambda data, start, end: _walk(data, start, end, message, known)


def _check_tensor(data: bytes, start: int, end: int) -> None:
    """Check a tensor: its values lie in it, and it declares no more than it has."""
    _walk(data, start, end, "tensor", _TENSOR)
    dims: list[int] = []
    for number, wire, value, after in fields(data, start, end):
        if number == 14 and read_varint(data, value)[0]:
            raise ContentError("keeps weights in another file (external data)")
        if number == 1:
            at = value
            while at < after:
                size, at = read_varint(data, at)
                dims.append(size)
                if len(dims) > MOST_AXES:
                    raise ContentError(f"holds a tensor of more than {MOST_AXES} axes")
                if wire == VARINT:
                    break
    # Two elements of four bits are the most that a byte holds.
    if any(size >> 62 for size in dims) or math.prod(dims) > 2 * (end - start):
        raise ContentError(f"holds a tensor of shape {_shown(str(dims))} with too few values")


def _check_node(data: bytes, start: int, end: int) -> None:
    """Check a node's attributes, and the domain and the name of its operator."""
    _walk(data, start, end, "node", _NODE)
    texts = {number: data[value:after] for number, _, value, after in fields(data, start, end) if number in (4, 7)}
    operator, domain = texts.get(4, b"").decode(errors="replace"), texts.get(7, b"")
    if domain not in _DOMAINS:
        domain_name = _shown(domain.decode(errors="replace"))
        raise ContentError(f"uses the operator {_shown(operator)} of {domain_name}, not of ai.onnx")
    if _REFUSED.fullmatch(operator):
        raise ContentError(f"uses the operator {operator}, which no step may have")


def _check_graph(data: bytes, start: int, end: int) -> None:
    nodes = sum(number == 1 for number, _, _, _ in fields(data, start, end))
    if nodes > MOST_NODES:
        raise ContentError(f"has {nodes:,} nodes, more than {MOST_NODES:,}")
    _walk(data, start, end, "graph", _GRAPH)


def _shown(text: str) -> str:
    """Return a text of the file so that it is short and cannot steer a terminal."""
    return ascii(text[:_LONGEST_SHOWN])


_NUMBER, _TEXT = ((VARINT,), None), ((BYTES,), None)
_PACKED_NUMBERS, _PACKED_FLOATS, _PACKED_DOUBLES = ((_PACKED[kind], None) for kind in ("varints", "floats", "doubles"))
_TENSOR: Mapping[int, tuple[Wires, _Check | None]] = {
    1: _PACKED_NUMBERS,  # dims
    2: _NUMBER,  # data_type
    4: _PACKED_FLOATS,
    5: _PACKED_NUMBERS,  # int32_data
    7: _PACKED_NUMBERS,  # int64_data
    8: _TEXT,  # name
    9: _TEXT,  # raw_data
    10: _PACKED_DOUBLES,
    11: _PACKED_NUMBERS,  # uint64_data
    12: _TEXT,
    14: _NUMBER,  # data_location
    16: _TEXT,
}
_ATTRIBUTE: Mapping[int, tuple[Wires, _Check | None]] = {
    1: _TEXT,
    2: ((FIXED32,), None),  # f
    3: _NUMBER,  # i
    4: _TEXT,  # s
    5: ((BYTES,), _check_tensor),
    7: _PACKED_FLOATS,
    8: _PACKED_NUMBERS,
    9: _TEXT,  # strings
    10: ((BYTES,), _check_tensor),
    13: _TEXT,
    20: _NUMBER,  # type
}
_NODE: Mapping[int, tuple[Wires, _Check | None]] = {
    **dict.fromkeys((1, 2, 3, 4, 6, 7, 9), _TEXT),
    5: _message("attribute", _ATTRIBUTE),
}
# Only of tensors: other types nest.
_TYPE: Mapping[int, tuple[Wires, _Check | None]] = {1: _TEXT, 6: _TEXT}
_VALUE: Mapping[int, tuple[Wires, _Check | None]] = {1: _TEXT, 2: _message("type", _TYPE), 3: _TEXT, 4: _TEXT}
_GRAPH: Mapping[int, tuple[Wires, _Check | None]] = {
    1: ((BYTES,), _check_node),
    5: ((BYTES,), _check_tensor),
    **dict.fromkeys((11, 12, 13), _message("value", _VALUE)),
    **dict.fromkeys((2, 10, 14, 16), _TEXT),
}
_MODEL: Mapping[int, tuple[Wires, _Check | None]] = {
    1: _NUMBER,
    5: _NUMBER,
    7: ((BYTES,), _check_graph),
    **dict.fromkeys((2, 3, 4, 6, 8, 14), _TEXT),
}
_SAID: Mapping[tuple[str, int], str] = {
    ("model", 20): "holds training information",
    ("model", 25): "defines functions of its own",
    ("graph", 15): "holds sparse tensors",
    ("node", 8): "names the overload of a function",
    ("attribute", 6): "holds a graph inside a graph (control flow)",
    ("attribute", 11): "holds graphs inside a graph (control flow)",
    ("attribute", 21): "refers to an attribute of a function",
    ("attribute", 22): "holds sparse tensors",
    ("attribute", 23): "holds sparse tensors",
    ("tensor", 3): "keeps a tensor in segments",
    ("tensor", 6): "holds text as a tensor",
    ("tensor", 13): "keeps weights in another file (external data)",
    **dict.fromkeys(
        (("type", 4), ("type", 5), ("type", 7), ("type", 8), ("type", 9)), "has values that are no tensors"
    ),
}
"""How some of what is refused is said."""
