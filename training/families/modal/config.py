"""Settings of the modal family."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from engine.core.errors import TrainingError

SMALLEST_OFF = ("residual_rank",)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModalConfig:
    """Shape of the generator."""

    textures: int = 3
    """So many frames of the clip, as different as there are; they are stored as they are."""
    resonators: int = 48
    """So many damped oscillators, driven by the sound: what moves goes on ringing after an onset."""
    modes: int = 24
    """So many flow fields, mixed by the sound, whose sum bends the textures. They start at the clip's own optical flow."""
    flow_side: int = 32
    """Mean side of the flow fields, which have the shape of the frame; so have the other maps."""
    residual_rank: int = 24
    """So many small frames, mixed by the sound and added; they start at the clip's own principal components. 0: none."""
    residual_side: int = 64
    weight_side: int = 8
    """Mean side of the maps that say where which texture is seen."""
    hidden: int = 128

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), 0 if field.name in SMALLEST_OFF else 1
            if value < least:
                raise TrainingError(f"generator.{field.name} is {value}; {least} or more was expected.")
        if self.textures > 16:
            raise TrainingError(f"generator.textures is {self.textures}; 1 to 16 were expected.")


@dataclass(frozen=True, kw_only=True, slots=True)
class NoDiscriminatorConfig:
    """The family has no discriminators yet."""
