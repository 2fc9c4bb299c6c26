"""A .pt2 file as the engine reads it, without torch: its description, and an archive that torch may be given."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from engine.core.errors import ModelFileError
from engine.model.backends.torch_archive import checked_archive, read_entries, strict_json
from engine.model.backends.torch_schema import ArchiveError
from engine.model.card import FORMAT_VERSION, READ_VERSIONS, ModelCard
from engine.model.content import FileContent, ModelSource, read_content

FORMAT = f"fluid program 1, model card {FORMAT_VERSION}"
READ_FORMATS = tuple(f"fluid program 1, model card {version}" for version in READ_VERSIONS)
DESCRIPTION_FILE = "fluid.json"
"""Name of the description among torch's extra files."""
AGAIN = "export it again with: python -m export.to_torch CHECKPOINT -o {file}"
_ENTRY = f"extra/{DESCRIPTION_FILE}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramDescription:
    """The description inside a .pt2 file."""

    card: ModelCard
    kind: Literal["program", "compiled"]
    """compiled: native code, for one kind of device and processor."""
    torch_version: str
    device: Literal["any", "cpu", "cuda"]
    hardware: str
    """Of compiled ones: the processor's instruction set or the card's compute capability."""

    def to_json(self) -> str:
        """Return the description as it is stored."""
        return json.dumps({"format": FORMAT, **asdict(self)})


def read_card(path: ModelSource) -> ModelCard:
    """Read the card of a .pt2 file, without torch. Raises ModelFileError as `read_description` does."""
    return read_description(path).card


def read_description(path: ModelSource) -> ProgramDescription:
    """Read the description of a .pt2 file, without torch.

    Raises ModelFileError for a file that is missing, damaged, of another format, or that holds what torch could execute.
    """
    return read_program(path)[0]


def read_program(source: ModelSource) -> tuple[ProgramDescription, bytes]:
    """Return the description of a file and its content: a fresh archive of a program, a compiled one as it stands.

    Raises ModelFileError as `read_description` does.
    """
    file = read_content(source)
    try:
        entries = read_entries(file.data)
        text = entries.get(_ENTRY, b"null")
        described = _described(strict_json(text, _ENTRY) if text else None, file)
        return described, checked_archive(entries) if described.kind == "program" else file.data
    except zipfile.BadZipFile as error:
        raise ModelFileError(
            f"{file} is damaged or no .pt2 file; copy it again, or {AGAIN.format(file=file)}"
        ) from error
    except ArchiveError as error:
        raise ModelFileError(f"{file} {error}; {AGAIN.format(file=file)}") from error


def _described(values: Any, file: FileContent) -> ProgramDescription:
    if not isinstance(values, dict) or cast(dict[str, Any], values).pop("format", None) not in READ_FORMATS:
        raise ModelFileError(
            f"{file} was not written by this version of Fluid: it has no description '{FORMAT}'; {AGAIN.format(file=file)}"
        )
    values = cast(dict[str, Any], values)
    allowed = {"kind": ("program", "compiled"), "device": ("any", "cpu", "cuda")}
    complete = {*values} == {"card", "kind", "torch_version", "device", "hardware"}
    texts = complete and all(type(values[name]) is str for name in ("kind", "device", "torch_version", "hardware"))
    if not texts or any(values[name] not in words for name, words in allowed.items()):
        raise ModelFileError(f"{file} has a faulty description; {AGAIN.format(file=file)}")
    card = ModelCard.from_values(values.pop("card"), str(file))
    return ProgramDescription(card=card, **values)
