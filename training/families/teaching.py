"""What a family tells `python -m training.teach`: which clips suit it, in which frame sizes it learns, and with which settings.

The command asks all families that bring a `Teaching`, takes the one that suits the clip best, and names none itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

from training.core.frame_size import FrameSize, ImageSize, shaped_size

MotionKind = Literal["solid", "fluid", "light"]
"""What changes in a clip. solid: things that move and keep their look, as a head or a hand. light: brightness and colour of things that
stay in their places. fluid: neither of them, as water and smoke."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipTraits:
    """What the clip analysis found that decides about the family."""

    kind: MotionKind
    camera_moves: bool
    trained_s: float
    """Seconds of the clip that are trained."""


class Suitability(NamedTuple):
    """How well a clip suits a family."""

    rank: int
    """The family with the highest rank is taken; of equal ones the first in the alphabet."""
    because: str
    """Why, or what it does with the clip: the end of a sentence that begins with the family's name."""


@dataclass(frozen=True, slots=True)
class SizeStep:
    """A frame size with the settings that go with it."""

    image_size: ImageSize
    settings: tuple[tuple[str, Any], ...] = ()
    """Dotted keys of the training configuration with their values."""
    words: str = ""
    """What the plan says of the settings."""
    iterations: int = 0
    """With fewer iterations, the step before gives better results."""
    is_usual: bool = False
    """By this one the minutes are chosen where the user leaves them open."""

    @property
    def frame_size(self) -> FrameSize:
        """Rows and columns of a frame."""
        return FrameSize.of(self.image_size)

    def shaped_as(self, crop: FrameSize) -> SizeStep:
        """Return the step with about as many pixels in the shape of a crop."""
        size = shaped_size(self.frame_size.mean_side, crop.width, crop.height)
        return replace(self, image_size=size.image_size)


class Teaching(Protocol):
    """How a family is trained on a clip for which nobody chose settings."""

    @property
    def config_file(self) -> str:
        """Name of its base configuration in configs/train."""
        ...

    @property
    def fewest_pixels(self) -> int:
        """On the short side of a crop that is smaller than the clip."""
        ...

    @property
    def beginning_share(self) -> float:
        """Of the training time of a new run, what passes at most before its first iteration."""
        ...

    def suitability(self, clip: ClipTraits) -> Suitability:
        """Tell how well a clip suits the family, and why."""
        ...

    def size_steps(self, crop: FrameSize, size: FrameSize | None) -> Sequence[SizeStep]:
        """Return one step or more, smallest first, that suit a crop of so many pixels, in its shape; or those of the given size."""
        ...

    def settings(self, clip: ClipTraits) -> Mapping[str, Any]:
        """Return the settings for a clip, whatever the frame size, by dotted key."""
        ...

    def usual_iterations(self, duration_s: float) -> int:
        """Return the iterations that a clip of that length gets where the user leaves the minutes open."""
        ...
