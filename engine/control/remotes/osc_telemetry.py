"""What a show tells of itself over OSC: the table of its addresses, and what of it is due at a moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.control.remotes.osc_addresses import OUT_PREFIX
from engine.control.remotes.osc_message import OscValue, build
from engine.control.telemetry import Telemetry
from engine.core.notice_log import ToldLine
from engine.core.printable import printable

WHOLE_EVERY_S = 5.0
"""How often all of it is told, changed or not, for listeners that came late."""
MOST_LINES_AT_ONCE = 20
UNDEFINED = -1.0
"""OSC and JSON have no number that is none, and 0 would be a value."""
LONGEST_TEXT = 500
_NOT_IN_ADDRESSES = re.compile(r"[^!-~]|[#*,/?\[\]{}]")
"""What OSC 1.0 keeps out of the parts of an address."""


class Outgoing(NamedTuple):
    """An address that the show sends to."""

    address: str
    types: str
    """OSC types of its values: f, i, s."""
    help: str
    read: Callable[[Telemetry], tuple[OscValue, ...]]
    high: float | None = None
    """The highest of its values, where there is one; the lowest is 0."""
    unit: str = ""


def _outgoing(
    name: str,
    types: str,
    help: str,
    read: Callable[[Telemetry], OscValue | tuple[OscValue, ...]],
    high: float | None = None,
    unit: str = "",
) -> Outgoing:
    def values(telemetry: Telemetry) -> tuple[OscValue, ...]:
        read_now = read(telemetry)
        return read_now if isinstance(read_now, tuple) else (read_now,)

    return Outgoing(OUT_PREFIX + name, types, help, values, high, unit)


OUTGOING = (
    _outgoing("level", "f", "level of the sound, from 0 to 1", lambda now: now.level, 1.0),
    _outgoing("low", "f", "level of the bass, from 0 to 1", lambda now: now.low, 1.0),
    _outgoing("mid", "f", "level of the mid range, from 0 to 1", lambda now: now.mid, 1.0),
    _outgoing("high", "f", "level of the treble, from 0 to 1", lambda now: now.high, 1.0),
    _outgoing("beat_phase", "f", "position between two beats, from 0 up to 1", lambda now: now.beat_phase, 1.0),
    _outgoing("beat", "i", "beat of the bar, from 1", lambda now: now.beat),
    _outgoing("bar", "i", "bar of the show, from 1", lambda now: now.bar),
    _outgoing("tempo", "f", "beats a minute; 0 while no tempo is known", lambda now: now.tempo_bpm, unit="bpm"),
    _outgoing(
        "followed_clock", "s", "clock outside that the beat follows: link, midi, os2l or none", lambda now: now.followed_clock
    ),
    _outgoing("link_peers", "i", "other peers in the Ableton Link session", lambda now: now.link_peers),
    _outgoing("fps", "f", "frames made in the last second", lambda now: now.fps),
    _outgoing(
        "frame_age_ms", "f", "age of the frames when they are shown, in ms: their median", lambda now: now.frame_age_ms, unit="ms"
    ),
    _outgoing(
        "sync", "f", "how well onsets and motion have gone together in the last seconds, from 0 to 1; -1 while undefined",
        lambda now: UNDEFINED if now.sync is None else now.sync,
    ),
    _outgoing(
        "sync_floor", "f", "the same with the onsets moved to other moments, for comparison; -1 while undefined",
        lambda now: UNDEFINED if now.sync_floor is None else now.sync_floor,
    ),
    _outgoing("sync_undefined", "s", "why sync is undefined; empty when it is not", lambda now: now.sync_undefined),
    _outgoing("skipped_frames", "i", "frames skipped since the start", lambda now: now.skipped_hops),
    _outgoing("recording", "i", "1 while the show is recorded, else 0", lambda now: int(now.recording), 1.0),
    _outgoing("recording_take", "i", "1 while a take is recorded, else 0", lambda now: int(now.recording_take), 1.0),
    _outgoing(
        "scene", "is", "number and name of the scene that was recalled or saved last; 0 before the first",
        lambda now: (now.scene, now.scene_name),
    ),
    _outgoing("model", "s", "name of the model that plays", lambda now: now.model),
    _outgoing("problem", "s", "why the show is not alive; empty when it is", lambda now: now.problem),
)  # fmt: skip
"""What is sent when it has changed."""
ONSET = _outgoing("onset", "f", "an onset, at once, with its strength", lambda now: float(now.onset_strength), 1.0)
INPUT = _outgoing("input/NAME", "f", "level of the input of that name, from 0 to 1", lambda now: (), 1.0)
NOTICE = _outgoing(
    "notice", "s", "each line that the show tells: errors, refusals and what else happens", lambda now: ()
)
TOLD = (*OUTGOING, ONSET, INPUT, NOTICE)
"""The whole table, for pages that describe it."""


class TelemetryFeed:
    """Says what is to be sent when. A pure function of what it is given."""

    def __init__(self, rate_hz: float) -> None:
        self._every_s = 1.0 / rate_hz
        self._next_s = self._next_whole_s = float("-inf")
        self._told: dict[str, tuple[OscValue, ...]] = {}
        self._onsets: int | None = None

    def due(self, now_s: float, telemetry: Telemetry) -> list[bytes]:
        """Return the messages that are due: an onset at once, and `rate_hz` times a second what has changed."""
        messages = list[bytes]()
        # Onsets from before the first call are over.
        if self._onsets is not None and telemetry.onsets > self._onsets:
            messages.append(build(ONSET.address, ONSET.read(telemetry)))
        self._onsets = telemetry.onsets
        if now_s < self._next_s:
            return messages
        on_time_s = self._next_s + self._every_s
        # It does not catch up after a pause.
        self._next_s = on_time_s if on_time_s > now_s else now_s + self._every_s
        is_whole = now_s >= self._next_whole_s
        if is_whole:
            self._next_whole_s = now_s + WHOLE_EVERY_S
        for outgoing, values in current(telemetry):
            if is_whole or self._told.get(outgoing.address) != values:
                messages.append(build(outgoing.address, values))
                self._told[outgoing.address] = values
        return messages


def lines_due(lines: Iterable[ToldLine]) -> list[bytes]:
    """Return the messages for lines that the show has told, the newest of many."""
    return [build(NOTICE.address, (_text(line.text),)) for line in [*lines][-MOST_LINES_AT_ONCE:]]


def current(telemetry: Telemetry) -> Iterable[tuple[Outgoing, tuple[OscValue, ...]]]:
    """Yield what is sent when it has changed, with one for each named input, and the values of now in their types."""
    for outgoing in OUTGOING:
        values = outgoing.read(telemetry)
        yield outgoing, tuple(_fitting(value, kind) for value, kind in zip(values, outgoing.types, strict=True))
    for name, level in telemetry.inputs.items():
        to = INPUT.address.replace("NAME", _NOT_IN_ADDRESSES.sub("_", name))
        yield INPUT._replace(address=to, help=f"level of the input {name}, from 0 to 1"), (float(level),)


def _text(given: str) -> str:
    """Return a text that OSC can carry: without zeros, and without halves of letters as file names may have."""
    return printable(given, LONGEST_TEXT)


def _fitting(value: OscValue, kind: str) -> OscValue:
    if kind == "s":
        return _text(str(value))
    return float(value) if kind == "f" else int(value)
