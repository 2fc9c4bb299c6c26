"""How `python -m training.teach` trains this family: the largest frame and network for which there is time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from training.core.frame_size import FrameSize, ImageSize
from training.families.teaching import ClipTraits, SizeStep, Suitability

ENLARGED_AT_MOST = 1.5
"""Frames with a mean side larger than this factor times their crop show no more detail."""

# Where warping one frame explains much of the clip, added maps only blur what the warp keeps sharp.
SOLID: dict[str, Any] = {
    "model.generator.warp_rank": 16,
    "model.generator.canvas_rank": 0,
    "model.generator.relief_rank": 0,
    "losses.detail": 4.0,
}


def _step(image_size: ImageSize, width: int, iterations: int = 0, is_usual: bool = False) -> SizeStep:
    settings = (("model.generator.channels_base", width),)
    return SizeStep(image_size, settings, f"width {width}", iterations, is_usual)


# For a square; in another shape a frame of the same step has as many pixels.
SIZE_STEPS = (_step(64, 256), _step(128, 128, 500), _step(128, 256, 1000, is_usual=True), _step(256, 256, 3000))
USUAL = SIZE_STEPS[2]


class ListenAndMoveTeaching:
    """The members of `Teaching`. It paints every pixel, so it learns any clip, at a small size."""

    config_file = "teach.yaml"
    fewest_pixels = 128
    beginning_share = 0.0

    def suitability(self, clip: ClipTraits) -> Suitability:
        """It takes what suits no other family."""
        if clip.camera_moves:
            return Suitability(1, "the camera moves, so every frame is painted as a whole")
        if clip.kind == "solid":
            return Suitability(1, "the sound warps one frame of the clip")
        return Suitability(1, "the sound mixes frames of the clip and paints over them")

    def size_steps(self, crop: FrameSize, size: FrameSize | None) -> Sequence[SizeStep]:
        """Return the steps that show no more pixels than the crop has, in its shape; or those of one frame size."""
        if size is not None:
            of_size = [
                replace(step, image_size=size.image_size)
                for step in SIZE_STEPS
                if step.shaped_as(crop).frame_size == size
            ]
            return of_size or [replace(USUAL, image_size=size.image_size, iterations=0)]
        largest = ENLARGED_AT_MOST * crop.mean_side
        steps = [step.shaped_as(crop) for step in SIZE_STEPS if step.frame_size.mean_side <= largest]
        return steps or [SIZE_STEPS[0].shaped_as(crop)]

    def settings(self, clip: ClipTraits) -> Mapping[str, Any]:
        """Return the kind of motion."""
        return SOLID if clip.kind == "solid" else {}

    def usual_iterations(self, duration_s: float) -> int:
        """Return more for a longer clip."""
        return round(min(1500 + 25 * duration_s, 8000))
