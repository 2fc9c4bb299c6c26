"""The addresses at which a show tells of itself, below /fluid/out/: one table for OSC, OSCQuery and their reference pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.control.remotes.osc_addresses import PREFIX
from engine.control.telemetry import Telemetry

OUT = PREFIX + "out"
INPUTS = "inputs"
Values = tuple[float | int | bool | str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TelemetryAddress:
    """One address, and how its values are read from the telemetry."""

    name: str
    tags: str
    """OSC types of the values: f, i, s, and T for a switch."""
    help: str
    read: Callable[[Telemetry], Values]
    high: float | None = None
    """The highest value, where there is one; the lowest is 0."""
    unit: str = ""
    count: Callable[[Telemetry], int] | None = None
    """Where it tells of something that happens: how often it has. It is sent when this grows, also with the same values."""

    @property
    def address(self) -> str:
        """The whole OSC address."""
        return f"{OUT}/{self.name}"


def _number(
    name: str, help: str, read: Callable[[Telemetry], float], high: float | None = None, unit: str = ""
) -> TelemetryAddress:
    return TelemetryAddress(name=name, tags="f", help=help, read=lambda t: (float(read(t)),), high=high, unit=unit)


def _count(name: str, help: str, read: Callable[[Telemetry], int]) -> TelemetryAddress:
    return TelemetryAddress(name=name, tags="i", help=help, read=lambda t: (read(t),))


def _text(name: str, help: str, read: Callable[[Telemetry], str]) -> TelemetryAddress:
    return TelemetryAddress(name=name, tags="s", help=help, read=lambda t: (read(t),))


TELEMETRY: tuple[TelemetryAddress, ...] = (
    _number("level", "level of the sound", lambda t: t.level, 1.0),
    _number("low", "level of the bass", lambda t: t.low, 1.0),
    _number("mid", "level of the mid range", lambda t: t.mid, 1.0),
    _number("high", "level of the treble", lambda t: t.high, 1.0),
    TelemetryAddress(
        name="onset",
        tags="f",
        help="sent at each onset, with its strength",
        read=lambda t: (float(t.onset_strength),),
        high=1.0,
        count=lambda t: t.onsets,
    ),
    _number("beat_phase", "position between two beats", lambda t: t.beat_phase, 1.0),
    _count("beat", "the beat of the bar, from 1", lambda t: t.beat),
    _count("bar", "bars since the start, from 1", lambda t: t.bar),
    _number("tempo", "tempo of the sound; 0 while none is known", lambda t: t.tempo_bpm, unit="bpm"),
    _number("fps", "frames made in the last second", lambda t: t.fps),
    _number("frame_age_ms", "time from sound to light, median of the last second", lambda t: t.frame_age_ms, unit="ms"),
    _count("skipped_frames", "hops skipped under overload since the start", lambda t: t.skipped_hops),
    _count("failed_steps", "steps of the model that failed since the start", lambda t: t.failed_steps),
    _count("softened_flashes", "flashes that the flash guard softened since the start", lambda t: t.softened_flashes),
    TelemetryAddress(
        name="recording", tags="T", help="whether the show is being recorded", read=lambda t: (bool(t.recording),)
    ),
    TelemetryAddress(
        name="scene",
        tags="is",
        help="number and name of the scene recalled or saved last; 0 before the first",
        read=lambda t: (t.scene, t.scene_name),
    ),
    _text("model", "the model that plays", lambda t: t.model),
    _text("source", "where the sound comes from", lambda t: t.source),
    _text("problem", "why the show is not alive; empty while it is", lambda t: t.problem),
)
"""All addresses of every show; those of named inputs come from `addresses`."""


def addresses(telemetry: Telemetry) -> tuple[TelemetryAddress, ...]:
    """Return the addresses of a show, with one for each of its named inputs."""
    return (*TELEMETRY, *map(_input, telemetry.inputs)) if telemetry.inputs else TELEMETRY


def _input(name: str) -> TelemetryAddress:
    return _number(f"{INPUTS}/{name}", f"level of the input {name}", lambda t: t.inputs.get(name, 0.0), 1.0)
