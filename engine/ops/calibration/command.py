"""The commands `--calibrate` and `--calibrate-from`: measure the venue's latency and write it to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.audio.source import Source
from engine.core.clock import WallClock
from engine.ops.calibration.clicks import OUTPUT_RATE_HZ, ClickOutput, click_starts
from engine.ops.calibration.film import offset_of_film
from engine.ops.calibration.live import CLICKS, GAP_S, calibrate
from engine.ops.calibration.venue import check_venue, describe_offset, look_ahead_ms, write_venue
from engine.output.sink import WindowSink

_FIRST_S = 3.0
"""A sound server may take two seconds to start."""


def calibrate_here(source: Source, window: WindowSink, venue: Path | str, say: Callable[[str], None] = print) -> None:
    """Play clicks, flash for each one detected, and write the estimate. Raises what `calibrate` raises."""
    starts = click_starts(CLICKS, 0, OUTPUT_RATE_HZ, first_s=_FIRST_S, gap_s=GAP_S)
    output = ClickOutput(starts, WallClock())
    say(
        f"Playing {CLICKS} clicks on '{output.name}' for about {starts[-1] / OUTPUT_RATE_HZ:.0f} s; the window flashes for each "
        f"click that {source.name} receives. Film the window with sound, from where the audience is."
    )
    measured = calibrate(source, window, output, WallClock(), say)
    trip = measured.round_trip
    say(
        f"loudspeaker to microphone: {round(1e3 * trip.median_s)} ms (±{1e3 * trip.spread_s:.0f} ms, {trip.pairs} of {trip.clicks} "
        f"clicks); capture to drawing: {1e3 * measured.drawn_s:.0f} ms"
    )
    write_venue(
        venue,
        measured.estimate_s,
        "half the round trip + drawing + half a refresh; a film is more exact, see --calibrate-from",
    )
    say(
        f"estimated sound to light: {1e3 * measured.estimate_s:.0f} ms, without the projector. {venue} sets it as the look-ahead; "
        f"play with --config {venue}. For the whole path, run --calibrate-from FILM."
    )


def calibrate_from(
    film: Path | str,
    venue: Path | str,
    say: Callable[[str], None] = print,
    track: str | int | None = None,
) -> None:
    """Measure the offset in a film of the flashing window and write it. Raises ConfigError. For `track` see `offset_of_film`."""
    # A film of minutes takes its time.
    check_venue(venue)
    offset = offset_of_film(film, track)
    description = describe_offset(offset)
    write_venue(venue, offset.median_s, f"in the film {Path(film).name}, {description}")
    say(f"{Path(film).name}: {description}.")
    say(f"{venue} sets a look-ahead of {look_ahead_ms(offset.median_s):g} ms; play with --config {venue}.")
