"""The parameters of effects and flash guard for one frame, with what onsets in the sound add to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_table import ShowValues

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
    """Return the effects for these parameter values and audio features; values that are missing have their defaults."""
    now = ShowValues(values)
    onset = audio_features.onset_envelope(now.onset_decay_ms)
    return EffectParameters(
        mirror=now.mirror,
        brightness=0.0 if now.blackout else now.brightness * (1.0 + now.onset_brightness * onset),
        zoom=min(now.zoom * (1.0 + now.onset_zoom * onset), _LARGEST_ZOOM),
        glow=min(now.glow + now.onset_glow * onset, 1.0),
        colour_turn=now.colour_turn + now.onset_colour * onset,
        trail=now.trail,
        guarded=now.flash_guard,
    )
