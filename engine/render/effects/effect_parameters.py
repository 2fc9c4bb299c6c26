"""What is done to the network's picture before it is shown, as values: effects, and how far hits in the sound drive them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.audio.features.audio_features import AudioFeatures

_LARGEST_ZOOM = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectParameters:
    """How one picture is shown."""

    mirror: bool = False
    brightness: float = 1.0
    """Factor of every level; 0 is black."""
    zoom: float = 1.0
    """Factor of size about the centre."""
    glow: float = 0.0
    """Share of the blurred bright parts that is added."""
    colour_turn: float = 0.0
    """How far hues are turned, in turns."""
    trail: float = 0.0
    """What is left of a picture after a tenth of a second, 0 to 1 (1 never fades)."""
    guarded: bool = True
    """Whether harmful flashes are softened."""


NEUTRAL = EffectParameters()


def look(values: Mapping[str, float | int | bool], audio_features: AudioFeatures) -> EffectParameters:
    """Return how a picture is shown at the moment `pulse` of the sound; any of `values` may be missing."""

    def number(name: str, default: float = 0.0) -> float:
        return float(values.get(name, default))

    hit = audio_features.hit(number("hit_decay_ms", 150.0))
    brightness = (
        0.0 if values.get("blackout", False) else number("brightness", 1.0) * (1.0 + number("hit_brightness") * hit)
    )
    return EffectParameters(
        mirror=bool(values.get("mirror", False)),
        brightness=brightness,
        zoom=min(number("zoom", 1.0) * (1.0 + number("hit_zoom") * hit), _LARGEST_ZOOM),
        glow=min(number("glow") + number("hit_glow") * hit, 1.0),
        colour_turn=number("colour_turn") + number("hit_colour") * hit,
        trail=number("trail"),
        guarded=bool(values.get("flash_guard", True)),
    )
