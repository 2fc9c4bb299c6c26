"""The card of a model file, read without a runtime: the command line knows a model's controls before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.errors import ModelFileError
from engine.model_card import METADATA_KEY, ModelCard

# Of protocol buffers (https://protobuf.dev/programming-guides/encoding) and onnx.proto: ModelProto.metadata_props holds
# StringStringEntryProto messages.
_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_ENTRY_BYTES = 1 << 24


def read_card(path: Path | str) -> ModelCard:
    """Read the card of a model file. Raises ModelFileError for a file that is missing, no ONNX file or without a valid card."""
    file = Path(path)
    if not file.is_file():
        raise ModelFileError(f"There is no model file {file}; give the path of an .onnx file made by export.to_onnx.")
    try:
        with file.open("rb") as stream:
            text = _metadata(stream, file.stat().st_size).get(METADATA_KEY)
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
    return ModelCard.from_json(text, str(file))


def _metadata(stream: BinaryIO, size: int) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for number, length in _fields(stream, size):
        if number != _METADATA_PROPS:
            continue
        end, entry = stream.tell() + length, {_KEY: "", _VALUE: ""}
        for part, part_length in _fields(stream, end):
            entry[part] = stream.read(part_length).decode()
        metadata[entry[_KEY]] = entry[_VALUE]
    return metadata


def _fields(stream: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Yield number and length of each field of bytes up to `end`, with the stream at its first byte; skip what is not read."""
    while stream.tell() < end:
        tag = _read_varint(stream)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _read_varint(stream)
        elif wire in (_FIXED32, _FIXED64):
            stream.seek(4 if wire == _FIXED32 else 8, 1)
        elif wire == _BYTES:
            length = _read_varint(stream)
            after = stream.tell() + length
            if after > end or (number == _METADATA_PROPS and length > _LONGEST_ENTRY_BYTES):
                raise EOFError
            yield number, length
            stream.seek(after)
        else:
            raise EOFError


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
