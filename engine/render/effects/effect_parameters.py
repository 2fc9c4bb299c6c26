"""The parameters of effects and flash guard for one frame, with what onsets in the sound add to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.audio.features.audio_features import AudioFeatures
from engine.control.parameter_table import ShowValues

_LARGEST_ZOOM = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectParameters:
    """Effects of one frame."""

    screen: tuple[int, int] | None = None
    """Width and height of the output, where it has a size of its own: beside a frame of another shape there is a surround."""
    fill: bool = False
    """Whether the frame is cropped to the shape of the output, which leaves no surround."""
    degrain: float = 0.0
    """Share of the grain that is taken out."""
    mirror: bool = False
    brightness: float = 1.0
    """Factor of every level; 0 is black."""
    zoom: float = 1.0
    """Factor of size about the centre."""
    kaleidoscope: int = 0
    """Equal sectors, each symmetrical; 0 is off."""
    kaleidoscope_turn: float = 0.0
    """Direction of the part that is shown, in turns."""
    tiles: float = 0.0
    """Copies above each other; below 1, the share of the copies in the surround."""
    glow: float = 0.0
    """Share of the blurred bright parts that is added."""
    colour_turn: float = 0.0
    """Rotation of all hues, in turns of the colour circle."""
    palette: int = 0
    """Index in PALETTES."""
    palette_amount: float = 0.0
    """Share of the palette's colours."""
    soft_edges: bool = True
    """Whether edges beside a surround fade, without any vignette."""
    vignette: float = 0.0
    """Width of the fading edge, as a share of half the shorter side."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Level of the surround, its hue in turns, and its saturation."""
    feedback: float = 0.0
    """Share of the last frame that is left after a tenth of a second."""
    feedback_zoom: float = 0.5
    """Doublings of the feedback's size in a second."""
    feedback_turn: float = 0.0
    """Turns of the feedback in a second."""
    trail: float = 0.0
    """Share of a frame that is left after a tenth of a second, 0 to 1 (1 never fades)."""
    sharpen: float = 0.0
    """Strength of the sharpening that an output applies after enlarging: engine/output/sharpening.py."""
    guarded: bool = True
    """Whether harmful flashes are softened."""

    @property
    def is_neutral(self) -> bool:
        """Whether frames stay as they are, apart from soft edges in an output that has room around them."""
        return replace(self, screen=None, fill=False, sharpen=0.0, guarded=True) == NEUTRAL

    @property
    def moves_by_itself(self) -> bool:
        """Whether the same frame looks different a moment later."""
        return self.trail > 0.0 or self.feedback > 0.0


NEUTRAL = EffectParameters()


def effect_parameters(
    values: Mapping[str, float | int | bool],
    audio_features: AudioFeatures,
    screen: tuple[int, int] | None = None,
) -> EffectParameters:
    """Return the effects for these parameter values and audio features; values that are missing have their defaults.

    `screen` is width and height of the output, where it has a size of its own.
    """
    now = ShowValues(values)
    onset = audio_features.onset_envelope(now.onset_decay_ms)
    return EffectParameters(
        screen=screen,
        fill=now.fill,
        degrain=now.degrain,
        mirror=now.mirror,
        brightness=0.0 if now.blackout else now.brightness * (1.0 + now.onset_brightness * onset),
        zoom=min(now.zoom * (1.0 + now.onset_zoom * onset), _LARGEST_ZOOM),
        kaleidoscope=now.kaleidoscope,
        kaleidoscope_turn=now.kaleidoscope_turn,
        tiles=now.tiles,
        glow=min(now.glow + now.onset_glow * onset, 1.0),
        colour_turn=now.colour_turn + now.onset_colour * onset,
        palette=now.palette,
        palette_amount=now.palette_amount,
        soft_edges=now.soft_edges,
        vignette=now.vignette,
        background=(now.background, now.background_hue, now.background_colour),
        feedback=now.feedback,
        feedback_zoom=now.feedback_zoom,
        feedback_turn=now.feedback_turn,
        trail=now.trail,
        sharpen=now.sharpen,
        guarded=now.flash_guard,
    )
