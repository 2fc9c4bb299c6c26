"""What is learned from and how it is varied."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import TrainingError


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipConfig:
    """The video to learn, and what the model card will say about it."""

    path: str = ""
    title: str = ""
    """Empty: the file's name."""
    source: str = ""
    """Where it comes from: a URL or package."""
    licence: str = "unknown"
    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height in the file's pixels; none takes the largest centred square."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentationConfig:
    """Random changes of what is learned; all off by default."""

    gain_range_db: tuple[float, float] | None = None
    """Each sequence is heard at a random gain in this range, so that level matters less; none leaves the sound as it is."""

    def __post_init__(self) -> None:
        if self.gain_range_db is not None and self.gain_range_db[0] > self.gain_range_db[1]:
            raise TrainingError(
                f"augmentation.gain_range_db is {list(self.gain_range_db)}; [lowest, highest] was expected."
            )
