"""The zip archive of a .pt2 file, read without torch and written again before torch sees it.

torch trusts an archive: it unpickles what the archive's own JSON calls a pickle, evaluates text as symbolic shapes and looks
operators up by dotted names. So nothing of a file reaches torch as it stands. Its entries are read here, its JSON is parsed
strictly and compared with `torch_schema`, and torch is given a fresh archive of what was understood; a second reading of the
file, or another zip reader's view of it, cannot differ from what was checked.
"""

from __future__ import annotations

import json
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any, cast

from engine.model.backends.torch_schema import CONFIG, ITEM_BYTES, PROGRAM, ArchiveError, check

MOST_JSON_BYTES = 1 << 25
MOST_ENTRIES = 4096
MODEL = "models/model.json"
CONFIGS = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
_TENSORS = re.compile(r"data/(weights/weight|constants/tensor)_[0-9]{1,5}", re.ASCII)
_FIXED = {"archive_format": b"pt2", "archive_version": b"0", "byteorder": b"little", ".data/version": b"6\n"}
# Not needed to play: what torch numbers its archives with, and the description, which is read here.
_LEFT_OUT = re.compile(r"\.data/serialization_id|extra/fluid\.json")
_ENCRYPTED = 0x1
_BAD_ZIP = (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OverflowError, struct.error)


def read_entries(content: bytes) -> dict[str, bytes]:
    """Return the entries of an archive by their names below its one folder.

    torch stores entries without compression. Any other is refused, so that reading takes no more memory than the file has
    bytes. Raises ArchiveError; zipfile.BadZipFile for what is no zip or fails a checksum.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = _names(archive.infolist(), len(content))
            return {name: archive.read(info) for name, info in names.items()}
    except ArchiveError:
        raise
    except _BAD_ZIP as error:
        raise zipfile.BadZipFile(str(error)) from error


def _names(infos: list[zipfile.ZipInfo], file_bytes: int) -> dict[str, zipfile.ZipInfo]:
    if len(infos) > MOST_ENTRIES:
        raise ArchiveError(f"holds {len(infos)} entries, where {MOST_ENTRIES} are allowed")
    names: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for info in infos:
        folder, _, name = info.filename.partition("/")
        folders.add(folder)
        if not name or name in names or ".." in name.split("/") or len(folders) > 1:
            raise ArchiveError(f"holds an entry out of place or twice: {ascii(info.filename)[:200]}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"holds {ascii(name)[:200]} compressed or encrypted, which torch never writes")
        names[name] = info
    if sum(max(info.file_size, info.compress_size) for info in infos) > file_bytes:
        raise ArchiveError("declares more bytes than it has")
    return names


def strict_json(content: bytes, name: str) -> Any:
    """Parse UTF-8 JSON in which no key stands twice and every number is finite. Raises ArchiveError."""
    if len(content) > MOST_JSON_BYTES:
        raise ArchiveError(f"{name} has {len(content)} bytes, where {MOST_JSON_BYTES} are allowed")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{name} is no strict JSON ({str(error)[:120]})") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands twice")
    return values


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no finite number")


def checked_archive(entries: Mapping[str, bytes]) -> bytes:
    """Return a fresh archive of a program that holds data alone. Raises ArchiveError for anything torch could execute."""
    for name, content in entries.items():
        if name in _FIXED and content != _FIXED[name]:
            raise ArchiveError(f"{name} is {ascii(content)[:60]}, where {_FIXED[name]!a} was expected")
        known = name in (*_FIXED, MODEL, SAMPLE_INPUTS, *CONFIGS.values())
        if not known and not _TENSORS.fullmatch(name) and not _LEFT_OUT.fullmatch(name):
            raise ArchiveError(f"holds {ascii(name)[:200]}, which export.to_torch never writes")
    if entries.get(SAMPLE_INPUTS):
        raise ArchiveError(f"{SAMPLE_INPUTS} holds a pickle, which torch would execute")
    kept = {name: entries[name] for name in entries if _TENSORS.fullmatch(name)}
    kept |= {**_FIXED, SAMPLE_INPUTS: b"", MODEL: _checked_json(entries, MODEL, PROGRAM)}
    for folder, name in CONFIGS.items():
        kept[name] = _checked_json(entries, name, CONFIG)
        _check_tensors(json.loads(kept[name])["config"], folder, entries)
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in kept.items():
            archive.writestr(zipfile.ZipInfo(f"program/{name}"), content)
    return stream.getvalue()


def _checked_json(entries: Mapping[str, bytes], name: str, spec: object) -> bytes:
    if name not in entries:
        raise ArchiveError(f"lacks {name}")
    values = strict_json(entries[name], name)
    try:
        check(values, spec, name)
    except RecursionError as error:
        raise ArchiveError(f"{name} is nested too deeply") from error
    return json.dumps(values).encode()


def _check_tensors(config: dict[str, Any], folder: str, entries: Mapping[str, bytes]) -> None:
    """Raise ArchiveError unless each tensor lies inside its entry: torch makes up a missing one, of whatever size is declared."""
    for name, payload in config.items():
        entry = folder + cast(str, payload["path_name"])
        if not _TENSORS.fullmatch(entry) or entry not in entries:
            raise ArchiveError(f"lacks {ascii(entry)[:200]}, the values of '{name[:200]}'")
        meta = payload["tensor_meta"]
        sizes = [size["as_int"] for size in meta["sizes"]]
        strides = [stride["as_int"] for stride in meta["strides"]]
        end = meta["storage_offset"]["as_int"] + 1
        end += sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=False))
        has = len(entries[entry]) // ITEM_BYTES[meta["dtype"]]
        if len(sizes) != len(strides) or (math.prod(sizes) and end > has):
            raise ArchiveError(f"{entry} has {has} values, too few for '{name[:200]}' of shape {sizes}")
