"""Opens the inputs of a show: one source, or several with names, as one source with a layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.audio.input_layout import UNNAMED, InputLayout, SoundInput, check_model_input
from engine.audio.source import Source
from engine.audio.sources.input_specs import input_names, parse_inputs
from engine.audio.sources.joined import JoinedSource
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.spec import SourceSpec
from engine.media.channels import check_channels

_DEVICES = ("mic", "system", "jack", "web")
"""Kinds that are opened with the channels that are wanted. A device can be opened only once."""
_WHOLE = ("demo", "tone", "pcm")
"""Kinds that always give all their channels."""


class OpenInputs(NamedTuple):
    """A source that is open, and what its columns are."""

    source: Source
    layout: InputLayout


def open_inputs(texts: Sequence[str], model_input: str | None, open_one: Callable[[SourceSpec], Source]) -> OpenInputs:
    """Open the inputs that the source specs name; None: the model gets the first. A device that is named twice is opened once.

    `open_one` opens a single source, see open_source. The sound files and generated sounds among them run in step to the sample,
    devices are aligned by their arrival. Raises ConfigError and SourceError.
    """
    specs = parse_inputs(texts)
    names = input_names(specs)
    # Before anything is opened.
    check_model_input(model_input or (names[0] if names else ""), names)
    if not names:
        return OpenInputs(open_one(specs[0]), UNNAMED)
    with ExitStack() as closing:
        openings = list[_Opening]()
        for members in _shared(specs):
            openings.append(_open(members, open_one))
            closing.callback(openings[-1].source.close)
        source, ordered = _join(openings)
        closing.pop_all()
    return OpenInputs(source, InputLayout(_columns(names, ordered), model_input or names[0]))


@dataclass(frozen=True, slots=True)
class _Opening:
    """One source that is open, and the inputs that it feeds."""

    source: Source
    channels: Mapping[str, tuple[int, ...]]
    """The channels of each input among those of the source, from 0."""


def _shared(specs: Sequence[SourceSpec]) -> list[list[SourceSpec]]:
    """Return the specs that share a source, in the order of the first of each."""
    shared: dict[tuple[str, str, bool], list[SourceSpec]] = {}
    for spec in specs:
        detail = spec.detail.casefold() if spec.kind in _DEVICES else spec.detail
        # A file without a choice of channels is mixed as its layout says, which is none of its channels.
        is_mixed = spec.kind not in (*_DEVICES, *_WHOLE) and not spec.channels
        shared.setdefault((spec.kind, detail, is_mixed), []).append(spec)
    return list(shared.values())


def _open(members: Sequence[SourceSpec], open_one: Callable[[SourceSpec], Source]) -> _Opening:
    """Open one source with the channels of all `members`. Raises SourceError and MediaError."""
    chosen = {channel for spec in members for channel in spec.channels}
    whole = replace(members[0], name=None, channels=())
    if not chosen or whole.kind in _WHOLE:
        source = open_one(whole)
        channels = range(1, source.channels + 1)
        check_channels(sorted(chosen), source.channels, source.name)
        return _opening(source, members, channels, channels)
    without_choice: Sequence[int] = ()
    if not all(spec.channels for spec in members):
        source = open_one(whole)
        source.close()
        without_choice = range(1, source.channels + 1)
    channels = sorted({*chosen, *without_choice})
    return _opening(open_one(replace(whole, channels=tuple(channels))), members, channels, without_choice)


def _opening(
    source: Source, members: Sequence[SourceSpec], channels: Sequence[int], without_choice: Sequence[int]
) -> _Opening:
    """Return a source with these `channels` for its members; those `without_choice` are for members that chose none."""
    columns = {channel: column for column, channel in enumerate(channels)}
    return _Opening(
        source, {spec.name or "": tuple(columns[c] for c in spec.channels or without_choice) for spec in members}
    )


def _join(openings: Sequence[_Opening]) -> tuple[Source, list[_Opening]]:
    """Return all sources as one, and the openings in the order of their columns."""
    # Live, sounds without a pace of their own get one together, so that they stay in step to the sample.
    paced = [opening for opening in openings if isinstance(opening.source, PacedSource)]
    groups = [paced if opening in paced else [opening] for opening in openings if opening not in paced[1:]]
    sources = [_paced_together(group) for group in groups]
    return _side_by_side(sources, _name(openings), sources[0].live), [opening for group in groups for opening in group]


def _paced_together(group: Sequence[_Opening]) -> Source:
    paced = [opening.source for opening in group if isinstance(opening.source, PacedSource)]
    if len(paced) < 2:
        return group[0].source
    joined = _side_by_side([source.inner for source in paced], _name(group), goes_on=True)
    return PacedSource(joined, paced[0].clock)


def _name(openings: Sequence[_Opening]) -> str:
    return "; ".join(f"{', '.join(opening.channels)}: {opening.source.name}" for opening in openings)


def _side_by_side(sources: Sequence[Source], name: str, goes_on: bool) -> Source:
    return sources[0] if len(sources) == 1 else JoinedSource(sources[0], sources[1:], name, goes_on=goes_on)


def _columns(names: Sequence[str], ordered: Sequence[_Opening]) -> tuple[SoundInput, ...]:
    """Return the inputs in the order of `names`, with their columns in the joined source."""
    columns: dict[str, tuple[int, ...]] = {}
    offset = 0
    for opening in ordered:
        columns |= {name: tuple(offset + channel for channel in own) for name, own in opening.channels.items()}
        offset += opening.source.channels
    return tuple(SoundInput(name, columns[name]) for name in names)
