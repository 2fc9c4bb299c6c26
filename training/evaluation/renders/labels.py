"""What is seen and sounds in each clip: one text for all, or a file with a line NAME,LABEL for each."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.core.errors import TrainingError, nearest_name
from engine.core.small_files import read_text
from engine.core.structured import parse_json, shortened

MOST_BYTES = 1 << 26
FORM = "a line NAME,LABEL for each clip was expected, such as clip1,lions roaring"


def read_labels(file: Path, names: Sequence[str], mapping: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the label of each of the clips with these names (file names without their ends), as `class_text`.

    The file may name other clips too, unless one of these is missing. Raises TrainingError for a file that cannot be read, a line of
    another form, a clip without a label, and a label that is no class.
    """
    try:
        lines = list(csv.reader(read_text(file, MOST_BYTES).splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError(f"Cannot read {file}: {getattr(error, 'strerror', None) or error}; {FORM}.") from error
    found: dict[str, str] = {}
    for number, cells in enumerate(lines, 1):
        if not cells:
            continue
        if len(cells) != 2 or not all(cell.strip() for cell in cells):
            raise TrainingError(f"Line {number} of {file} is {shortened(','.join(cells))!r}; {FORM}.")
        name, label = (cell.strip() for cell in cells)
        found[name if name in names else Path(name).stem] = class_text(label, mapping, f"line {number} of {file}")
    for name in names:
        if name not in found:
            raise TrainingError(
                f"{file} has no label for the clip {name}.{nearest_name(name, found)} {FORM[0].upper()}{FORM[1:]}."
            )
    return {name: found[name] for name in names}


def class_text(label: str, mapping: Mapping[str, str] | None, place: str) -> str:
    """Return a label, or the text of the class that it names. Raises TrainingError for one that is no class, where classes are known."""
    if mapping is None or label in mapping.values():
        return label
    if label in mapping:
        return mapping[label]
    near = nearest_name(label, [*mapping, *mapping.values()])
    raise TrainingError(
        f"'{shortened(label)}' ({place}) is no class.{near} Known are {', '.join(sorted(set(mapping.values())))}."
    )


def read_class_mapping(file: Path) -> dict[str, str]:
    """Return the texts of classes by their names, as in AVSyncD's class_mapping.json. Raises TrainingError for anything else."""
    try:
        values = parse_json(read_text(file, MOST_BYTES))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(f"Cannot read {file}: {reason}; texts by class were expected.") from error
    if not isinstance(values, dict) or not values or not all(isinstance(text, str) for text in values.values()):
        raise TrainingError(
            f'{file} holds something else than texts by class, as {{"lions_roaring": "lions roaring"}}.'
        )
    return values
