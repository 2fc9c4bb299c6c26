"""How `python -m training.teach` trains this family: at the clip's own sharpness, with textures that span the clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.core.frame_size import MULTIPLE, FrameSize
from training.families.modal.config import SOUND_SHARE
from training.families.teaching import ClipTraits, SizeStep, Suitability

SHORT_SIDE = 512
"""Pixels, where the clip has them: a frame costs little at any size, and larger ones cost training time."""
TEXTURES_FOR_S = ((90.0, 6), (30.0, 5))
"""So many textures for clips of which so many seconds and more are trained; else those of the configuration."""
SHARPER = 1.2
"""A clip with so many times the frame's pixels along a side gives textures of its own size, which windows show."""
LONGEST_ITERATIONS = 4000


class ModalTeaching:
    """The members of `Teaching`. Frames of the clip are stored, so the camera has to stand still."""

    config_file = "modal.yaml"
    fewest_pixels = SHORT_SIDE
    beginning_share = SOUND_SHARE

    def suitability(self, clip: ClipTraits) -> Suitability:
        """It takes every clip whose camera stands still."""
        if clip.camera_moves:
            return Suitability(0, "its stored frames would slide, because the camera moves")
        return Suitability(
            2, "the camera stands still, so the sound bends, mixes and lights the clip's own sharp frames"
        )

    def size_steps(self, crop: FrameSize, size: FrameSize | None) -> Sequence[SizeStep]:
        """Return one step: the crop's own pixels, up to SHORT_SIDE on the short side, in its shape; or the given size."""
        if size is None:
            shrink = min(1.0, SHORT_SIDE / crop.short_side)
            size = FrameSize(*(max(MULTIPLE, MULTIPLE * round(side * shrink / MULTIPLE)) for side in crop))
        if crop.short_side >= SHARPER * size.short_side:
            settings, words = (("model.generator.texture_scale", 2),), "textures of up to twice its size"
            return [SizeStep(size.image_size, settings, words, is_usual=True)]
        return [SizeStep(size.image_size, is_usual=True)]

    def settings(self, clip: ClipTraits) -> Mapping[str, Any]:
        """Return more textures for a longer clip. Samples are made at the end alone: large frames take their time."""
        textures = next((count for seconds, count in TEXTURES_FOR_S if clip.trained_s >= seconds), None)
        more = {} if textures is None else {"model.generator.textures": textures}
        return {"intervals.sample": 0, **more}

    def usual_iterations(self, duration_s: float) -> int:
        """Return more for a longer clip."""
        return round(min(800 + 20 * duration_s, LONGEST_ITERATIONS))
