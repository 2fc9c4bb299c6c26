"""Settings of the modal family."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from engine.core.errors import TrainingError
from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS
from training.core.frame_size import FrameSize
from training.losses.losses import LossConfig

UNITS = {FLOW: 0.02, WEIGHTS: 1.0, LIGHT: 0.2, RESIDUAL: 0.1}
"""What the learned maps are multiplied with, by role: their own values are of about 1, as one learning rate for all wants it."""
SMALLEST_OFF = ("residual_rank", "light_rank", "past_windows", "past_steps", "guidance")
MOST_WINDOWS, MOST_PAST_STEPS = 8, 256

MOST_DETAIL_GAIN = 4.0

_LARGE_SIDE, _LEAST_SHRUNK = 400, 8
SOUND_SHARE = 0.6
"""Of a run's budget: the beginning, in which the sound learns the measured amplitudes, takes no longer than until then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModalConfig:
    """Shape of the generator."""

    textures: int = 4
    """So many frames of the clip, as different as there are; they are stored as they are."""
    texture_scale: int = 1
    """The textures have so many times the frame's height and width, interpolated where the clip has fewer pixels: a window shows their detail."""
    resonators: int = 64
    """So many damped oscillators, driven by the sound: what moves goes on ringing after an onset."""
    modes: int = 32
    """So many flow fields, mixed by the sound, whose sum bends the textures. They start at the clip's own optical flow."""
    flow_side: int = 32
    """Mean side of the flow fields, which have the shape of the frame; so have the other maps."""
    share_rank: int = 8
    """So many maps that the sound mixes into the weights of the textures."""
    weight_side: int = 16
    """Mean side of the maps that say where which texture is seen."""
    light_rank: int = 12
    """So many maps of light and colour, mixed by the sound, that multiply the frame. 0: none."""
    light_side: int = 24
    residual_rank: int = 32
    """So many small frames, mixed by the sound and added. 0: none."""
    residual_side: int = 64
    hidden: int = 128
    past_windows: int = 0
    """Beside the newest features the network hears their means over the last 2, 4, 8, … steps of a twentieth of a second, so many windows. 0: none."""
    past_steps: int = 0
    """Beside the newest features the network hears what an attention over the last so many steps gives. 0: none."""
    guidance: bool = False
    """Learn the frame that is shown without sound, and have the control `sound_guidance`, which leads away from it."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), 0 if field.name in SMALLEST_OFF else 1
            if value < least:
                raise TrainingError(f"generator.{field.name} is {value}; {least} or more was expected.")
        if self.textures > 16:
            raise TrainingError(f"generator.textures is {self.textures}; 1 to 16 were expected.")
        if self.texture_scale > 4:
            raise TrainingError(f"generator.texture_scale is {self.texture_scale}; 1 to 4 were expected.")
        if self.past_windows > MOST_WINDOWS:
            raise TrainingError(
                f"generator.past_windows is {self.past_windows}; 0 to {MOST_WINDOWS} were expected: each is twice as long as the one before."
            )
        if self.past_steps == 1 or self.past_steps > MOST_PAST_STEPS:
            raise TrainingError(
                f"generator.past_steps is {self.past_steps}; 0 or 2 to {MOST_PAST_STEPS} were expected: the newest step is one of them."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchDiscriminatorConfig:
    """Shape of both discriminators, which score parts of composed frames."""

    channels: int = 32
    """Of the first level; the next ones have twice as many."""
    hears: bool = True
    """The video discriminator also takes the sound features of each frame, and learns to reject the sound of another time."""

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise TrainingError(f"discriminator.channels is {self.channels}; 1 or more was expected.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModalLossConfig(LossConfig):
    """The losses of `AdversarialTrainer`, and how training begins and which part of a frame an iteration composes."""

    part_side: int = 192
    """Mean side of the part of the frames that an iteration composes and compares, at a random place; 0: the whole frame."""
    shrink: int = 0
    """An iteration compares frames of one such part of the height and width: of large ones it sees more for the same work, and the maps are
    smaller still. 0: 2 where the mean side is above 400, else 1."""
    start_frames: int = 128
    """So many frames are measured before the first iteration: maps and amplitudes begin at what was found. 0: none, and no beginning."""
    map_iterations: int = 500
    """Iterations in which the maps are learned, with a network that reads the amplitudes from the frames."""
    sound_frames: int = 4096
    """The amplitudes of so many frames, where the clip has them, are what the sound is to give."""
    sound_iterations: int = 500
    """Iterations in which the sound learns to give these amplitudes; no frame is composed in them."""
    spread: float = 1.0
    """How strongly they are held to the spread that the amplitudes have in the clip: doubt alone would make it small."""
    detail_gain: float = 1.6
    """Before the first iteration the textures' fine detail is raised, in each band at most so many times, until composed frames are as sharp as
    the clip. 1: it stays as it is."""
    mixing: float = 0.0
    """Weight of the loss on places where several textures are seen at once: 1 minus the sum of their squared weights. Mixtures are soft."""
    deaf_share: float = 0.1
    """Share of the sequences that are shown without their sound, for `generator.guidance` alone; the oscillators hear it all the same."""

    def shrink_of(self, frame_size: FrameSize) -> int:
        """Return `shrink` for frames of this size. Raises TrainingError where it does not divide their sides."""
        shrink = self.shrink or (2 if frame_size.mean_side > _LARGE_SIDE else 1)
        if frame_size.height % shrink or frame_size.width % shrink or frame_size.short_side // shrink < _LEAST_SHRUNK:
            raise TrainingError(
                f"losses.shrink is {self.shrink}; a divisor of the frame's sides that leaves {_LEAST_SHRUNK} pixels or more was expected, and the frame is {frame_size}."
            )
        return shrink

    def __post_init__(self) -> None:
        # `super()` does not find the class that slots made of this one.
        LossConfig.__post_init__(self)
        if not 0.0 <= self.deaf_share <= 1.0:
            raise TrainingError(f"losses.deaf_share is {self.deaf_share}; a share, 0 to 1, was expected.")
        counts = ("start_frames", "map_iterations", "sound_frames", "sound_iterations")
        for name in ("part_side", "shrink", *counts, "spread", "mixing"):
            if getattr(self, name) < 0:
                raise TrainingError(f"losses.{name} is {getattr(self, name)}; 0 or more was expected.")
        if not 1.0 <= self.detail_gain <= MOST_DETAIL_GAIN:
            raise TrainingError(
                f"losses.detail_gain is {self.detail_gain:g}; 1 (off) to {MOST_DETAIL_GAIN:g} was expected."
            )
