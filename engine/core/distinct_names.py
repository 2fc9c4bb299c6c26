"""Distinct names for files that are made of other files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def distinct_names(paths: Sequence[Path]) -> list[Path]:
    """Return each path without its suffix: `a` for a.wav; where a.mp3 is there as well, `a-wav` and `a-mp3`.

    Names that are still the same, also where only the case of a letter differs, are numbered: `a-wav-2`.
    """
    plain = [path.with_suffix("") for path in paths]
    count, used = Counter(str(name).casefold() for name in plain), set[str]()
    names: list[Path] = []
    for path, name in zip(paths, plain, strict=True):
        if count[str(name).casefold()] > 1 and path.suffix:
            name = name.with_name(f"{name.name}-{path.suffix[1:]}")
        found, number = name, 1
        while str(found).casefold() in used:
            number += 1
            found = name.with_name(f"{name.name}-{number}")
        used.add(str(found).casefold())
        names.append(found)
    return names
