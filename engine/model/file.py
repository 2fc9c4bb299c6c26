"""The card of a model file, read without a runtime: the command line needs a model's parameters before anything heavy is loaded.

The card holds a checksum of everything else in the file, and the file ends with its seal, a checksum of all that comes before, the
card included. So a damaged file is refused when it is opened. Checksums tell of damage, not of the author: whoever alters a file can
write new ones. What a file of a stranger may hold is in graph_check.py, and how it is tried first in backends/first_test.py.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from pathlib import Path
from typing import BinaryIO, NamedTuple

from engine.core.errors import ModelFileError
from engine.model.card import METADATA_KEY, ModelCard
from engine.model.content import FileContent, ModelSource, open_content, read_content, unreadable
from engine.model.graph_check import check_content
from engine.model.known_models import SHIPPED
from engine.model.protobuf import BYTES, Field, bytes_field, fields_of_stream

SEAL_KEY = "fluid_seal"
"""Of the last entry of the metadata. Files of earlier versions have none, and are held to the checksum in their card alone."""
# Of onnx.proto: ModelProto.metadata_props holds StringStringEntryProto messages.
_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_LONGEST_ENTRY_BYTES = 1 << 22
_READ_BYTES = 1 << 20
_AGAIN = "copy it again or export the model again"


class ModelFile(NamedTuple):
    """A model file that was read and checked."""

    card: ModelCard
    content: FileContent


class _Entry(NamedTuple):
    """One entry of the metadata, and its place in the file."""

    key: str
    value: str
    field: Field


def read_card(path: ModelSource) -> ModelCard:
    """Read the card of a model file. Raises ModelFileError for a file that is missing, no ONNX file or without a valid card."""
    file = Path(path)
    try:
        with open_content(path) as stream:
            return _read(file, stream, stream.seek(0, io.SEEK_END))[0]
    except OSError as error:
        raise unreadable(file, error) from error


def read_model(source: ModelSource) -> ModelFile:
    """Read a model file, and check that it is unchanged and holds nothing but a network.

    Raises ModelFileError, beside what read_card raises, for a card without a checksum, a file that differs from its checksums,
    and for content that a runtime could read other files with, loop on or look up elsewhere (graph_check.py).
    """
    content = read_content(source)
    file, stream = content.path, io.BytesIO(content.data)
    card, seal = _read(file, stream, len(content.data))
    if not card.graph_sha256:
        raise ModelFileError(
            f"{file} has no checksum of its graph in its card; export the model again with: "
            f"python -m export.to_onnx CHECKPOINT -o {file}"
        )
    found = _digest(stream, len(content.data))
    if card.graph_sha256 != found:
        raise ModelFileError(
            f"{file} was altered or damaged after its export: its graph has the checksum {found[:12]}…, its card says "
            f"{card.graph_sha256[:12]}…; {_AGAIN}."
        )
    if seal is not None and (
        seal.field.end != len(content.data) or seal.value != _sha256(content.data[: seal.field.start])
    ):
        raise ModelFileError(
            f"{file} was altered or damaged after its export: its seal fits neither card nor graph; {_AGAIN}."
        )
    # The shipped file was checked by a test, and a show shall begin at once.
    if content.sha256 not in SHIPPED:
        check_content(content.data, str(file))
    return ModelFile(card, content)


def read_checked_card(source: ModelSource) -> ModelCard:
    """Read the card of a model file, and check the file. Raises ModelFileError as read_model does."""
    return read_model(source).card


def graph_sha256(content: bytes) -> str:
    """Return the checksum of an ONNX file's content: of all top-level fields but the metadata, in their order.

    Raises EOFError for content that is no ONNX file.
    """
    return _digest(io.BytesIO(content), len(content))


def sealed(content: bytes, card: ModelCard) -> bytes:
    """Return the content of an ONNX file with `card`, completed by the graph's checksum, as its only card, and with its seal.

    Raises EOFError for content that is no ONNX file.
    """
    complete = dataclasses.replace(card, graph_sha256=graph_sha256(content))
    return sealed_text(content, complete.to_json())


def sealed_text(content: bytes, card_text: str) -> bytes:
    """Return the content of an ONNX file with a card's JSON, whatever it is, as its only card, and with its seal.

    Raises EOFError for content that is no ONNX file.
    """
    stream = io.BytesIO(content)
    others = [
        content[field.start : field.end]
        for field in fields_of_stream(stream, len(content))
        if field.number != _METADATA_PROPS or _entry(stream, field).key not in (METADATA_KEY, SEAL_KEY)
    ]
    whole = b"".join([*others, _written(METADATA_KEY, card_text)])
    return whole + _written(SEAL_KEY, _sha256(whole))


def _read(file: Path, stream: BinaryIO, size: int) -> tuple[ModelCard, _Entry | None]:
    """Return a file's card and the entry of its seal, if it has one."""
    try:
        entries = _metadata(stream, size)
    except (EOFError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{file} is damaged or not an ONNX file; {_AGAIN}.") from error
    if METADATA_KEY not in entries:
        raise ModelFileError(
            f"{file} is an ONNX file without a model card; make a model file with: python -m export.to_onnx CHECKPOINT -o {file}"
        )
    return ModelCard.from_json(entries[METADATA_KEY].value, str(file)), entries.get(SEAL_KEY)


def _metadata(stream: BinaryIO, size: int) -> dict[str, _Entry]:
    """Return the entries of the metadata. Raises EOFError, also for two cards or two seals."""
    stream.seek(0)
    found: dict[str, _Entry] = {}
    for field in fields_of_stream(stream, size):
        if field.number == _METADATA_PROPS:
            entry = _entry(stream, field)
            if entry.key in found and entry.key in (METADATA_KEY, SEAL_KEY):
                raise EOFError
            found[entry.key] = entry
    return found


def _entry(stream: BinaryIO, field: Field) -> _Entry:
    """Read one entry of the metadata."""
    if field.wire != BYTES or field.end - field.value > _LONGEST_ENTRY_BYTES:
        raise EOFError
    stream.seek(field.value)
    texts = {_KEY: "", _VALUE: ""}
    for part in fields_of_stream(stream, field.end):
        if part.wire == BYTES:
            stream.seek(part.value)
            texts[part.number] = stream.read(part.end - part.value).decode()
    return _Entry(texts[_KEY], texts[_VALUE], field)


def _digest(stream: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    stream.seek(0)
    for field in fields_of_stream(stream, size):
        if field.number == _METADATA_PROPS:
            continue
        stream.seek(field.start)
        for start in range(field.start, field.end, _READ_BYTES):
            digest.update(stream.read(min(_READ_BYTES, field.end - start)))
    return digest.hexdigest()


def _written(key: str, value: str) -> bytes:
    return bytes_field(_METADATA_PROPS, bytes_field(_KEY, key.encode()) + bytes_field(_VALUE, value.encode()))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
