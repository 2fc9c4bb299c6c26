"""A .pt2 file as the engine reads it, without torch: its description, and an archive that torch may be given."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from engine.core.errors import ModelFileError
from engine.model.backends.torch_archive import MOST_FILE_BYTES, checked_archive, read_entries, strict_json
from engine.model.backends.torch_schema import ArchiveError
from engine.model.card import FORMAT_VERSION, ModelCard

FORMAT = f"fluid program 1, model card {FORMAT_VERSION}"
DESCRIPTION_FILE = "fluid.json"
"""Name of the description among torch's extra files."""
AGAIN = "export it again with: python -m export.to_torch CHECKPOINT -o {file}"
_ENTRY = f"extra/{DESCRIPTION_FILE}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramDescription:
    """What a .pt2 file says of itself."""

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


def read_card(path: Path | str) -> ModelCard:
    """Read the card of a .pt2 file, without torch. Raises ModelFileError as `read_description` does."""
    return read_description(path).card


def read_description(path: Path | str) -> ProgramDescription:
    """Read what a .pt2 file says of itself, without torch.

    Raises ModelFileError for a file that is missing, damaged, of another format, or that holds what torch could execute.
    """
    return read_program(Path(path))[0]


def read_program(file: Path) -> tuple[ProgramDescription, bytes]:
    """Return the description of a file and its content: a fresh archive of a program, a compiled one as it stands.

    Raises ModelFileError as `read_description` does.
    """
    if not file.is_file():
        raise ModelFileError(f"There is no model file {file}; give the path of a .pt2 file made by export.to_torch.")
    try:
        if (size := file.stat().st_size) > MOST_FILE_BYTES:
            raise ArchiveError(f"has {size} bytes, where {MOST_FILE_BYTES} are allowed")
        content = file.read_bytes()
        entries = read_entries(content)
        text = entries.get(_ENTRY, b"null")
        described = _described(strict_json(text, _ENTRY) if text else None, file)
        return described, checked_archive(entries) if described.kind == "program" else content
    except zipfile.BadZipFile as error:
        raise ModelFileError(
            f"{file} is damaged or no .pt2 file; copy it again, or {AGAIN.format(file=file)}"
        ) from error
    except ArchiveError as error:
        raise ModelFileError(f"{file} {error}; {AGAIN.format(file=file)}") from error
    except OSError as error:
        raise ModelFileError(f"{file} cannot be read ({error.strerror}); check its permissions.") from error


def _described(values: Any, file: Path) -> ProgramDescription:
    if not isinstance(values, dict) or cast(dict[str, Any], values).pop("format", None) != FORMAT:
        raise ModelFileError(
            f"{file} is no model file of this version of Fluid: it has no description '{FORMAT}'; {AGAIN.format(file=file)}"
        )
    values = cast(dict[str, Any], values)
    allowed = {"kind": ("program", "compiled"), "device": ("any", "cpu", "cuda")}
    complete = {*values} == {"card", "kind", "torch_version", "device", "hardware"}
    texts = complete and all(type(values[name]) is str for name in ("kind", "device", "torch_version", "hardware"))
    if not texts or any(values[name] not in words for name, words in allowed.items()):
        raise ModelFileError(f"{file} has a faulty description; {AGAIN.format(file=file)}")
    card = ModelCard.from_json(json.dumps(values.pop("card")), str(file))
    return ProgramDescription(card=card, **values)
