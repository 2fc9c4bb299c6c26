"""What `--calibrate` and `--calibrate-from` do: measure, say the venue's figure and write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.audio.sources.source import Source
from engine.core.clock import WallClock
from engine.ops.calibration.clicks import OUTPUT_RATE_HZ, ClickOutput, click_starts
from engine.ops.calibration.film import offset_of_film
from engine.ops.calibration.live import CLICKS, GAP_S, calibrate
from engine.ops.calibration.venue import describe_offset, look_ahead_ms, write_venue
from engine.output.sink import WindowSink

DEFAULT_VENUE = "venue.yaml"
_FIRST_S = 3.0
"""A sound server may take two seconds to begin."""


def calibrate_here(
    source: Source, window: WindowSink, venue: Path | str = DEFAULT_VENUE, say: Callable[[str], None] = print
) -> None:
    """Play clicks and flash for each that is heard; write what can be told from inside. Raises what `calibrate` raises."""
    starts = click_starts(CLICKS, 0, OUTPUT_RATE_HZ, first_s=_FIRST_S, gap_s=GAP_S)
    output = ClickOutput(starts, WallClock())
    say(
        f"{CLICKS} clicks are played on '{output.name}' for about {starts[-1] / OUTPUT_RATE_HZ:.0f} s and the window flashes for "
        f"each that {source.name} hears. Film it with a telephone from where the audience is, sound and picture."
    )
    measured = calibrate(source, window, output, WallClock(), say)
    trip = measured.round_trip
    say(
        f"loudspeaker to microphone: {1e3 * trip.median_s:.0f} ms (±{1e3 * trip.spread_s:.0f} ms, {trip.pairs} of {trip.clicks} "
        f"clicks); capture to drawing: {1e3 * measured.drawn_s:.0f} ms"
    )
    write_venue(
        venue,
        measured.estimate_s,
        "half the round trip, the drawing and half a refresh; a film is better, see --calibrate-from",
    )
    say(
        f"estimated sound to light: {1e3 * measured.estimate_s:.0f} ms; {venue} holds it as the look-ahead (play with --config "
        f"{venue}). The projector is not in it: give the film with --calibrate-from FILM."
    )


def calibrate_from(film: Path | str, venue: Path | str = DEFAULT_VENUE, say: Callable[[str], None] = print) -> None:
    """Measure a film of the flashing window and write the venue's figure. Raises ConfigError."""
    offset = offset_of_film(film)
    words = describe_offset(offset)
    write_venue(venue, offset.median_s, f"in the film {Path(film).name}, {words}")
    say(f"{Path(film).name}: {words}.")
    say(f"{venue} holds {look_ahead_ms(offset.median_s):g} ms as the look-ahead; play with --config {venue}.")
