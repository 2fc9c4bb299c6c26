"""The venue's latency as a configuration file for --config."""

from __future__ import annotations

from pathlib import Path

from engine.control.parameter_table import TABLE
from engine.core.atomic_files import check_writable, write_text
from engine.core.errors import ConfigError
from engine.core.printable import printable
from engine.ops.calibration.detection import Offset

LOOK_AHEAD = "look_ahead_ms"
_PARAMETER = next(parameter for parameter in TABLE if parameter.name == LOOK_AHEAD)


def look_ahead_ms(offset_s: float) -> float:
    """Return the look-ahead that compensates light `offset_s` after the sound, within the parameter's range."""
    return float(_PARAMETER.clip(round(1e3 * offset_s, 1)))


def write_venue(path: Path | str, offset_s: float, how: str) -> None:
    """Write the look-ahead as a configuration file; `how` names the measurement in one line. Raises ConfigError."""
    # The name of a film may hold a line break, after which the file would say something else.
    text = f"# Measured by --calibrate: {printable(how)}\ncontrols:\n  {LOOK_AHEAD}: {look_ahead_ms(offset_s):g}\n"
    check_venue(path)
    try:
        write_text(Path(path), text)
    except OSError as error:
        raise _unwritable(path, error) from error


def check_venue(path: Path | str) -> None:
    """Refuse a place that cannot be written, before the clicks. Raises ConfigError."""
    try:
        check_writable(Path(path))
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path | str, error: OSError) -> ConfigError:
    return ConfigError(f"Cannot write the venue's file {path}: {error.strerror}; choose another with --venue.")


def describe_offset(offset: Offset) -> str:
    """Return the offset as text."""
    side = "after" if offset.median_s >= 0 else "before"
    return (
        f"the light comes {abs(1e3 * offset.median_s):.0f} ms {side} the sound (±{1e3 * offset.uncertainty_s:.0f} ms; "
        f"{offset.pairs} pairs of {offset.clicks} clicks and {offset.flashes} flashes, spread "
        f"±{1e3 * offset.spread_s:.0f} ms)"
    )
