"""The source specs of a show, taken apart and checked together. Nothing is opened."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from engine.audio.input_layout import MIX, MOST_INPUTS
from engine.audio.sources.spec import SourceSpec, parse_spec
from engine.core.errors import ConfigError


def parse_inputs(texts: Sequence[str], reserved: Collection[str] = ()) -> tuple[SourceSpec, ...]:
    """Take the source specs of a show apart. `reserved` are the names that no input may have.

    Raises ConfigError for names that are missing, given twice or reserved, for too many inputs and for two pipes, SourceError for a
    spec.
    """
    if len(texts) > MOST_INPUTS:
        raise ConfigError(f"{len(texts)} inputs were given; a show has at most {MOST_INPUTS}. Leave some out.")
    specs = tuple(parse_spec(text) for text in texts)
    seen: set[str] = set()
    for spec in specs:
        if spec.name is None:
            if len(specs) > 1:
                raise ConfigError(
                    f"The input '{spec.shown}' has no name, and each of several inputs needs one; write e.g. drums={spec.shown}."
                )
            continue
        if spec.name in seen:
            raise ConfigError(f"Two inputs are called '{spec.name}'; give each a name of its own.")
        if spec.name == MIX or spec.name in reserved:
            raise ConfigError(
                f"An input cannot be called '{spec.name}', which is a word of the engine; choose another name, e.g. my_{spec.name}."
            )
        seen.add(spec.name)
    if len({spec.detail for spec in specs if spec.kind == "pcm"}) > 1:
        raise ConfigError(
            "Two inputs read standard input in different formats; give it once and choose channels of it, e.g. a=pcm:48000x4@1 "
            "b=pcm:48000x4@2,3."
        )
    return specs


def input_names(specs: Sequence[SourceSpec]) -> tuple[str, ...]:
    """Return the names of the inputs; none where the only input has none."""
    return tuple(spec.name for spec in specs if spec.name is not None)
