"""The parameters of effects and flash guard for one frame, with what onsets in the sound add to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.audio.features.audio_features import AudioFeatures

_LARGEST_ZOOM = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectParameters:
    """Effects of one frame."""

    mirror: bool = False
    brightness: float = 1.0
    """Factor of every level; 0 is black."""
    zoom: float = 1.0
    """Factor of size about the centre."""
    glow: float = 0.0
    """Share of the blurred bright parts that is added."""
    colour_turn: float = 0.0
    """Rotation of all hues, in turns of the colour circle."""
    trail: float = 0.0
    """Share of a frame that is left after a tenth of a second, 0 to 1 (1 never fades)."""
    guarded: bool = True
    """Whether harmful flashes are softened."""


NEUTRAL = EffectParameters()


def effect_parameters(values: Mapping[str, float | int | bool], audio_features: AudioFeatures) -> EffectParameters:
    """Return the effects for these parameter values and audio features; values that are missing have their neutral value."""

    def number(name: str, default: float = 0.0) -> float:
        return float(values.get(name, default))

    onset = audio_features.hit(number("hit_decay_ms", 150.0))
    brightness = (
        0.0 if values.get("blackout", False) else number("brightness", 1.0) * (1.0 + number("hit_brightness") * onset)
    )
    return EffectParameters(
        mirror=bool(values.get("mirror", False)),
        brightness=brightness,
        zoom=min(number("zoom", 1.0) * (1.0 + number("hit_zoom") * onset), _LARGEST_ZOOM),
        glow=min(number("glow") + number("hit_glow") * onset, 1.0),
        colour_turn=number("colour_turn") + number("hit_colour") * onset,
        trail=number("trail"),
        guarded=bool(values.get("flash_guard", True)),
    )
