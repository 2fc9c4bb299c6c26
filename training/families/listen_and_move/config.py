"""Settings of the Listen and Move generator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize

SEED_SIZE = 4  # side of the frame, nearly, that the generator starts from


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenAndMoveConfig:
    """Shape of the generator; the defaults are the full model of arXiv 2406.16155."""

    sound_route: Literal["rnn", "gen", "rnngen"] = "rnngen"
    """Where sound enters: the motion encoder, the generator's input, or both."""
    motion_noise: int = 2
    content_noise: int = 0
    motion_layers: int = 3
    motion_type: Literal["basic", "feedback"] = "basic"
    convolution: Literal["2d", "3d"] = "2d"
    """3d: every 3 × 3 convolution is 3 × 3 × 3 and sees the frame before and the frame after. It looks at later frames, so it
    trains and plays whole sequences only: no step, no export. It needs prediction 'none'."""
    architecture: Literal["residual", "basic", "skip"] = "residual"
    conditional_norm: bool = True
    """Sound-conditioned instance norm (acIN) in place of batch norm; residual architecture only."""
    normalise: bool = True
    """False: the conditional norms shift and scale without normalising first, so that heights keep their meaning."""
    prediction: Literal["none", "basic", "dir"] = "dir"
    prediction_levels: tuple[int, ...] = (-1,)
    """Levels after which video prediction sits; -1 is the finest."""
    prediction_kernel: int | None = None
    """None: 3, or 5 for frames of 512 and more."""
    channels_base: int = 1024
    channels_min: int = 1
    channels_max: int = 512
    double_finest: bool = False
    initialisation: Literal["reference", "he"] = "reference"
    """`reference`: normal 0.02 everywhere but in the GRUs of the motion encoder. `he`: scaled to the fan-in, the
    sound-conditioned scale starts at 1 and the video prediction is orthogonal."""
    resonators: int = 0
    """So many damped oscillators, driven by the sound, that feed every level: after an onset they go on ringing."""
    condition_on: Literal["sound", "all"] = "sound"
    """The input of the conditional norms: the sound alone, or all of the generator's input (sound, motion, resonance)."""
    rgb_upscale: Literal[1, 2] = 1
    """2: the finest level has half the frame's size and gives four pixels a place (sub-pixel convolution)."""
    place_levels: int = 0
    """Learned additive maps before the first so many levels: they give every pixel its place."""
    relief_rank: int = 0
    """So many learned maps, mixed by the sound into every channel before `relief_level`; started at the clip's own
    principal components. They give the network the shapes that move."""
    relief_level: int = -1
    canvas: bool = False
    """A learned still frame added before tanh, started at the clip's mean frame."""
    canvas_rank: int = 0
    """So many learned frames at half size, mixed by the sound and added to the canvas; started at the clip's own
    principal components."""
    warp_rank: int = 0
    """So many learned flow fields, mixed by the sound, that bend the canvas: what moves stays sharp. They start at the clip's
    own optical flow, and the canvas at the frame from which it was measured."""

    def __post_init__(self) -> None:
        if self.conditional_norm and self.architecture != "residual":
            raise TrainingError(
                f"conditional_norm needs architecture 'residual', not '{self.architecture}'; set one of the two."
            )
        if self.convolution == "3d" and self.prediction != "none":
            raise TrainingError(
                f"convolution '3d' needs prediction 'none', not '{self.prediction}': it sees its neighbours in time already."
            )
        for name in (
            "motion_noise",
            "content_noise",
            "canvas_rank",
            "warp_rank",
            "relief_rank",
            "resonators",
            "place_levels",
        ):
            if getattr(self, name) < 0:
                raise TrainingError(f"generator.{name} is {getattr(self, name)}; 0 (off) or more was expected.")
        if self.motion_layers < 1:
            raise TrainingError(f"generator.motion_layers is {self.motion_layers}; 1 or more was expected.")
        if self.sound_route == "gen" and self.motion_noise == 0:
            raise TrainingError(
                "generator.motion_noise is 0 with sound_route 'gen': the motion encoder has no input; "
                "set motion_noise to 1 or more, or sound_route to 'rnngen'."
            )
        if self.prediction != "none" and not self.prediction_levels:
            raise TrainingError(
                "generator.prediction_levels is empty; give [-1], the finest, or set prediction 'none'."
            )
        if self.prediction_kernel is not None and self.prediction_kernel % 2 == 0:
            raise TrainingError(f"prediction_kernel is {self.prediction_kernel}; an odd number was expected.")
        if self.canvas_rank and not self.canvas:
            raise TrainingError("canvas_rank needs canvas: true.")
        if self.warp_rank and not self.canvas:
            raise TrainingError("warp_rank needs canvas: true; there is nothing else to bend.")


def level_count(size: FrameSize) -> int:
    """Doublings from the seed, of about 4 × 4, to a frame with so many pixels. Raises TrainingError for a frame too small for one."""
    count = round(math.log2(size.mean_side / SEED_SIZE))
    if count < 1:
        raise TrainingError(f"image_size leaves {size} pixels to the finest level; at least 8x8 were expected.")
    return count


def level_sizes(size: FrameSize) -> list[FrameSize]:
    """Sizes from the seed to the frame: each is twice the one before, less a row or column where that would be too many."""
    levels = level_count(size)
    return [size.halved(levels - stage) for stage in range(levels + 1)]


def channels(config: ListenAndMoveConfig, levels: int, stage: int) -> int:
    """Channels after `stage` of `levels` doublings: base / 2^stage within bounds, doubled for the two finest on request."""
    finest = (levels - stage) < 2 and config.double_finest
    wanted = int((2.0 if finest else 1.0) * config.channels_base // 2.0**stage)
    return min(max(wanted, config.channels_min), config.channels_max)
