"""The card of a model file, read without a runtime: the command line needs a model's parameters before anything heavy is loaded.

The card holds a checksum of everything else in the file, so an altered or damaged file is refused when it is opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from engine.core.errors import ModelFileError
from engine.model.card import METADATA_KEY, ModelCard

# Of protocol buffers (https://protobuf.dev/programming-guides/encoding) and onnx.proto: ModelProto.metadata_props holds
# StringStringEntryProto messages.
_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_ENTRY_BYTES = 1 << 24
_READ_BYTES = 1 << 20


class _Field(NamedTuple):
    """One field of a message: offsets of its tag, of its value and of what follows."""

    number: int
    wire: int
    start: int
    value: int
    end: int


def read_card(path: Path | str) -> ModelCard:
    """Read the card of a model file. Raises ModelFileError for a file that is missing, no ONNX file or without a valid card."""
    return _read(Path(path), checked=False)[0]


def read_checked_card(path: Path | str) -> ModelCard:
    """Read the card of a model file and check that the file is unchanged.

    Raises ModelFileError, beside what read_card raises, for a card without a checksum and a file that differs from it.
    """
    card, found = _read(Path(path), checked=True)
    if not card.graph_sha256:
        raise ModelFileError(
            f"{path} has no checksum of its graph in its card; export the model again with: "
            f"python -m export.to_onnx CHECKPOINT -o {path}"
        )
    if card.graph_sha256 != found:
        raise ModelFileError(
            f"{path} was altered or damaged after its export: its graph has the checksum {found[:12]}…, its card says "
            f"{card.graph_sha256[:12]}…; copy it again or export the model again."
        )
    return card


def graph_sha256(content: bytes) -> str:
    """Return the checksum of an ONNX file's content: of all top-level fields but the metadata, in their order.

    Raises EOFError for content that is no ONNX file.
    """
    return _digest(io.BytesIO(content), len(content))


def sealed(content: bytes, card: ModelCard) -> bytes:
    """Return the content of an ONNX file with `card`, completed by the graph's checksum, as its only card.

    Raises EOFError for content that is no ONNX file.
    """
    stream = io.BytesIO(content)
    others = [
        content[field.start : field.end]
        for field in _fields(stream, len(content))
        if field.number != _METADATA_PROPS or _entry(stream, field)[0] != METADATA_KEY
    ]
    complete = dataclasses.replace(card, graph_sha256=graph_sha256(content))
    entry = _bytes_field(_KEY, METADATA_KEY.encode()) + _bytes_field(_VALUE, complete.to_json().encode())
    return b"".join([*others, _bytes_field(_METADATA_PROPS, entry)])


def _read(file: Path, checked: bool) -> tuple[ModelCard, str]:
    """Return a file's card and, if `checked`, the checksum of its graph, for which all of the file is read."""
    if not file.is_file():
        raise ModelFileError(f"There is no model file {file}; give the path of an .onnx file made by export.to_onnx.")
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            text, found = _metadata(stream, size).get(METADATA_KEY), _digest(stream, size) if checked else ""
    except (EOFError, UnicodeDecodeError) as error:
        raise ModelFileError(
            f"{file} is damaged or not an ONNX file; copy it again or export the model again."
        ) from error
    except OSError as error:
        raise ModelFileError(f"{file} cannot be read ({error.strerror}); check its permissions.") from error
    if text is None:
        raise ModelFileError(
            f"{file} is an ONNX file without a model card; make a model file with: python -m export.to_onnx CHECKPOINT -o {file}"
        )
    return ModelCard.from_json(text, str(file)), found


def _digest(stream: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    stream.seek(0)
    for field in _fields(stream, size):
        if field.number == _METADATA_PROPS:
            continue
        stream.seek(field.start)
        for start in range(field.start, field.end, _READ_BYTES):
            digest.update(stream.read(min(_READ_BYTES, field.end - start)))
    return digest.hexdigest()


def _metadata(stream: BinaryIO, size: int) -> dict[str, str]:
    stream.seek(0)
    return dict(_entry(stream, field) for field in _fields(stream, size) if field.number == _METADATA_PROPS)


def _entry(stream: BinaryIO, field: _Field) -> tuple[str, str]:
    """Read the key and the value of one entry of the metadata."""
    if field.wire != _BYTES or field.end - field.value > _LONGEST_ENTRY_BYTES:
        raise EOFError
    stream.seek(field.value)
    texts = {_KEY: "", _VALUE: ""}
    for part in _fields(stream, field.end):
        if part.wire == _BYTES:
            stream.seek(part.value)
            texts[part.number] = stream.read(part.end - part.value).decode()
    return texts[_KEY], texts[_VALUE]


def _fields(stream: BinaryIO, end: int) -> Iterator[_Field]:
    """Yield the fields from where the stream stands up to `end`; the stream may be moved between them. Raises EOFError."""
    start = stream.tell()
    while start < end:
        stream.seek(start)
        tag = _read_varint(stream)
        number, wire, value = tag >> 3, tag & 7, stream.tell()
        if wire == _VARINT:
            _read_varint(stream)
            after = stream.tell()
        elif wire in (_FIXED32, _FIXED64):
            after = value + (4 if wire == _FIXED32 else 8)
        elif wire == _BYTES:
            length = _read_varint(stream)
            value = stream.tell()
            after = value + length
        else:
            raise EOFError
        if after > end or number == 0:
            raise EOFError
        yield _Field(number, wire, start, value, after)
        start = after


def _read_varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise EOFError


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value
