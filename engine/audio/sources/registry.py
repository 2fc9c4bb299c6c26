"""Opens the source that a source spec names."""

from __future__ import annotations

import math
from pathlib import Path

from engine.audio.source import Source
from engine.audio.sources.address import address_source, recording_source
from engine.audio.sources.chosen import ChosenChannels
from engine.audio.sources.demo import demo_source
from engine.audio.sources.input_choice import AUTO, open_input
from engine.audio.sources.media_file import MediaFileSource
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.pcm import pcm_source, piped_sound
from engine.audio.sources.spec import ACCEPTED, SourceSpec, parse_spec
from engine.audio.sources.tone import DEFAULT_HZ, RATE_HZ, tone_source
from engine.audio.sources.web import BrowserSound
from engine.core.clock import Clock, WallClock
from engine.core.errors import SourceError, nearest_name

SOURCE_KINDS = ("mic", "system", "jack", "web", "demo", "tone", "pcm")


def open_source(
    source: SourceSpec | str,
    *,
    live: bool,
    repeat: bool = False,
    clock: Clock | None = None,
    capture: str = AUTO,
    track: str | int | None = None,
    browser_sound: BrowserSound | None = None,
) -> Source:
    """Open the source that a spec, or its text, names.

    Live, sound arrives at the pace of `clock` (default: the wall clock); `demo` and `tone` loop for ever, files with `repeat`;
    devices are opened as `capture` says, one of CAPTURE_NAMES; `track` chooses the sound of files and addresses, by number or language;
    `browser_sound` is where browsers send to, in a show that has the web page.
    Offline, all sound can be read at once, and it ends. Raises SourceError with what is accepted, and MediaError.
    """
    spec = parse_spec(source) if isinstance(source, str) else source
    clock = clock or WallClock()
    if spec.kind in ("mic", "system", "jack"):
        return _input(spec, live, clock, capture)
    if spec.kind == "web":
        return _browser(spec, live, clock, browser_sound)
    if spec.kind == "address":
        if not live:
            return recording_source(spec.detail, track, spec.channels)
        return address_source(spec.detail, clock, repeat=repeat, track=track, channels=spec.channels)
    if spec.kind == "pcm":
        return _chosen(pcm_source(spec.detail, clock) if live else piped_sound(spec.detail), spec)
    inner: Source
    if spec.kind == "demo":
        inner = demo_source(repeat=live)
    elif spec.kind == "tone":
        inner = tone_source(_tone_hz(spec.detail) if spec.detail else DEFAULT_HZ, repeat=live)
    else:
        _check_is_path(spec.detail)
        inner = MediaFileSource(spec.detail, repeat and live, track, spec.channels)
    inner = inner if spec.kind == "file" else _chosen(inner, spec)
    return PacedSource(inner, clock) if live else inner


def _chosen(source: Source, spec: SourceSpec) -> Source:
    return ChosenChannels(source, spec.channels) if spec.channels else source


def _input(spec: SourceSpec, live: bool, clock: Clock, capture: str) -> Source:
    _check_is_live(spec, live)
    return open_input(spec, clock, capture)


def _browser(spec: SourceSpec, live: bool, clock: Clock, browser_sound: BrowserSound | None) -> Source:
    _check_is_live(spec, live)
    if spec.detail:
        raise SourceError(
            f"'{spec.text}' is no source; web alone was expected: the newest browser that sends sound is heard."
        )
    if browser_sound is None:
        raise SourceError("'web' hears a browser that has the show's page open, and this show has none; add --web.")
    return browser_sound.source(clock, spec.channels)


def _check_is_live(spec: SourceSpec, live: bool) -> None:
    if not live:
        raise SourceError(f"'{spec.text}' cannot be rendered because it never ends; render demo, tone or a file.")


def _tone_hz(text: str) -> float:
    try:
        tone_hz = float(text)
    except ValueError:
        tone_hz = math.nan
    if not 1.0 <= tone_hz < RATE_HZ / 2:
        raise SourceError(
            f"'tone:{text}' is no valid tone; a frequency from 1 to {RATE_HZ // 2} Hz was expected, e.g. tone:440."
        )
    return tone_hz


def _check_is_path(spec: str) -> None:
    """Refuse a word without dot or slash that is no file: it was meant as the name of a source."""
    if not Path(spec).exists() and not Path(spec).suffix and Path(spec).name == spec:
        raise SourceError(
            f"There is no source or file '{spec}'.{nearest_name(spec, SOURCE_KINDS)} Accepted are {ACCEPTED}."
        )
